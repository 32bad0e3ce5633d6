//! Peers that are never quite silent: what they say comes a byte at a time, and does not move any
//! deadline.

use std::io::Write;
use std::time::{Duration, Instant};

use siot::{Builder, DisconnectReason, Error, Proxy, Stage, Timeouts, Transport};
use tungstenite::Message;

use crate::support::greeting::Greeting;
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::{Client, LIMIT, TRANSPORTS, direct, failure};

const MS: Duration = Duration::from_millis(1);

/// What an attempt may take here.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The pause between two bytes. A hundred of them are far more than the limits.
const PAUSE: Duration = Duration::from_millis(100);

/// The error of an attempt that was too long at this stage.
#[track_caller]
fn late(builder: Builder, stage: Stage) -> Error {
    let start = Instant::now();
    let error = failure(builder);
    assert_eq!((error.stage(), error.is_timeout()), (Some(stage), true), "{error}");
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    error
}

/// The limits of the whole attempt and of one stage.
fn limits(builder: impl Fn() -> Builder, stage: Timeouts) -> [Builder; 2] {
    [builder().connect_timeout(TIMEOUT), builder().timeouts(stage)]
}

#[test]
fn headers_in_crumbs_do_not_move_the_deadline() {
    let peer = RawPeer::start(|mut connection: RawConnection| {
        connection.read_request()?;
        connection.drip(b"HTTP/1.1 200 OK\r\n", MS)?;
        connection.drip(&b"X: y\r\n".repeat(100), PAUSE)
    });
    for &transport in TRANSPORTS {
        let by = || direct(peer.url(), transport);
        for builder in limits(by, Timeouts::new().http(TIMEOUT)) {
            let error = late(builder, Stage::Http);
            assert_eq!(error.address().unwrap().port(), peer.port(), "{error}");
            assert!(error.elapsed().unwrap() >= TIMEOUT, "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}

#[cfg(feature = "polling")]
#[test]
fn a_body_in_crumbs_does_not_move_the_deadline() {
    let peer = RawPeer::start(|mut connection: RawConnection| {
        connection.read_request()?;
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        connection.drip(&b"0{\"sid\":\"s\"".repeat(100), PAUSE)
    });
    late(direct(peer.url(), Transport::Polling).connect_timeout(TIMEOUT), Stage::Engine);
}

#[test]
fn a_first_frame_in_crumbs_does_not_move_the_deadline() {
    let peer = RawPeer::websocket(|socket, _| {
        // A text frame of 125 bytes.
        socket.get_mut().write_all(&[0x81, 125, b'0'])?;
        loop {
            std::thread::sleep(PAUSE);
            socket.get_mut().write_all(b" ")?;
        }
    });
    late(direct(peer.url(), Transport::WebSocket).connect_timeout(TIMEOUT), Stage::Engine);
}

#[cfg(feature = "rustls")]
#[test]
fn a_handshake_of_tls_in_crumbs_does_not_move_the_deadline() {
    use siot::Tls;

    use crate::support::certs::TLS_BACKENDS;
    let peer = RawPeer::start(|connection: RawConnection| {
        let mut connection = connection;
        // The start of a record of a handshake, of 16 KiB.
        connection.write(&[0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc])?;
        connection.drip(&[0; 100], PAUSE)
    });
    for &transport in TRANSPORTS {
        for &backend in TLS_BACKENDS {
            let url = format!("https://127.0.0.1:{}", peer.port());
            let by = || direct(url.clone(), transport).tls(Tls::new().backend(backend));
            for builder in limits(by, Timeouts::new().tls(TIMEOUT)) {
                let error = late(builder, Stage::Tls);
                assert_eq!(error.address().unwrap().port(), peer.port(), "{error}");
            }
        }
    }
}

#[test]
fn an_answer_of_a_proxy_in_crumbs_does_not_move_the_deadline() {
    let http = RawPeer::start(|mut connection: RawConnection| {
        connection.read_request()?;
        connection.drip(&b"HTTP/1.1 200 OK\r\nX: y\r\n".repeat(10), PAUSE)
    });
    // It names a method of authentication a long time before it is heard of again.
    let socks = RawPeer::start(|mut connection: RawConnection| {
        connection.drip(&[5, 0, 5, 0, 0, 3, 200], PAUSE)?;
        connection.drip(&[b'x'; 100], PAUSE)
    });
    for proxy in [Proxy::http("127.0.0.1", http.port()), Proxy::socks5("127.0.0.1", socks.port())] {
        for &transport in TRANSPORTS {
            let url = "http://server.test".to_owned();
            let by = || direct(url.clone(), transport).proxy(proxy.clone());
            for builder in limits(by, Timeouts::new().proxy(TIMEOUT)) {
                late(builder, Stage::Proxy);
            }
        }
    }
}

#[test]
fn a_message_in_crumbs_is_no_heartbeat() {
    let quick = Greeting::new("s").heartbeat(1000, 1000).text();
    let peer = RawPeer::websocket(move |socket, _| {
        socket.send(Message::text(quick.clone()))?;
        socket.read()?;
        socket.send(Message::text(r#"40{"sid":"id"}"#))?;
        socket.get_mut().write_all(&[0x81, 125, b'4', b'2'])?;
        loop {
            std::thread::sleep(PAUSE);
            socket.get_mut().write_all(b" ")?;
        }
    });
    let client = Client::connect(direct(peer.url(), Transport::WebSocket));
    assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout);
}

#[cfg(feature = "polling")]
#[test]
fn a_poll_that_is_answered_in_crumbs_is_no_heartbeat() {
    let quick = Greeting::new("s").heartbeat(1000, 1000).text();
    let peer = RawPeer::start(move |mut connection: RawConnection| {
        loop {
            let request = connection.read_request()?;
            if request.method == "POST" {
                connection.respond(200, "", b"ok")?;
            } else if !request.target.contains("sid=") {
                let both = format!("{quick}\x1e40{{\"sid\":\"id\"}}");
                connection.respond(200, "Content-Type: text/plain\r\n", both.as_bytes())?;
            } else {
                connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n42")?;
                connection.drip(&[b' '; 200], PAUSE)?;
            }
        }
    });
    let client = Client::connect(direct(peer.url(), Transport::Polling));
    assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout);
}
