//! A builder from a configuration comes to the same as one by the methods, for each option.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::client::builder::Builder;
use crate::client::socket::Socket;
use crate::options::{
    Limits, ParserKind, Proxy, Rejection, Revision, Timeouts, Tls, TlsBackend, TlsVersion,
    Transport, WhenFull,
};

type Setter = fn(Builder) -> Builder;

const MINUTE: Duration = Duration::from_secs(60);

/// Options of the connection: the key, a value, and the method that does the same.
fn of_connection() -> Vec<(&'static str, Json, Setter)> {
    vec![
        #[cfg(feature = "polling")]
        ("transports", json!(["websocket"]), |b| b.transports([Transport::WebSocket])),
        ("upgrade", json!(false), |b| b.upgrade(false)),
        ("try_all_transports", json!(true), |b| b.try_all_transports(true)),
        ("remember_upgrade", json!(true), |b| b.remember_upgrade(true)),
        ("force_base64", json!(true), |b| b.force_base64(true)),
        ("max_packets_per_post", json!(3), |b| b.max_packets_per_post(3)),
        ("flight_recorder", json!(3), |b| b.flight_recorder(3)),
        ("revision", json!("v3"), |b| b.revision(Revision::V3)),
        ("parser", json!("plain-json"), |b| b.parser(ParserKind::PlainJson)),
        ("path", json!("/elsewhere"), |b| b.path("/elsewhere")),
        ("add_trailing_slash", json!(false), |b| b.add_trailing_slash(false)),
        ("query", json!({ "a": "1", "b": "2" }), |b| b.query("a", "1").query("b", "2")),
        ("extra_header", json!({ "X-A": "1" }), |b| b.extra_header("X-A", "1")),
        ("transport_header", json!({ "websocket": { "X-A": "1" } }), |b| {
            b.transport_header(Transport::WebSocket, "X-A", "1")
        }),
        ("timestamp_requests", json!(false), |b| b.timestamp_requests(false)),
        ("timestamp_param", json!("stamp"), |b| b.timestamp_param("stamp")),
        ("subprotocols", json!(["v1.example"]), |b| b.subprotocols(["v1.example"])),
        ("reconnection", json!(false), |b| b.reconnection(false)),
        ("reconnection_attempts", json!(7), |b| b.reconnection_attempts(7)),
        ("reconnection_delay", json!("1m"), |b| b.reconnection_delay(MINUTE)),
        ("reconnection_delay_max", json!(60), |b| b.reconnection_delay_max(MINUTE)),
        ("reconnection_spread", json!("60s"), |b| b.reconnection_spread(MINUTE)),
        ("reconnection_reset_after", json!(60.0), |b| b.reconnection_reset_after(MINUTE)),
        ("randomization_factor", json!(0.25), |b| b.randomization_factor(0.25)),
        ("connect_timeout", json!("none"), |b| b.connect_timeout(None)),
        ("connect_timeout", json!("1500ms"), |b| b.connect_timeout(Duration::from_millis(1500))),
        ("namespace_timeout", json!(null), |b| b.namespace_timeout(None)),
        ("limits", json!({ "max_message": 1000, "when_send_full": "drop-oldest" }), |b| {
            b.limits(Limits::new().max_message(1000).when_send_full(WhenFull::DropOldest))
        }),
        ("proxy", json!("socks5://me:x@proxy.example"), |b| {
            b.proxy(Proxy::socks5("proxy.example", 1080).credentials("me", "x"))
        }),
        ("no_proxy", json!(true), Builder::no_proxy),
        ("local_address", json!("127.0.0.1"), |b| b.local_address(IpAddr::from([127, 0, 0, 1]))),
        ("interface", json!("wwan0"), |b| b.interface("wwan0")),
        ("keepalive", json!("none"), |b| b.keepalive(None)),
        ("tcp_user_timeout", json!("1m"), |b| b.tcp_user_timeout(MINUTE)),
        ("timeouts", json!({ "dns": "1m" }), |b| b.timeouts(Timeouts::new().dns(MINUTE))),
        ("backup_url", json!("http://backup.example"), |b| b.backup_url("http://backup.example")),
        ("backup_url", json!(["http://a.example", "http://b.example"]), |b| {
            b.backup_url("http://a.example").backup_url("http://b.example")
        }),
        ("remember_address", json!(true), |b| b.remember_address(true)),
        #[cfg(target_os = "linux")]
        ("watch_network", json!(true), |b| b.watch_network(true)),
        ("fail_back_after", json!("1h"), |b| b.fail_back_after(60 * MINUTE)),
        ("with_credentials", json!(true), |b| b.with_credentials(true)),
        ("tls", json!({ "server_name": "a.example", "passphrase": "x" }), |b| {
            b.tls(Tls::new().server_name("a.example").passphrase("x"))
        }),
    ]
}

