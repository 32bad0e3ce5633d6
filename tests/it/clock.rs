//! Devices whose wall clock is wrong, or is set while they are connected.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use siot::{Builder, DisconnectReason, Error, ManagerEvent, Stage, Tls, TlsBackend, Transport};

use crate::support::certs::{CertAuthority, TLS_BACKENDS};
use crate::support::faketime::at;
#[cfg(feature = "cli")]
use crate::support::process::siot;
use crate::support::{Client, LIMIT, Server, TRANSPORTS, direct, failure, recv_within};

const MS: Duration = Duration::from_millis(1);

/// What a device has that lost power and has no battery.
const START: &str = "1970-01-01 00:00:10";

const HOST: &str = "127.0.0.1";

/// The start of a year after 1970, give or take some days.
fn year(year: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((year - 1970) * 365 * 24 * 60 * 60)
}

/// A server with a certificate that is valid in these years, and what trusts it.
fn serve(from: u16, to: u16) -> (Server, Tls) {
    let authority = CertAuthority::new();
    let server = Server::start(json!({
        "tls": authority.valid(HOST, from, to).server(),
        "options": { "pingInterval": 100, "pingTimeout": 20_000 },
    }));
    (server, Tls::new().built_in_roots(false).ca_pem(authority.pem()))
}

fn builder(server: &Server, transport: Transport, tls: Tls) -> Builder {
    direct(server.url(), transport).tls(tls)
}

#[track_caller]
fn refused(server: &Server, transport: Transport, tls: Tls) -> Error {
    let error = failure(builder(server, transport, tls));
    assert_eq!(error.stage(), Some(Stage::Tls), "{error}");
    error
}

