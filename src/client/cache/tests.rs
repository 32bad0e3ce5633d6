//! Which options of a builder lead to a connection of its own, all of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::client::builder::Builder;
use crate::client::socket::Socket;
use crate::client::update::Update;
use crate::options::{Limits, ParserKind, Proxy, Rejection, Revision, Timeouts, Tls, Transport};

type Setter = fn(Builder) -> Builder;

const MINUTE: Duration = Duration::from_secs(60);

/// Options of the connection: who has others needs another one. Those of one name are different too.
const OF_CONNECTION: &[(&str, Setter)] = &[
    #[cfg(feature = "polling")]
    ("transports", |b| b.transports([Transport::WebSocket])),
    ("upgrade", |b| b.upgrade(false)),
    ("try_all_transports", |b| b.try_all_transports(true)),
    ("remember_upgrade", |b| b.remember_upgrade(true)),
    ("force_base64", |b| b.force_base64(true)),
    ("max_packets_per_post", |b| b.max_packets_per_post(3)),
    ("flight_recorder", |b| b.flight_recorder(3)),
    ("revision", |b| b.revision(Revision::V3)),
    ("revision", |b| b.revision(Revision::V4)),
    ("parser", |b| b.parser(ParserKind::PlainJson)),
    ("path", |b| b.path("/elsewhere")),
    ("add_trailing_slash", |b| b.add_trailing_slash(false)),
    ("query", |b| b.query("token", "one")),
    ("query", |b| b.query("token", "other")),
    ("extra_header", |b| b.extra_header("Authorization", "Bearer one")),
    ("extra_header", |b| b.extra_header("Authorization", "Bearer other")),
    ("transport_header", |b| b.transport_header(Transport::WebSocket, "Authorization", "x")),
    ("timestamp_requests", |b| b.timestamp_requests(false)),
    ("timestamp_param", |b| b.timestamp_param("stamp")),
    ("subprotocols", |b| b.subprotocols(["v1.example"])),
    ("reconnection", |b| b.reconnection(false)),
    ("reconnection_attempts", |b| b.reconnection_attempts(7)),
    ("reconnection_delay", |b| b.reconnection_delay(MINUTE)),
    ("reconnection_delay_max", |b| b.reconnection_delay_max(MINUTE)),
    ("reconnection_spread", |b| b.reconnection_spread(MINUTE)),
    ("spread_first_attempt", |b| b.reconnection_spread(2 * MINUTE).spread_first_attempt(true)),
    ("reconnection_reset_after", |b| b.reconnection_reset_after(MINUTE)),
    ("randomization_factor", |b| b.randomization_factor(0.25)),
    ("connect_timeout", |b| b.connect_timeout(MINUTE)),
    ("connect_timeout", |b| b.connect_timeout(None)),
    ("namespace_timeout", |b| b.namespace_timeout(MINUTE)),
    ("limits", |b| b.limits(Limits::new().max_message(1000))),
    ("limits", |b| b.limits(Limits::new().stack_size(1_000_000))),
    ("proxy", |b| b.proxy(Proxy::http("proxy.example", 3128))),
    ("proxy", |b| b.proxy(Proxy::http("proxy.example", 3128).credentials("me", "x"))),
    ("proxy", |b| b.proxy(Proxy::socks5("proxy.example", 3128))),
    ("no_proxy", Builder::no_proxy),
    ("local_address", |b| b.local_address(IpAddr::from([127, 0, 0, 1]))),
    ("interface", |b| b.interface("wwan0")),
    ("keepalive", |b| b.keepalive(None)),
    ("tcp_user_timeout", |b| b.tcp_user_timeout(MINUTE)),
    ("timeouts", |b| b.timeouts(Timeouts::new().dns(MINUTE))),
    ("timeouts", |b| b.timeouts(Timeouts::new().tls(MINUTE))),
    ("backup_url", |b| b.backup_url("http://backup.example")),
    ("backup_url", |b| b.backup_url("http://backup.example?token=other")),
    ("remember_address", |b| b.remember_address(true)),
    #[cfg(target_os = "linux")]
    ("watch_network", |b| b.watch_network(true)),
    ("fail_back_after", |b| b.fail_back_after(MINUTE)),
    ("with_credentials", |b| b.with_credentials(true)),
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    ("tls", |b| b.tls(Tls::new().reject_unauthorized(false))),
    ("tls", |b| b.tls(Tls::new().server_name("device.example"))),
    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    ("tls", |b| b.tls(Tls::new().passphrase("x"))),
];

/// Functions for the connection, which cannot be compared.
const FUNCTIONS: &[(&str, Setter)] =
    &[("before_attempt", |b| b.before_attempt(|_| crate::Result::<Update>::Ok(Update::new())))];

/// Options of the socket, which may differ.
const OF_SOCKET: &[(&str, Setter)] = &[
    ("auth", |b| b.auth(serde_json::json!({ "token": "x" }))),
    ("auth_with", |b| b.auth_with(|| Ok(serde_json::json!({ "token": "x" })))),
    ("reconnect_after", |b| b.reconnect_after([Rejection::Refused])),
    ("retries", |b| b.retries(3)),
    ("interrupted_tries", |b| b.interrupted_tries(3)),
    ("reliable_window", |b| b.reliable_window(3)),
    ("ack_timeout", |b| b.ack_timeout(MINUTE)),
    ("auto_connect", |b| b.auto_connect(false)),
    ("force_new", |b| b.force_new(false)),
    // Where there is but one transport, nobody can have another one.
    #[cfg(not(feature = "polling"))]
    ("transports", |b| b.transports([Transport::WebSocket])),
];

