//! The way through proxies, to real servers.

use serde_json::json;
use siot::{Builder, Error, ErrorKind, Proxy, Result, Socket, Stage, Transport};

use crate::support::proxies::Proxies;
use crate::support::{LIMIT, Server, TRANSPORTS, recv_within, this_program};

/// A name that only the proxies know.
const HOST: &str = "server.invalid";

fn builder(scheme: &str, server: &Server, transport: Transport) -> Builder {
    Builder::new(format!("{scheme}://{HOST}:{}", server.port()))
        .force_new(true)
        .reconnection(false)
        .transports([transport])
}

/// Connects and lets an event go there and back.
fn connect(builder: Builder) -> Result<Socket> {
    let socket = builder.build()?;
    socket.wait_connected(LIMIT)?;
    let sum: u32 = socket.timeout(LIMIT).emit_with_ack("sum", (20, 22))?.wait()?;
    assert_eq!(sum, 42);
    Ok(socket)
}

fn assert_proxy(error: &Error, part: &str) {
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Proxy), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn both_transports_go_through_either_proxy() {
    let server = Server::start(json!({}));
    for kind in 0..2 {
        for &transport in TRANSPORTS {
            // Of their own: tunnels of the case before may still be told of, those of its farewell.
            let proxies = Proxies::start(&json!({}));
            let (by, proxy) = proxies.both()[kind].clone();
            connect(builder("http", &server, transport).proxy(proxy)).unwrap();
            let to = json!({ "by": by, "to": format!("{HOST}:{}", server.port()) });
            assert_eq!(recv_within(&proxies.tunnels, LIMIT), to);
            // Long-polling takes two.
            assert!(proxies.tunnels.try_iter().all(|tunnel| tunnel == to));
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn encrypted_connections_go_through_proxies_and_verify_the_server_behind() {
    use siot::Tls;

    use crate::support::certs::{CertAuthority, TLS_BACKENDS};
    let authority = CertAuthority::new();
    let server = Server::start(json!({ "tls": authority.issue(HOST).server() }));
    let proxies = Proxies::start(&json!({}));
    for (_, proxy) in proxies.both() {
        for &transport in TRANSPORTS {
            for &backend in TLS_BACKENDS {
                let tls = Tls::new().backend(backend);
                let builder = || builder("wss", &server, transport).proxy(proxy.clone());
                connect(builder().tls(tls.clone().ca_pem(authority.pem()))).unwrap();
                let error = connect(builder().tls(tls)).unwrap_err();
                assert_eq!(error.stage(), Some(Stage::Tls), "{error}");
                assert!(error.message().contains(HOST), "{error}");
            }
        }
    }
}

#[test]
fn a_proxy_that_wants_credentials_gets_them_or_says_so() {
    let server = Server::start(json!({}));
    let proxies = Proxies::start(&json!({ "user": "me", "password": "pass word" }));
    for (by, proxy) in proxies.both() {
        for &transport in TRANSPORTS {
            let with = |proxy: Proxy| connect(builder("ws", &server, transport).proxy(proxy));
            with(proxy.clone().credentials("me", "pass word")).unwrap();
            let missing = with(proxy.clone()).unwrap_err();
            assert_proxy(&missing, "Proxy::credentials");
            let wrong = with(proxy.clone().credentials("me", "wrong")).unwrap_err();
            assert_proxy(&wrong, "right?");
            assert!(missing.is_fatal() && wrong.is_fatal(), "{by}");
        }
    }
}

#[test]
fn a_proxy_without_a_way_to_the_server_says_so() {
    let server = Server::start(json!({}));
    let proxies = Proxies::start(&json!({}));
    server.kill();
    for ((_, proxy), part) in proxies.both().into_iter().zip(["502", "connection refused"]) {
        let builder = builder("ws", &server, Transport::WebSocket).proxy(proxy);
        assert_proxy(&connect(builder).unwrap_err(), part);
    }
}

#[test]
fn the_environment_names_a_proxy_and_servers_without_one() {
    const PORTS: &str = "SIOT_TEST_PORTS";
    // Variables are set for a process of its own, and never in one that has threads.
    if std::env::var_os(PORTS).is_none() {
        let server = Server::start(json!({}));
        let proxies = Proxies::start(&json!({ "user": "me", "password": "p@ss" }));
        let proxy = format!("socks5://me:p%40ss@127.0.0.1:{}", proxies.socks5);
        let output = this_program()
            .args(["it::proxy::the_environment_names_a_proxy_and_servers_without_one", "--exact"])
            .env(PORTS, server.port().to_string())
            .env("ALL_PROXY", proxy)
            .env("no_proxy", "direct.invalid")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let tunnel = recv_within(&proxies.tunnels, LIMIT);
        assert_eq!(tunnel["by"], "socks5");
        return;
    }
    let port = std::env::var(PORTS).unwrap();
    let builder = |host: &str| {
        Builder::new(format!("ws://{host}:{port}"))
            .transports([Transport::WebSocket])
            .reconnection(false)
            .force_new(true)
    };
    connect(builder(HOST)).unwrap();
    let error = connect(builder("direct.invalid")).unwrap_err();
    assert_eq!(error.stage(), Some(Stage::Dns), "{error}");
    let error = connect(builder(HOST).no_proxy()).unwrap_err();
    assert_eq!(error.stage(), Some(Stage::Dns), "{error}");
    // This machine is never asked for through a proxy of the environment.
    connect(builder("127.0.0.1")).unwrap();
}