/// Of a certificate that is out of its time, by the clock of this process.
#[track_caller]
fn assert_suspects_clock(error: &Error, reason: &str, today: &str) {
    assert!(error.message().contains(reason), "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("clock") && hint.contains(today), "{error}");
    assert!(!error.is_fatal(), "{error}");
}

#[test]
fn in_1970_no_certificate_is_valid_yet_and_the_error_suspects_the_clock() {
    at(START, |_| {
        let (server, tls) = serve(2000, 4000);
        for &transport in TRANSPORTS {
            for &backend in TLS_BACKENDS {
                let error = refused(&server, transport, tls.clone().backend(backend));
                assert_suspects_clock(&error, "is not valid yet", "1970-01-01");
            }
        }
    });
}

#[cfg(feature = "cli")]
#[test]
fn the_doctor_suspects_the_clock() {
    at(START, |_| {
        let authority = CertAuthority::new();
        let server = Server::start(json!({ "tls": authority.valid(HOST, 2000, 4000).server() }));
        let ca = std::env::temp_dir().join(format!("siot-doctor-{}.pem", std::process::id()));
        fs::write(&ca, authority.pem()).unwrap();
        let output = siot().arg("doctor").arg(server.url()).arg("--ca").arg(&ca).output().unwrap();
        fs::remove_file(&ca).unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{printed}");
        let line = " cannot connect, TLS: the certificate of `127.0.0.1` is not valid yet";
        assert_eq!(printed.matches(line).count(), TRANSPORTS.len(), "{printed}");
        let hint = "is the clock of this device right? It says 1970-01-01";
        // And once at the end, with all that is to be tried.
        assert_eq!(printed.matches(hint).count(), TRANSPORTS.len() + 1, "{printed}");
        assert!(printed.contains(" s behind the server's"), "{printed}");
    });
}

#[test]
fn in_the_far_future_every_certificate_has_expired_and_the_error_suspects_the_clock() {
    at("2080-06-07 08:00:00", |_| {
        let (server, tls) = serve(2000, 2060);
        for &transport in TRANSPORTS {
            for &backend in TLS_BACKENDS {
                let error = refused(&server, transport, tls.clone().backend(backend));
                assert_suspects_clock(&error, "has expired", "2080-06-07");
            }
        }
    });
}

#[test]
fn a_floor_makes_a_clock_of_1970_good_enough_and_a_warning_tells() {
    at(START, |_| {
        // Valid at the floor, and from a later time on.
        for from in [2000, 2040] {
            let (server, tls) = serve(from, 4000);
            let tls = tls.backend(TlsBackend::Rustls).clock_floor(year(2026));
            for &transport in TRANSPORTS {
                let client = Client::idle(builder(&server, transport, tls.clone()));
                client.socket.connect();
                let warning =
                    client.wait_for("a warning", |e| matches!(e, ManagerEvent::Warning(_)));
                let text = format!("{warning:?}");
                assert!(text.contains("1970-01-01") && text.contains("set the clock"), "{text}");
                client.connected();
                client.socket.manager().close(LIMIT);
            }
        }
    });
}

#[test]
fn a_floor_forgives_nothing_but_the_clock() {
    at(START, |_| {
        let floor = |tls: Tls| tls.backend(TlsBackend::Rustls).clock_floor(year(2026));
        let (past, of_past) = serve(2000, 2020);
        let (good, of_good) = serve(2000, 4000);
        for &transport in TRANSPORTS {
            let error = refused(&past, transport, floor(of_past.clone()));
            assert!(error.message().contains("has expired"), "{error}");
            let error = refused(&good, transport, floor(of_past.clone()));
            assert!(error.message().contains("not trusted"), "{error}");
            let error = refused(&good, transport, floor(of_good.clone()).server_name("other.test"));
            assert!(error.message().contains("for another host"), "{error}");
        }
    });
}

#[test]
fn a_device_whose_clock_is_set_later_connects_then() {
    at(START, |clock| {
        let (server, tls) = serve(2000, 4000);
        for &backend in TLS_BACKENDS {
            clock.set(START);
            let client =
                Client::start(builder(&server, Transport::WebSocket, tls.clone().backend(backend)));
            for _ in 0..3 {
                let error = client.connect_error();
                assert_suspects_clock(&error, "is not valid yet", "1970-01-01");
            }
            clock.set("2026-11-22 10:00:00");
            client.reconnected();
        }
    });
}

/// The processor time that this process has taken, in the hundredths of a second of Linux.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<_> = after_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_clock_that_jumps_disturbs_no_connection() {
    at("2026-11-22 10:00:00", |clock| {
        let (server, tls) = serve(2000, 4000);
        for &transport in TRANSPORTS {
            clock.set("2026-11-22 10:00:00");
            let client = Client::connect(builder(&server, transport, tls.clone()));
            for time in ["2051-06-01 00:00:00", "2001-06-01 00:00:00", "2030-06-01 00:00:00"] {
                let start = Instant::now();
                // What has a limit, and is on its way meanwhile.
                let with_limit = |limit| client.socket.timeout(limit);
                let late = with_limit(LIMIT).emit_with_ack("ack-late", 300).unwrap();
                let never = with_limit(500 * MS).emit_with_ack("never-ack", ()).unwrap();
                clock.set(time);
                assert_eq!(wall_year(), time[..4], "the clock is not set");
                let before = processor_time();
                let answer = recv_within(&late.receiver(), LIMIT);
                assert_eq!(answer.unwrap().args::<(String, u32)>().unwrap().1, 300);
                let answer = recv_within(&never.receiver(), LIMIT);
                assert!(answer.unwrap_err().is_timeout());
                assert!(start.elapsed() >= 500 * MS, "{:?}", start.elapsed());
                for _ in 0..5 {
                    client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
                }
                let (passed, taken) = (start.elapsed(), 10 * (processor_time() - before));
                assert!(u128::from(taken) < passed.as_millis() / 2, "{taken} ms of {passed:?}");
                // Nothing was lost; and what is made anew knows the new time.
                assert_eq!(client.status.try_recv().map(drop), None);
                let (reason, error) = client.cut_off(&server);
                assert_ne!(reason, DisconnectReason::PingTimeout, "{error:?}");
                client.reconnected();
            }
            client.socket.manager().close(LIMIT);
        }
    });
}

/// The year that the wall clock of this process says.
fn wall_year() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Some days wrong after eighty years, and a year is told in its middle.
    (1970 + since.as_secs() / 31_556_952).to_string()
}
