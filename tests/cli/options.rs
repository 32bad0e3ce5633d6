//! How the server is reached: what stands on the command line, in files and in variables.

use serde_json::{Value, json};

use super::{run, siot, start};
use crate::support::Server;
use crate::support::certs::CertAuthority;
use crate::support::folder::Folder;
use crate::support::program::write;

/// What the server was told in the handshake.
fn handshake(url: &str, args: &[&str]) -> Value {
    let said = run(&[&["emit", url, "handshake", "--ack", "--json"][..], args].concat());
    let line: Value = serde_json::from_str(said.ended_with(0).out.trim()).unwrap();
    line["args"][0].clone()
}

#[test]
fn credentials_come_from_a_variable_or_a_file_or_the_command_line() {
    let server = Server::start(json!({}));
    let url = format!("{}/token", server.url());
    let token = r#"{"token":"123"}"#;
    let folder = Folder::new();
    let file = write(&folder, "auth.json", token);
    let with = |args: &[&str], variable: &str| {
        let mut command = siot(&[&["emit", &url, "a"][..], args].concat());
        command.env("SIOT_AUTH", variable);
        start(command).end()
    };
    let said = with(&[], "").ended_with(5);
    let expected =
        r#"; its data: {"token":null}; of credentials, none were sent: --auth-file or SIOT_AUTH"#;
    assert!(said.err.contains(expected), "{said:?}");
    let said = with(&[], r#"{"token":"wrong"}"#).ended_with(5);
    assert!(said.err.trim_end().ends_with(r#"its data: {"token":"wrong"}"#), "{said:?}");
    with(&[], token).ended_with(0);
    with(&["--auth", token], r#"{"token":"wrong"}"#).ended_with(0);
    with(&["--auth-file", &file], "").ended_with(0);
    with(&["--auth-file", "/no/such/file"], "").ended_with(7);
    with(&["--auth", token, "--auth-file", &file], "").ended_with(2);
    // A secret is not repeated.
    let said = with(&[], r#"{"token":"secret""#).ended_with(2);
    assert!(said.err.contains("SIOT_AUTH") && !said.err.contains("secret"), "{said:?}");
}

#[test]
fn a_url_without_its_scheme_is_guessed_and_errors_name_flags() {
    for url in ["localhost:4100", "localhost"] {
        let said = run(&["emit", url, "a"]).ended_with(2);
        assert!(said.err.contains(&format!("did you mean http://{url}?")), "{said:?}");
    }
    let said = run(&["emit", "http://me:secret@127.0.0.1", "a"]).ended_with(2);
    assert!(
        said.err.contains("or the `--auth-file`") || said.err.contains("or `--auth-file`"),
        "{said:?}"
    );
    assert!(!said.err.contains("secret"), "{said:?}");
}

#[test]
fn headers_query_namespace_and_transports_arrive() {
    let server = Server::start(json!({}));
    let folder = Folder::new();
    let file = format!("@{}", write(&folder, "headers", "X-One: 1\n\nX-Two: a: b\n"));
    let url = format!("{}/elsewhere?room=7", server.url());
    let args = ["-n", "/admin", "-H", "X-Zero: 0", "-H", &file, "-Q", "device=gateway 7"];
    let told = handshake(&url, &[&args[..], &["--transports", "websocket"]].concat());
    assert_eq!(told["headers"]["x-zero"], "0");
    assert_eq!(told["headers"]["x-one"], "1");
    assert_eq!(told["headers"]["x-two"], "a: b");
    assert_eq!(told["query"]["device"], "gateway 7");
    assert_eq!(told["query"]["room"], "7");
    assert_eq!(told["transport"], "websocket");
    assert_eq!(handshake(&url, &["-n", "/", "--transports", "polling"])["transport"], "polling");
}

#[test]
fn old_servers_and_other_parsers_are_met() {
    for (version, revision) in [(2, "3"), (4, "4")] {
        let server = Server::version(version, json!({}));
        let told = handshake(&server.url(), &["--revision", revision]);
        assert_eq!(told["protocol"].to_string(), revision);
        assert_eq!(handshake(&server.url(), &[])["protocol"].to_string(), revision);
    }
    for (option, name) in [("msgpack", "msgpack"), ("json", "plain-json")] {
        let server = Server::start(json!({ "parser": option }));
        let said = run(&["emit", &server.url(), "sum", "1", "2", "--ack", "--parser", name]);
        assert_eq!(said.ended_with(0).out, "3\n");
    }
}

#[test]
fn a_server_is_verified_unless_that_is_switched_off() {
    let authority = CertAuthority::new();
    let server = Server::start(json!({ "tls": authority.issue("127.0.0.1").server() }));
    let folder = Folder::new();
    let ca = write(&folder, "ca.pem", &authority.pem());
    let url = server.url();
    let with = |args: &[&str]| run(&[&["emit", &url, "sum", "1", "2", "--ack"][..], args].concat());
    let said = with(&[]).ended_with(3);
    assert!(said.err.contains("not trusted") && said.err.contains("`--ca`"), "{said:?}");
    assert_eq!(with(&["--ca", &ca]).ended_with(0).out, "3\n");
    assert_eq!(with(&["--ca", &ca, "--ca-only"]).ended_with(0).err, "");
    // Who switches it off is told.
    let said = with(&["--insecure"]).ended_with(0);
    assert!(said.err.contains("siot: warning: ") && said.err.contains("(-k)"), "{said:?}");
    // Each of the transports has a connection of its own.
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    let said = with(&["--insecure", "--quiet"]).ended_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("3\n", ""));
}

#[test]
fn a_client_shows_its_certificate() {
    let authority = CertAuthority::new();
    let server = Server::start(json!({
        "tls": authority.issue("127.0.0.1").mutual(&authority.pem())
    }));
    let folder = Folder::new();
    let client = authority.issue("device");
    let ca = write(&folder, "ca.pem", &authority.pem());
    let cert = write(&folder, "cert.pem", &client.cert);
    let key = write(&folder, "key.pem", &client.key);
    let args = ["emit", &server.url(), "a", "--ca", &ca];
    run(&args).ended_with(3);
    run(&[&args[..], &["--cert", &cert, "--key", &key]].concat()).ended_with(0);
}

#[test]
fn with_retry_it_waits_for_the_server() {
    let server = Server::start(json!({}));
    let url = server.url();
    server.kill();
    let emitting = start(siot(&["emit", &url, "a", "--retry"]));
    let said = emitting.err.recv_timeout(crate::support::LIMIT).unwrap();
    assert!(said.contains("refused") && said.contains("next attempt in"), "{said}");
    server.restart();
    emitting.end().ended_with(0);
    assert_eq!(server.entries("events").len(), 1);
}

#[test]
fn a_log_is_written_where_it_is_asked_for() {
    let server = Server::start(json!({}));
    let url = format!("{}/?token=secret", server.url());
    let said = run(&["emit", &url, "a", "-vv", "--auth", r#"{"k":"secret"}"#]).ended_with(0);
    assert!(said.err.contains(" s #1 127.0.0.1:"), "{said:?}");
    let starts = |start: &str| said.err.lines().any(|line| line.starts_with(start));
    assert!(starts("siot: debug: 0.") || starts("siot: debug: 1."), "{said:?}");
    assert!(said.err.contains(": Stage DNS") && !said.err.contains("Stage("), "{said:?}");
    assert!(said.err.contains("siot: trace: ") && !said.err.contains("secret"), "{said:?}");
}
