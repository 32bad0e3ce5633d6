//! `siot doctor`.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Said, run, start};
use crate::support::Server;
use crate::support::certs::CertAuthority;
use crate::support::folder::Folder;
use crate::support::program::{free_port, write};
use crate::support::proxies::Proxies;
use crate::support::raw::{RawConnection, RawPeer};

/// What is found about each check, in their order: `(section, check, level)`.
fn findings(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn finding<'a>(findings: &'a [Value], section: &str, check: &str) -> &'a Value {
    let is_it = |finding: &&Value| {
        finding["section"].as_str().unwrap().ends_with(section) && finding["check"] == check
    };
    findings.iter().find(is_it).unwrap_or_else(|| panic!("no {check} of {section}: {findings:#?}"))
}

#[test]
fn a_healthy_server_is_found_so() {
    let server = Server::start(json!({ "options": { "pingInterval": 300 } }));
    let said = run(&["doctor", &server.url(), "--json"]).ended_with(0);
    let found = findings(&said);
    for transport in ["by polling", "by websocket"] {
        for check in ["DNS", "TCP", "HTTP", "Engine.IO", "namespace", "closed"] {
            let finding = finding(&found, transport, check);
            assert_eq!(finding["level"], "ok", "{finding}");
            let digits = finding["ms"].as_f64().unwrap().to_string();
            let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            assert!(decimals <= 3, "{finding}");
        }
    }
    assert_eq!(finding(&found, "the server", "clock")["level"], "ok");
    let revision = finding(&found, "the server", "revision");
    assert!(revision["detail"].as_str().unwrap().contains("Engine.IO 4"), "{revision}");
    assert_eq!(finding(&found, "the session", "upgrade")["level"], "ok");
    let heartbeat = finding(&found, "the session", "heartbeat");
    assert_eq!(heartbeat["level"], "ok");
    assert!(heartbeat["ms"].as_f64() >= Some(300.0), "{heartbeat}");
    let said = run(&["doctor", &server.url()]).ended_with(0);
    assert_eq!(said.out.lines().last(), Some("all is well"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
}

#[test]
fn an_old_server_is_known_by_its_revision() {
    let server = Server::version(2, json!({ "pingInterval": 300 }));
    let said = run(&["doctor", &server.url(), "--json"]).ended_with(0);
    let found = findings(&said);
    let revision = finding(&found, "the server", "revision");
    assert!(revision["detail"].as_str().unwrap().contains("Engine.IO 3"), "{revision}");
    assert_eq!(finding(&found, "the session", "heartbeat")["level"], "ok");
}

#[test]
fn the_chain_of_certificates_is_shown_whoever_trusts_it() {
    let authority = CertAuthority::new();
    let intermediate = authority.intermediate();
    let mut identity = intermediate.issue("127.0.0.1");
    identity.cert += &intermediate.pem();
    let server = Server::start(json!({ "tls": identity.server() }));
    let folder = Folder::new();
    let ca = write(&folder, "ca.pem", &authority.pem());
    for (args, code, level) in [(&["--ca", &*ca][..], 0, "ok"), (&[], 3, "failed")] {
        let said = run(&[&["doctor", &server.url(), "--json"][..], args].concat());
        let found = findings(&said);
        let last = finding(&found, "by websocket", "TLS");
        assert_eq!((said.code, &last["level"]), (code, &json!(level)), "{said:?}");
        let first = finding(&found, "the server", "certificate 1")["detail"].as_str().unwrap();
        assert!(first.contains("by CN=siot test intermediate"), "{first}");
        assert!(first.contains("valid from 2000-01-01T00:00:00Z to 4000-01-01"), "{first}");
        assert!(first.ends_with("for 127.0.0.1"), "{first}");
        let (known, unknown) = (["ok"; 3], ["shown"; 3]);
        let levels = ["TLS", "certificate 1", "HTTP"]
            .map(|check| finding(&found, "the server", check)["level"].as_str().unwrap());
        assert_eq!(levels, if code == 0 { known } else { unknown });
        assert_eq!(first.starts_with("not verified: "), code != 0, "{first}");
        let second = finding(&found, "the server", "certificate 2")["detail"].as_str().unwrap();
        assert!(second.contains("CN=siot test intermediate, by"), "{second}");
        assert!(second.contains("by CN=siot test authority"), "{second}");
    }
}

#[test]
fn behind_a_proxy_the_certificates_are_those_that_it_lets_through() {
    let authority = CertAuthority::new();
    let server = Server::start(json!({ "tls": authority.issue("server.invalid").server() }));
    let folder = Folder::new();
    let ca = write(&folder, "ca.pem", &authority.pem());
    let proxies = Proxies::start(&json!({ "user": "me", "password": "p@ss" }));
    let url = format!("https://server.invalid:{}", server.port());
    let through = |proxy: String| {
        let said = run(&["doctor", &url, "--json", "--ca", &ca, "--proxy", &proxy]);
        findings(&said.ended_with(0))
    };
    let found = through(format!("http://me:p%40ss@127.0.0.1:{}", proxies.http));
    assert_eq!(finding(&found, "by websocket", "proxy")["level"], "ok");
    let detail = finding(&found, "the server", "certificate 1")["detail"].as_str().unwrap();
    assert!(detail.ends_with("for server.invalid"), "{detail}");
    let found = through(format!("socks5://me:p%40ss@127.0.0.1:{}", proxies.socks5));
    assert_eq!(finding(&found, "the server", "host")["level"], "skipped");
    let proxy = format!("http://me:wrong@127.0.0.1:{}", proxies.http);
    let said = run(&["doctor", &url, "--proxy", &proxy]).ended_with(3);
    assert!(said.out.contains("407") && !said.out.contains("wrong"), "{}", said.out);
}

#[test]
fn a_certificate_that_has_expired_is_seen_and_what_to_do() {
    let authority = CertAuthority::new();
    let server = Server::start(json!({ "tls": authority.valid("127.0.0.1", 2001, 2002).server() }));
    let said = run(&["doctor", &server.url()]).ended_with(3);
    assert!(said.out.contains("EXPIRED"), "{}", said.out);
    assert!(said.out.contains("  try: renew the server's certificate"), "{}", said.out);
}

#[test]
fn a_server_that_wants_a_certificate_still_shows_its_own() {
    let authority = CertAuthority::new();
    let tls = authority.issue("127.0.0.1").mutual(&authority.pem());
    let server = Server::start(json!({ "tls": tls }));
    let folder = Folder::new();
    let ca = write(&folder, "ca.pem", &authority.pem());
    let said = run(&["doctor", &server.url(), "--ca", &ca]).ended_with(3);
    assert!(
        said.out.contains("certificate 1") && said.out.contains("client certificate"),
        "{}",
        said.out
    );
}

#[test]
fn a_transport_that_fails_is_no_end() {
    let server = Server::start(json!({ "options": { "transports": ["polling"] } }));
    // This server leaves the request for a WebSocket without an answer.
    let said = run(&["doctor", &server.url(), "--json", "--connect-timeout", "2"]).ended_with(1);
    let found = findings(&said);
    assert_eq!(finding(&found, "by polling", "namespace")["level"], "ok");
    assert!(found.iter().any(|finding| finding["level"] == "failed"), "{found:?}");
    assert_eq!(finding(&found, "the session", "upgrade")["level"], "skipped");
}

#[test]
fn a_refused_namespace_is_told_in_the_servers_words() {
    let server = Server::start(json!({}));
    let said = run(&["doctor", &format!("{}/forbidden", server.url())]).ended_with(5);
    assert_eq!(said.out.matches("forbidden by the test server").count(), 2, "{}", said.out);
    assert_eq!(said.out.matches(r#"its data: {"code":403"#).count(), 2, "{}", said.out);
    assert_eq!(said.out.matches("none were sent: --auth-file or SIOT_AUTH").count(), 1);
    let upgrade = "both of the transports work, but the namespace is not joined";
    assert!(said.out.contains(upgrade), "{}", said.out);
    for unused in ["--retry", "--once"] {
        run(&["doctor", &server.url(), unused]).ended_with(2);
    }
    assert!(said.out.contains("2 failures"), "{}", said.out);
}

#[test]
fn nobody_there_is_said_in_time() {
    let start = Instant::now();
    let url = format!("http://127.0.0.1:{}", free_port());
    let said = run(&["doctor", &url]).ended_with(3);
    assert_eq!(said.out.matches("FAILED  TCP ").count(), 2, "{}", said.out);
    assert!(said.out.contains("  try: is the server running"), "{}", said.out);
    run(&["doctor", "nonsense"]).ended_with(2);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn a_clock_that_differs_is_a_warning() {
    let peer = RawPeer::start(|mut connection| {
        loop {
            let request = connection.read_request()?;
            if request.parameter("transport") == Some("none") {
                let date = "Date: Thu, 01 Jan 2037 00:00:00 GMT\r\nServer: x\u{1b}[2Jy\r\n";
                connection.respond(404, date, b"")?;
            } else {
                connection.respond(404, "", b"")?;
            }
        }
    });
    let said = run(&["doctor", &peer.url()]).ended_with(3);
    assert!(
        said.out.contains("this machine's is ") && said.out.contains(" s behind"),
        "{}",
        said.out
    );
    assert!(said.out.contains("try: set the clock"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    let server = Server::start(json!({}));
    let script = r#""$0" doctor "$1" | head -n 1"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_siot"), &server.url()]);
    let said = start(shell).end().ended_with(0);
    assert_eq!((said.out.lines().count(), said.err.as_str()), (1, ""));
}

#[test]
fn a_handshake_that_is_none_is_said_to_be_so() {
    // The end of a handshake that has not begun.
    let peer = RawPeer::start(|mut connection| {
        connection.reader().read_exact(&mut [0; 16])?;
        connection.write(b"\x16\x03\x03\x00\x05\x0e\x00\x00\x00\x00")?;
        connection.hold()
    });
    let url = format!("https://127.0.0.1:{}", peer.port());
    let said = run(&["doctor", &url, "--connect-timeout", "3s"]).ended_with(3);
    assert!(said.out.contains("FAILED  TLS "), "{}", said.out);
}

#[test]
fn a_peer_that_says_nothing_holds_it_up_no_longer_than_permitted() {
    let peer = RawPeer::start(RawConnection::hold);
    let start = Instant::now();
    let said = run(&["doctor", &peer.url(), "--connect-timeout", "500ms"]).ended_with(3);
    assert!(said.out.contains("2 failures"), "{}", said.out);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