/// Options of the socket, likewise.
fn of_socket() -> Vec<(&'static str, Json, Setter)> {
    vec![
        ("auth", json!({ "token": "x", "n": 1 }), |b| b.auth(json!({ "token": "x", "n": 1 }))),
        ("retries", json!(3), |b| b.retries(3)),
        ("interrupted_tries", json!(3), |b| b.interrupted_tries(3)),
        ("reliable_window", json!(3), |b| b.reliable_window(3)),
        ("ack_timeout", json!("5s"), |b| b.ack_timeout(Duration::from_secs(5))),
        ("auto_connect", json!(false), |b| b.auto_connect(false)),
        ("reconnect_after", json!(["refused", "io server disconnect"]), |b| {
            b.reconnect_after([Rejection::Refused, Rejection::IoServerDisconnect])
        }),
    ]
}

/// What two values at a time are, or what cannot be compared.
const OTHERS: [&str; 4] = ["spread_first_attempt", "force_new", "auth_with", "before_attempt"];

fn configured(url: &str, options: &[(&str, &Json)]) -> Builder {
    let mut table = json!({ "url": url });
    for (key, value) in options {
        table[*key] = (*value).clone();
    }
    serde_json::from_value(table).unwrap()
}

fn socket(builder: Builder) -> Socket {
    builder.auto_connect(false).build().unwrap()
}

fn share(one: &Socket, other: &Socket) -> bool {
    std::sync::Arc::ptr_eq(one.manager().shared(), other.manager().shared())
}

#[test]
fn what_is_configured_comes_to_the_same_as_what_is_set() {
    for (number, (key, value, set)) in of_connection().iter().enumerate() {
        let url = |namespace: &str| format!("http://configured-{number}.example/{namespace}");
        let plain = socket(Builder::new(url("plain")));
        let by_method = socket(set(Builder::new(url("set"))));
        let by_config = socket(configured(&url("configured"), &[(key, value)]));
        assert!(share(&by_method, &by_config) && !share(&plain, &by_config), "{key}: {value}");
    }
}

#[test]
fn options_of_the_socket_are_configured_too() {
    let words = |builder: &Builder| {
        let auth = match &builder.socket.auth {
            Some(crate::driver::client::NamespaceAuth::Fixed(payload)) => Some(payload.clone()),
            _ => None,
        };
        format!("{:?} {auth:?}", builder.socket)
    };
    for (key, value, set) in of_socket() {
        let by_config = words(&configured("http://a.example", &[(key, &value)]));
        assert_eq!(by_config, words(&set(Builder::new("http://a.example"))), "{key}");
        assert_ne!(by_config, words(&Builder::new("http://a.example")), "{key}");
    }
    let spread = [("reconnection_spread", &json!(1)), ("spread_first_attempt", &json!(true))];
    let spread = configured("http://a.example", &spread).manager_options();
    assert!(spread.spread_first_attempt);
    assert!(!configured("http://a.example", &[("force_new", &json!(true))]).share);
}

#[test]
fn each_option_of_the_builder_can_be_configured() {
    let texts = [
        include_str!("../mod.rs"),
        include_str!("../reaching.rs"),
        include_str!("../reconnecting.rs"),
    ];
    let functions = texts.iter().flat_map(|text| text.split("\n    pub fn ").skip(1));
    let mut options: BTreeSet<_> =
        functions.map(|function| function.split(['<', '(']).next().unwrap()).collect();
    options.remove("new");
    let listed = [of_connection(), of_socket()].concat();
    let listed = listed.iter().map(|(key, ..)| *key).chain(OTHERS);
    let listed: BTreeSet<_> = listed.collect();
    assert_eq!(options, listed);
}

#[test]
fn tables_have_each_of_their_options() {
    let limits: Limits = serde_json::from_value(json!({
        "max_message": 1, "max_attachments": 2, "send_events": 3, "send_bytes": 4,
        "when_send_full": "drop-newest", "unconfirmed_bytes": 11, "receive_events": 5, "receive_bytes": 6,
        "receive_total": 7, "receive_reserve": 8, "when_receive_full": "drop-oldest", "acks": 9,
        "stack_size": 10,
    }))
    .unwrap();
    let expected = Limits::new().max_message(1).max_attachments(2).send_events(3).send_bytes(4);
    let expected = expected.when_send_full(WhenFull::DropNewest).receive_events(5).receive_bytes(6);
    let expected = expected.unconfirmed_bytes(11);
    let expected = expected.receive_total(7).receive_reserve(8).acks(9).stack_size(10);
    assert_eq!(limits, expected.when_receive_full(WhenFull::DropOldest));
    let times = json!({ "dns": 1, "tcp": "2s", "proxy": "3000ms", "tls": "none", "http": 0.5 });
    let second = Duration::from_secs(1);
    assert_eq!(
        serde_json::from_value::<Timeouts>(times).unwrap(),
        Timeouts::new().dns(second).tcp(2 * second).proxy(3 * second).http(second / 2)
    );
    let tls: Tls = serde_json::from_value(json!({
        "ca_file": ["/a", "/b"], "ca_pem": "pem", "built_in_roots": false, "system_roots": true,
        "client_cert_files": ["/chain", "/key"], "passphrase": "x", "reject_unauthorized": false,
        "server_name": "a.example", "min_version": "TLSv1.3", "ciphers": ["x"], "clock_floor": 60,
        "backend": "native",
    }))
    .unwrap();
    let expected = Tls::new().ca_file("/a").ca_file("/b").ca_pem("pem").built_in_roots(false);
    let expected = expected.system_roots(true).client_cert_files("/chain", "/key").passphrase("x");
    let expected = expected.reject_unauthorized(false).server_name("a.example");
    let expected = expected.min_version(TlsVersion::Tls13).ciphers(["x"]);
    let expected = expected.clock_floor(std::time::UNIX_EPOCH + MINUTE).backend(TlsBackend::Native);
    assert_eq!(tls, expected);
    let of_text: Tls = serde_json::from_value(json!({ "client_cert_pem": ["a", "b"] })).unwrap();
    assert_eq!(of_text, Tls::new().client_cert_pem("a", "b"));
    let of_file: Tls = serde_json::from_value(json!({ "pfx_file": "/pfx" })).unwrap();
    assert_eq!(of_file, Tls::new().pfx_file("/pfx"));
}

