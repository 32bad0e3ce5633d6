//! Encrypted connections to Node's own TLS: every backend, every transport, every certificate.

use std::process::Command;

use serde_json::{Value, json};
use siot::{
    Builder, Error, ErrorKind, ManagerEvent, Result, Socket, Stage, Tls, TlsBackend, Transport,
};

use crate::support::certs::Authority;
use crate::support::{LIMIT, Server, recv_within, this_program};

/// What a connection is made of.
#[derive(Clone, Copy, Debug)]
enum Way {
    WebSocket,
    #[cfg(feature = "polling")]
    Polling,
    #[cfg(feature = "polling")]
    Upgrade,
}

const WAYS: &[Way] = &[
    Way::WebSocket,
    #[cfg(feature = "polling")]
    Way::Polling,
    #[cfg(feature = "polling")]
    Way::Upgrade,
];

fn backends() -> Vec<Tls> {
    let mut all = vec![Tls::new().backend(TlsBackend::Rustls)];
    if cfg!(feature = "native-tls") {
        all.push(Tls::new().backend(TlsBackend::Native));
    }
    all
}

/// Options that trust this authority only, one for each backend.
fn trusting(authority: &Authority) -> Vec<Tls> {
    backends().into_iter().map(|tls| tls.built_in_roots(false).ca_pem(authority.pem())).collect()
}

fn start(tls: &Value) -> Server {
    Server::start(json!({ "tls": tls }))
}

fn builder(server: &Server, tls: Tls, way: Way) -> Builder {
    let transports = match way {
        Way::WebSocket => vec![Transport::WebSocket],
        #[cfg(feature = "polling")]
        Way::Polling => vec![Transport::Polling],
        #[cfg(feature = "polling")]
        Way::Upgrade => vec![Transport::Polling, Transport::WebSocket],
    };
    Builder::new(server.url())
        .force_new(true)
        .no_proxy()
        .reconnection(false)
        .transports(transports)
        .tls(tls)
}

/// Connects once, moves to WebSocket where that is the way, and lets an event go there and back.
fn connect(server: &Server, tls: Tls, way: Way) -> Result<Socket> {
    let socket = builder(server, tls, way).auto_connect(false).build()?;
    let news = socket.manager().events();
    socket.connect();
    socket.wait_connected(LIMIT)?;
    #[cfg(feature = "polling")]
    if matches!(way, Way::Upgrade) {
        while !matches!(recv_within(news.receiver(), LIMIT), ManagerEvent::Upgrade(_)) {}
    }
    let _ = news;
    let sum: u32 = socket.timeout(LIMIT).emit_with_ack("sum", (20, 22))?.wait()?;
    assert_eq!(sum, 42);
    Ok(socket)
}

/// Tries every backend and every way.
fn for_all(backends: Vec<Tls>, check: impl Fn(Tls, Way)) {
    for tls in backends {
        for way in WAYS {
            check(tls.clone(), *way);
        }
    }
}

/// A refusal in the handshake: whose certificate, and what to do.
#[track_caller]
fn assert_refused(result: Result<Socket>, part: &str, context: &str) -> Error {
    let error = result.map(drop).expect_err(context);
    assert_eq!(error.stage(), Some(Stage::Tls), "{context}: {error}");
    assert!(error.message().contains(part), "{context}: {error}");
    assert!(error.hint().is_some(), "{context}: {error}");
    error
}

#[test]
fn a_server_of_a_given_authority_is_trusted_and_of_no_other() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let server = start(&known.issue("127.0.0.1").server());
    for_all(trusting(&known), |tls, way| {
        connect(&server, tls, way).unwrap();
    });
    // The public authorities, and one that only has the same name.
    for_all([backends(), trusting(&unknown)].concat(), |tls, way| {
        let context = format!("{tls:?} {way:?}");
        let error = assert_refused(connect(&server, tls.clone(), way), "not trusted", &context);
        assert!(error.is_fatal(), "{context}");
        assert_eq!(error.address().map(|address| address.port()), Some(server.port()));
        connect(&server, tls.reject_unauthorized(false), way).unwrap();
    });
}

