//! Encrypted connections to Node's own TLS: every backend, every transport, every certificate.

mod keys;
mod sessions;
mod stack;

use std::time::Duration;

use serde_json::{Value, json};
use siot::{Builder, Error, ManagerEvent, Result, Socket, Stage, Tls, Transport};

use crate::support::certs::{CertAuthority, TLS_BACKENDS};
use crate::support::logged::{capture_log, logged};
use crate::support::{
    Client, LIMIT, Server, Via, alone, direct, eventually, recv_within, this_program,
};

fn backends() -> Vec<Tls> {
    TLS_BACKENDS.iter().map(|&backend| Tls::new().backend(backend)).collect()
}

/// Options that trust this authority only, one for each backend.
fn trusting(authority: &CertAuthority) -> Vec<Tls> {
    backends().into_iter().map(|tls| tls.built_in_roots(false).ca_pem(authority.pem())).collect()
}

fn start(tls: &Value) -> Server {
    Server::start(json!({ "tls": tls }))
}

fn builder(server: &Server, tls: Tls, via: Via) -> Builder {
    via.builder(server.url()).no_proxy().reconnection(false).tls(tls)
}

/// Connects once, moves to WebSocket where that is the via, and lets an event go there and back.
fn connect(server: &Server, tls: Tls, via: Via) -> Result<Socket> {
    let socket = builder(server, tls, via).auto_connect(false).build()?;
    let client = Client::of(socket);
    client.connect();
    client.wait_connected(LIMIT)?;
    if via == Via::Upgrade {
        client.upgraded();
    }
    let sum: u32 = client.timeout(LIMIT).emit_with_ack("sum", (20, 22))?.wait()?;
    assert_eq!(sum, 42);
    Ok(client.socket)
}