/// A socket of a server that nobody else in this process has.
fn socket(server: &str, namespace: &str, change: impl FnOnce(Builder) -> Builder) -> Socket {
    let url = format!("http://{server}.example/{namespace}");
    change(Builder::new(url).auto_connect(false)).build().unwrap()
}

fn share(one: &Socket, other: &Socket) -> bool {
    Arc::ptr_eq(one.manager().shared(), other.manager().shared())
}

#[test]
fn who_sets_an_option_of_the_connection_otherwise_gets_another_connection() {
    for (number, (name, set)) in OF_CONNECTION.iter().enumerate() {
        let server = format!("connection-{number}");
        let plain = socket(&server, "plain", |builder| builder);
        let one = socket(&server, "one", set);
        let other = socket(&server, "other", set);
        assert!(!share(&plain, &one), "{name} is not looked at");
        assert!(share(&one, &other), "who sets {name} never shares");
        assert!(share(&plain, &socket(&server, "more", |builder| builder)), "{name}");
        for (other_name, other_set) in &OF_CONNECTION[number + 1..] {
            let different = socket(&server, "different", other_set);
            assert!(!share(&one, &different), "{name} is taken for {other_name}");
        }
    }
}

#[test]
fn who_sets_a_function_never_shares() {
    for (name, set) in FUNCTIONS {
        let server = format!("function-{}", name.replace('_', "-"));
        let one = socket(&server, "one", set);
        let plain = socket(&server, "plain", |builder| builder);
        assert!(!share(&one, &plain), "{name}");
        assert!(!share(&one, &socket(&server, "other", set)), "{name}");
        assert!(share(&plain, &socket(&server, "more", |builder| builder)), "{name}");
    }
}

#[test]
fn who_sets_an_option_of_the_socket_otherwise_shares_the_connection() {
    for (name, set) in OF_SOCKET {
        let server = format!("socket-{}", name.replace('_', "-"));
        let plain = socket(&server, "plain", |builder| builder);
        assert!(share(&plain, &socket(&server, "one", set)), "{name}");
    }
}

#[test]
fn each_option_of_the_builder_is_in_one_of_the_tables() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client/builder");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|file| file.is_file()).map(std::fs::read_to_string);
    let mut options = BTreeSet::new();
    for text in texts {
        let text = text.unwrap();
        let functions = text.split("\n    pub fn ").skip(1);
        options.extend(functions.map(|function| {
            let end = function.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap();
            function[..end].to_owned()
        }));
    }
    for other in ["new", "build", "manager"] {
        assert!(options.remove(other), "{other}");
    }
    let listed: Vec<_> = [OF_CONNECTION, FUNCTIONS, OF_SOCKET].concat();
    let listed: BTreeSet<_> = listed.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(options, listed);
}

#[test]
fn all_of_a_value_counts() {
    let cas = ["one", "other"].map(|text| Tls::new().ca_pem(text));
    let files = ["/one", "/other"].map(|path| Tls::new().ca_file(path));
    let keys = ["one", "other"].map(|text| Tls::new().client_cert_pem("chain", text));
    let pfx = ["one", "other"].map(|text| Tls::new().pfx(text));
    let words = ["one", "other"].map(|text| Tls::new().passphrase(text));
    let ciphers = ["one", "other"].map(|name| Tls::new().ciphers([name]));
    let others = [
        Tls::new(),
        Tls::new().ca_der("one"),
        Tls::new().built_in_roots(false),
        Tls::new().system_roots(true),
        Tls::new().reject_unauthorized(false),
        Tls::new().min_version(crate::options::TlsVersion::Tls13),
        Tls::new().backend(crate::options::TlsBackend::Native),
        Tls::new().clock_floor(std::time::SystemTime::UNIX_EPOCH),
    ];
    let all = [&cas[..], &files, &keys, &pfx, &words, &ciphers, &others].concat();
    for (number, one) in all.iter().enumerate() {
        assert!(*one == one.clone(), "{one:?}");
        assert!(!all[number + 1..].contains(one), "{one:?}");
    }
}

#[test]
fn the_server_and_the_query_of_the_url_count() {
    let socket = |url: &str| Builder::new(url).auto_connect(false).build().unwrap();
    let plain = socket("http://url.example/a");
    for other in [
        "https://url.example/b",
        "http://url.example:81/b",
        "http://other.url.example/b",
        "http://url.example/b?token=x",
    ] {
        assert!(!share(&plain, &socket(other)), "{other}");
    }
    assert!(share(&plain, &socket("ws://URL.example:80/b")));
}

#[test]
fn what_was_changed_meanwhile_counts() {
    let plain = |builder| builder;
    let changed = socket("changed", "one", plain);
    let update = Update::new().extra_header("Authorization", "Bearer of another");
    changed.manager().update(update).unwrap();
    assert!(!share(&changed, &socket("changed", "other", plain)));
    let same = |builder: Builder| builder.extra_header("Authorization", "Bearer of another");
    assert!(share(&changed, &socket("changed", "more", same)));
    let limited = socket("limited", "one", plain);
    limited.manager().update(Update::new().connect_timeout(Some(MINUTE))).unwrap();
    assert!(!share(&limited, &socket("limited", "other", plain)));
}