#[test]
fn a_certificate_out_of_its_time_or_place_is_refused_with_the_reason() {
    let authority = Authority::new();
    for (identity, reason, fatal) in [
        (authority.valid("127.0.0.1", 2000, 2020), "has expired", false),
        (authority.valid("127.0.0.1", 3000, 3010), "is not valid yet", false),
        (authority.issue("other.example"), "is for another host", true),
    ] {
        let server = start(&identity.server());
        for_all(trusting(&authority), |tls, way| {
            let context = format!("{tls:?} {way:?}");
            let error = assert_refused(connect(&server, tls.clone(), way), reason, &context);
            assert_eq!(error.is_fatal(), fatal, "{context}");
            connect(&server, tls.reject_unauthorized(false), way).unwrap();
        });
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = start(&authority.issue("127.0.0.1").mutual(&authority.pem()));
    let (right, wrong) = (authority.issue("device"), other.issue("device"));
    for_all(trusting(&authority), |tls, way| {
        let context = format!("{tls:?} {way:?}");
        let with = tls.clone().client_cert_pem(right.cert.clone(), right.key.clone());
        connect(&server, with, way).unwrap();
        assert_refused(
            connect(&server, tls.clone(), way),
            "asks for a client certificate",
            &context,
        );
        // Node accepts a wrong one in the handshake and then hangs up.
        let with = tls.client_cert_pem(wrong.cert.clone(), wrong.key.clone());
        let error = connect(&server, with, way).map(drop).expect_err(&context);
        assert!(matches!(error.stage(), Some(Stage::Http | Stage::Tls)), "{context}: {error}");
        assert!(error.hint().unwrap().contains("client certificate"), "{context}: {error}");
    });
}

/// Private keys in all their forms.
fn keys(passphrase: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/keys.js");
    let output = Command::new("node").args([script, passphrase]).output().expect("node");
    serde_json::from_slice(&output.stdout).expect("keys in JSON")
}

#[test]
fn private_keys_of_all_forms_are_taken() {
    let authority = Authority::new();
    let server = start(&authority.issue("127.0.0.1").mutual(&authority.pem()));
    let keys = keys("open sesame");
    for kind in ["rsa", "ec"] {
        let text = |form: &str| keys[kind][form].as_str().unwrap().to_owned();
        let identity = authority.issue_for_key("device", &text("pkcs8"));
        for tls in trusting(&authority) {
            let cert = |key: &str| tls.clone().client_cert_pem(identity.cert.clone(), key);
            let der =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text("ownDer"));
            let der = tls.clone().client_cert_pem(identity.cert.clone(), der.unwrap());
            for tls in [cert(&text("pkcs8")), cert(&text("own")), der] {
                connect(&server, tls, Way::WebSocket).unwrap();
            }
            let encrypted = cert(&text("encrypted"));
            let error = |tls: Tls| builder(&server, tls, Way::WebSocket).build().unwrap_err();
            if cfg!(feature = "encrypted-keys") {
                let right = encrypted.clone().passphrase("open sesame");
                connect(&server, right, Way::WebSocket).unwrap();
                for tls in [encrypted.clone(), encrypted.passphrase("closed")] {
                    let error = error(tls);
                    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
                    assert!(error.hint().unwrap().contains("passphrase"), "{error}");
                }
            } else {
                assert_eq!(error(encrypted).kind(), ErrorKind::Unsupported);
            }
            let old = error(cert(&text("oldEncryption")).passphrase("open sesame"));
            assert_eq!(old.kind(), ErrorKind::Unsupported, "{old}");
        }
    }
}

#[cfg(feature = "native-tls")]
#[test]
fn pkcs12_is_taken_with_its_passphrase() {
    const PFX: &[u8] = include_bytes!("../fixtures/client.p12");
    let authority = Authority::new();
    let clients = include_str!("../fixtures/client-ca.pem");
    let server = start(&authority.issue("127.0.0.1").mutual(clients));
    let tls = Tls::new().backend(TlsBackend::Native).ca_pem(authority.pem()).pfx(PFX);
    for way in WAYS {
        connect(&server, tls.clone().passphrase("letmein"), *way).unwrap();
    }
    let wrong = tls.passphrase("let me in");
    let error = builder(&server, wrong, Way::WebSocket).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.hint().unwrap().contains("passphrase"), "{error}");
}

#[test]
fn the_systems_authorities_are_trusted_where_they_are_asked_for() {
    const PORT: &str = "SIOT_TEST_PORT";
    let test = "it::tls::the_systems_authorities_are_trusted_where_they_are_asked_for";
    // The variable that names them is set for a process of its own.
    let Some(port) = std::env::var_os(PORT) else {
        let authority = Authority::new();
        let server = start(&authority.issue("127.0.0.1").server());
        let file = std::env::temp_dir().join(format!("siot-system-{}.pem", std::process::id()));
        std::fs::write(&file, authority.pem()).unwrap();
        let output = this_program()
            .args([test, "--exact"])
            .env("SSL_CERT_FILE", &file)
            .env(PORT, server.port().to_string())
            .output()
            .unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    };
    for tls in backends() {
        let url = format!("wss://127.0.0.1:{}", port.to_string_lossy());
        let builder = Builder::new(url)
            .force_new(true)
            .no_proxy()
            .reconnection(false)
            .transports([Transport::WebSocket]);
        let tls = tls.built_in_roots(false).system_roots(true);
        builder.tls(tls).build().unwrap().wait_connected(LIMIT).unwrap();
    }
}

#[test]
fn a_renewed_authority_is_taken_up_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let before = start(&old.issue("127.0.0.1").server());
    let file = std::env::temp_dir().join(format!("siot-renewed-{}.pem", std::process::id()));
    for tls in backends() {
        std::fs::write(&file, old.pem()).unwrap();
        let tls = tls.built_in_roots(false).ca_file(&file);
        let socket = builder(&before, tls, Way::WebSocket)
            .reconnection(true)
            .reconnection_delay(std::time::Duration::from_millis(10))
            .build()
            .unwrap();
        socket.wait_connected(LIMIT).unwrap();
        let news = socket.manager().events();
        // What is no certificate is told, and the old ones stay.
        std::fs::write(&file, "half a file").unwrap();
        before.cmd("drop");
        let warning = loop {
            if let ManagerEvent::Warning(error) = recv_within(news.receiver(), LIMIT) {
                break error;
            }
        };
        assert!(warning.to_string().contains("siot-renewed"), "{warning}");
        socket.wait_connected(LIMIT).unwrap();
        std::fs::write(&file, new.pem()).unwrap();
        before.cmd("drop");
        let refused = loop {
            if let ManagerEvent::Error(error) = recv_within(news.receiver(), LIMIT) {
                if error.stage() == Some(Stage::Tls) {
                    break error;
                }
            }
        };
        assert!(refused.message().contains("not trusted"), "{refused}");
    }
    std::fs::remove_file(&file).unwrap();
}