/// Tries every backend and every way of connecting.
fn for_all(backends: Vec<Tls>, check: impl Fn(Tls, Via)) {
    for tls in backends {
        for &via in Via::ALL {
            check(tls.clone(), via);
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
    let (known, unknown) = (CertAuthority::new(), CertAuthority::new());
    let server = start(&known.issue("127.0.0.1").server());
    for_all(trusting(&known), |tls, via| {
        connect(&server, tls, via).unwrap();
    });
    // The public authorities, and one that only has the same name.
    for_all([backends(), trusting(&unknown)].concat(), |tls, via| {
        let context = format!("{tls:?} {via:?}");
        let error = assert_refused(connect(&server, tls.clone(), via), "not trusted", &context);
        assert!(error.is_fatal(), "{context}");
        assert_eq!(error.address().map(|address| address.port()), Some(server.port()));
        connect(&server, tls.reject_unauthorized(false), via).unwrap();
    });
}

#[test]
fn who_verifies_never_shares_the_connection_of_who_does_not() {
    let (known, unknown) = (CertAuthority::new(), CertAuthority::new());
    let server = start(&known.issue("127.0.0.1").server());
    for (number, strict) in trusting(&unknown).into_iter().enumerate() {
        let join = |name: &str, tls: Tls| {
            let url = format!("{}/multi-{name}-{number}", server.url());
            let builder = direct(url, Transport::WebSocket).force_new(false).reconnection(false);
            builder.tls(tls).build().unwrap()
        };
        let lax = join("lax", strict.clone().reject_unauthorized(false));
        lax.wait_connected(LIMIT).unwrap();
        let strict = join("strict", strict);
        let error = strict.wait_connected(LIMIT).unwrap_err();
        assert_eq!(error.stage(), Some(Stage::Tls), "{error}");
        assert!(strict.manager().transport().is_none());
    }
}

#[test]
fn each_address_is_verified_by_its_own_name() {
    let authority = CertAuthority::new();
    let (first, right, wrong) = (
        start(&authority.issue("127.0.0.1").server()),
        start(&authority.issue("localhost").server()),
        start(&authority.issue("127.0.0.1").server()),
    );
    let by_name = |server: &Server| format!("https://localhost:{}", server.port());
    for_all(trusting(&authority), |tls, via| {
        let connect = |url: String| {
            let builder = builder(&first, tls.clone(), via)
                .before_attempt(move |_| Ok::<_, Error>(siot::Update::new().url(&url)));
            let client = Client::start(builder);
            client.wait_connected(LIMIT)
        };
        connect(first.url()).unwrap();
        connect(by_name(&right)).unwrap();
        let error = connect(by_name(&wrong)).unwrap_err();
        assert_eq!(error.stage(), Some(Stage::Tls), "{error}");
        assert!(error.message().contains("another host"), "{error}");
    });
}

#[test]
fn a_certificate_out_of_its_time_or_place_is_refused_with_the_reason() {
    let authority = CertAuthority::new();
    for (identity, reason, fatal) in [
        (authority.valid("127.0.0.1", 2000, 2020), "has expired", false),
        (authority.valid("127.0.0.1", 3000, 3010), "is not valid yet", false),
        (authority.issue("other.example"), "is for another host", true),
    ] {
        let server = start(&identity.server());
        for_all(trusting(&authority), |tls, via| {
            let context = format!("{tls:?} {via:?}");
            let error = assert_refused(connect(&server, tls.clone(), via), reason, &context);
            assert_eq!(error.is_fatal(), fatal, "{context}");
            connect(&server, tls.reject_unauthorized(false), via).unwrap();
        });
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it() {
    let (authority, other) = (CertAuthority::new(), CertAuthority::new());
    let server = start(&authority.issue("127.0.0.1").mutual(&authority.pem()));
    let (right, wrong) = (authority.issue("device"), other.issue("device"));
    for_all(trusting(&authority), |tls, via| {
        let context = format!("{tls:?} {via:?}");
        let with = tls.clone().client_cert_pem(right.cert.clone(), right.key.clone());
        connect(&server, with, via).unwrap();
        assert_refused(
            connect(&server, tls.clone(), via),
            "asks for a client certificate",
            &context,
        );
        // Node accepts a wrong one in the handshake and then hangs up.
        let with = tls.client_cert_pem(wrong.cert.clone(), wrong.key.clone());
        let error = connect(&server, with, via).map(drop).expect_err(&context);
        assert!(matches!(error.stage(), Some(Stage::Http | Stage::Tls)), "{context}: {error}");
        assert!(error.hint().unwrap().contains("client certificate"), "{context}: {error}");
    });
}

#[test]
fn the_systems_authorities_are_trusted_where_they_are_asked_for() {
    const PORT: &str = "SIOT_TEST_PORT";
    let test = "it::tls::the_systems_authorities_are_trusted_where_they_are_asked_for";
    // The variable that names them is set for a process of its own.
    let Some(port) = std::env::var_os(PORT) else {
        let authority = CertAuthority::new();
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
        let builder = direct(url, Transport::WebSocket).reconnection(false);
        let tls = tls.built_in_roots(false).system_roots(true);
        builder.tls(tls).build().unwrap().wait_connected(LIMIT).unwrap();
    }
}

#[test]
fn a_renewed_authority_is_taken_up_without_a_restart() {
    let (old, new) = (CertAuthority::new(), CertAuthority::new());
    let before = start(&old.issue("127.0.0.1").server());
    let file = std::env::temp_dir().join(format!("siot-renewed-{}.pem", std::process::id()));
    for tls in backends() {
        std::fs::write(&file, old.pem()).unwrap();
        let tls = tls.built_in_roots(false).ca_file(&file);
        let socket = builder(&before, tls, Via::WebSocket)
            .reconnection(true)
            .reconnection_delay(Duration::from_millis(10))
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

#[test]
fn several_authorities_are_trusted_in_each_form() {
    let (one, two, other) = (CertAuthority::new(), CertAuthority::new(), CertAuthority::new());
    let [of_one, of_two, of_other] =
        [&one, &two, &other].map(|authority| start(&authority.issue("127.0.0.1").server()));
    let bundle = format!("# The first\n{}\n# The second\n{}", one.pem(), two.pem());
    let file = std::env::temp_dir().join(format!("siot-several-{}.der", std::process::id()));
    std::fs::write(&file, two.der()).unwrap();
    for tls in backends() {
        let tls = tls.built_in_roots(false);
        for tls in [
            tls.clone().ca_pem(bundle.clone()),
            tls.clone().ca_pem(one.pem()).ca_der(two.der()),
            tls.clone().ca_der(one.der()).ca_file(&file),
        ] {
            for server in [&of_one, &of_two] {
                connect(server, tls.clone(), Via::WebSocket).unwrap();
            }
            let result = connect(&of_other, tls.clone(), Via::WebSocket);
            assert_refused(result, "not trusted", &format!("{tls:?}"));
        }
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_missing_link_between_server_and_authority_is_told() {
    let root = CertAuthority::new();
    let intermediate = root.intermediate();
    let mut identity = intermediate.issue("127.0.0.1");
    let incomplete = start(&identity.server());
    identity.cert.push_str(&intermediate.pem());
    let complete = start(&identity.server());
    for_all(trusting(&root), |tls, via| {
        connect(&complete, tls.clone(), via).unwrap();
        let result = connect(&incomplete, tls.clone(), via);
        let error = assert_refused(result, "not trusted", &format!("{tls:?} {via:?}"));
        assert!(error.hint().unwrap().contains("intermediate"), "{error}");
        connect(&incomplete, tls.ca_pem(intermediate.pem()), via).unwrap();
    });
}

#[test]
fn another_name_than_that_of_the_url_can_be_verified() {
    let authority = CertAuthority::new();
    let server = start(&authority.issue("device.example").server());
    for_all(trusting(&authority), |tls, via| {
        connect(&server, tls.clone().server_name("device.example"), via).unwrap();
        let result = connect(&server, tls.clone().server_name("other.example"), via);
        let error = assert_refused(result, "for another host", &format!("{tls:?} {via:?}"));
        assert!(error.message().contains("other.example"), "{error}");
    });
}

#[test]
fn each_connection_to_a_server_that_is_not_verified_is_logged_as_a_warning() {
    alone(|| {
        capture_log(log::LevelFilter::Warn);
        let server = start(&CertAuthority::new().issue("127.0.0.1").server());
        for (number, tls) in (1..).zip(backends()) {
            connect(&server, tls.reject_unauthorized(false), Via::WebSocket).unwrap();
            let warnings = logged();
            assert_eq!(warnings.len(), number, "{warnings:?}");
            for part in ["WARN", "not verified", "reject_unauthorized"] {
                assert!(warnings.iter().all(|warning| warning.contains(part)), "{warnings:?}");
            }
        }
    });
}

#[test]
fn heartbeats_go_out_to_an_old_server() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1").server();
    let server = Server::start(json!({
        "version": 2, "tls": identity, "options": { "pingInterval": 50 },
    }));
    for_all(trusting(&authority), |tls, via| {
        let socket = connect(&server, tls, via).unwrap();
        eventually(LIMIT, "three heartbeats", || {
            let ack = socket.timeout(LIMIT).emit_with_ack("ping-count", ()).unwrap();
            ack.wait::<u32>().unwrap() >= 3
        });
    });
}