#[test]
fn times_have_units_the_greater_ones_first() {
    let read = |text: &str| serde_json::from_value::<Timeouts>(json!({ "dns": text }));
    for (text, seconds) in [
        ("1m30s", 90.0),
        ("1d", 86_400.0),
        ("1d2h3m4s5ms", 93_784.005),
        ("1.5h", 5400.0),
        ("5", 5.0),
        ("0s", 0.0),
    ] {
        let expected = Timeouts::new().dns(Duration::from_secs_f64(seconds));
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
    for text in
        ["", " ", "s", "30s1m", "1s1s", "1m30", "1m 30s", "1m-30s", "-1s", "1w", "inf", "1e400d"]
    {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("\"1d\", \"1m30s\""), "{text}: {error}");
    }
}

#[test]
fn the_file_in_the_guide_can_be_read() {
    let guide = include_str!("../../../../FIELD.md");
    let file = guide.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let builder: Builder = serde_json::from_str(file).unwrap();
    assert_eq!(builder.url, "https://example.com/devices");
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_the_key() {
    for (table, words) in [
        (json!({ "url": "http://a", "upgarde": true }), &["upgarde", "upgrade"][..]),
        (json!({ "upgrade": true }), &["url"]),
        (json!({ "url": "http://a", "upgrade": "yes" }), &["upgrade", "yes"]),
        (json!({ "url": "http://a", "ack_timeout": "soon" }), &["ack_timeout", "soon", "5s"]),
        (json!({ "url": "http://a", "ack_timeout": -1 }), &["ack_timeout", "-1"]),
        (json!({ "url": "http://a", "reconnection_delay": "none" }), &["reconnection_delay"]),
        (json!({ "url": "http://a", "retries": 0.5 }), &["retries", "0.5"]),
        (json!({ "url": "http://a", "local_address": "here" }), &["local_address", "here"]),
        (json!({ "url": "http://a", "transports": ["tcp"] }), &["transports", "tcp", "polling"]),
        (json!({ "url": "http://a", "limits": { "max": 1 } }), &["limits", "max", "max_message"]),
        (json!({ "url": "http://a", "proxy": "gopher://a" }), &["proxy"]),
        (json!({ "url": "http://a", "proxy": "a:1", "no_proxy": true }), &["proxy", "exclude"]),
    ] {
        let Err(error) = serde_json::from_value::<Builder>(table.clone()) else {
            panic!("{table} was read");
        };
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{table}: {text}");
    }
    let twice = r#"{"url": "http://a", "upgrade": true, "upgrade": false}"#;
    let error = serde_json::from_str::<Builder>(twice).err().unwrap().to_string();
    assert!(error.contains("upgrade is there twice"), "{error}");
    // What is read is looked at when it is built, as ever.
    let zero = configured("http://a.example", &[("ack_timeout", &json!(0))]);
    assert!(zero.build().unwrap_err().message().contains("ack_timeout"));
}

#[test]
fn a_builder_can_be_used_again() {
    let builder = Builder::new("http://again.example/one").auto_connect(false).path("/x");
    let (one, other) = (builder.clone().build().unwrap(), builder.build().unwrap());
    // The same namespace twice is a connection each.
    assert!(!share(&one, &other) && one.namespace() == other.namespace());
}

#[test]
fn an_error_shows_nothing_that_may_be_secret() {
    for config in [
        json!({ "tls": { "passphrase": 123_456_789 } }),
        json!({ "tls": { "client_cert_pem": ["chain", 123_456_789] } }),
        json!({ "extra_header": { "authorization": 123_456_789 } }),
        json!({ "transport_header": { "polling": { "authorization": 123_456_789 } } }),
        json!({ "query": { "token": 123_456_789 } }),
    ] {
        let mut config = config;
        config["url"] = json!("http://a.example");
        let error = serde_json::from_value::<Builder>(config).unwrap_err().to_string();
        assert!(error.contains("expected a text") && !error.contains("123456789"), "{error}");
    }
}
