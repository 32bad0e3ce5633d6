//! Options that cannot work, all of them.

use std::time::Duration;

use super::*;
use crate::error::{Error, ErrorKind};

type Setter = fn(Builder) -> Builder;
type Later = fn(Update) -> Update;

const ZERO: Duration = Duration::ZERO;

/// Options that an [`Update`] cannot change, and a word of what is said about them.
const FIXED: [(Setter, &str); 40] = [
    (|b| b.timestamp_param("ts").query("ts", "x"), "\"ts\" is the timestamp's"),
    (|b| b.timestamp_param(""), "the timestamp"),
    (|b| b.timestamp_param("sid"), "the timestamp"),
    (|b| b.transport_header(Transport::WebSocket, "X-A", "\0"), "X-A"),
    (|b| b.subprotocols(["a b"]), "a b"),
    (|b| b.subprotocols([""]), "subprotocol"),
    (|b| b.subprotocols(["ok", "a,b"]), "a,b"),
    (|b| b.path("/a?b=c"), "path"),
    (|b| b.path("/a b"), "path"),
    (|b| b.path("/a\r\nb"), "path"),
    (|b| b.max_packets_per_post(0), "max_packets_per_post"),
    (|b| b.flight_recorder(65_537), "flight_recorder"),
    (|b| b.namespace_timeout(ZERO), "namespace_timeout"),
    (|b| b.spread_first_attempt(true), "reconnection_spread"),
    (|b| b.ack_timeout(ZERO), "ack_timeout"),
    (|b| b.limits(Limits::new().max_message(0)), "max_message"),
    (|b| b.limits(Limits::new().send_events(0)), "send_events"),
    (|b| b.limits(Limits::new().send_bytes(0)), "send_bytes"),
    (|b| b.limits(Limits::new().receive_events(0)), "receive_events"),
    (|b| b.limits(Limits::new().receive_bytes(0)), "receive_bytes"),
    (|b| b.limits(Limits::new().stack_size(1000)), "stack_size"),
    (|b| b.timeouts(Timeouts::new().dns(ZERO)), "Timeouts::dns"),
    (|b| b.timeouts(Timeouts::new().tcp(ZERO)), "Timeouts::tcp"),
    (|b| b.timeouts(Timeouts::new().proxy(ZERO)), "Timeouts::proxy"),
    (|b| b.timeouts(Timeouts::new().tls(ZERO)), "Timeouts::tls"),
    (|b| b.timeouts(Timeouts::new().http(ZERO)), "Timeouts::http"),
    (|b| b.tls(Tls::new().server_name("")), "server_name"),
    (|b| b.tls(Tls::new().built_in_roots(false)), "authority"),
    (|b| b.proxy(Proxy::http("", 3128)), "proxy"),
    (|b| b.proxy(Proxy::http("a b", 3128)), "proxy"),
    (|b| b.proxy(Proxy::socks5("proxy", 0)), "proxy"),
    (|b| b.proxy(Proxy::http("proxy", 1).credentials("a:b", "")), "colon"),
    (|b| b.proxy(Proxy::socks5("proxy", 1).credentials("a", "b".repeat(256))), "255 bytes"),
    (|b| b.interface(""), "interface"),
    (|b| b.interface("a/b"), "interface"),
    (|b| b.interface("sixteen-letters-"), "interface"),
    (|b| b.keepalive(ZERO), "keepalive"),
    (|b| b.keepalive(Duration::MAX), "keepalive"),
    (|b| b.tcp_user_timeout(Duration::from_millis(999)), "tcp_user_timeout"),
    (|b| b.tcp_user_timeout(Duration::MAX), "tcp_user_timeout"),
];

/// The same of options that an update can change, by both ways.
const CHANGING: [(Setter, Later, &str); 17] = [
    (|b| b.transports([]), |u| u.transports([]), "no transport"),
    (
        |b| b.transports([Transport::WebSocket, Transport::WebSocket]),
        |u| u.transports([Transport::WebSocket, Transport::WebSocket]),
        "twice",
    ),
    (|b| b.query("EIO", "3"), |u| u.query("EIO", "3"), "EIO"),
    (|b| b.query("transport", "x"), |u| u.query("transport", "x"), "transport"),
    (|b| b.query("sid", "x"), |u| u.query("sid", "x"), "sid"),
    (|b| b.query("t", "x"), |u| u.query("t", "x"), "timestamp"),
    (|b| b.extra_header("X-A", "a\r\nX-B: b"), |u| u.extra_header("X-A", "a\r\nX-B: b"), "X-A"),
    (|b| b.extra_header("X A", "a"), |u| u.extra_header("X A", "a"), "X A"),
    (|b| b.extra_header("", "a"), |u| u.extra_header("", "a"), "header"),
    (|b| b.extra_header("Upgrade", "a"), |u| u.extra_header("Upgrade", "a"), "Upgrade"),
    (|b| b.reconnection_delay(ZERO), |u| u.reconnection_delay(ZERO), "delay"),
    (|b| b.reconnection_delay_max(ZERO), |u| u.reconnection_delay_max(ZERO), "delay"),
    (|b| b.reconnection_spread(ZERO), |u| u.reconnection_spread(ZERO), "spread"),
    (
        |b| b.reconnection_reset_after(ZERO),
        |u| u.reconnection_reset_after(ZERO),
        "reconnection_reset_after",
    ),
    (|b| b.randomization_factor(1.5), |u| u.randomization_factor(1.5), "randomization_factor"),
    (
        |b| b.randomization_factor(f64::NAN),
        |u| u.randomization_factor(f64::NAN),
        "randomization_factor",
    ),
    (|b| b.connect_timeout(ZERO), |u| u.connect_timeout(ZERO), "connect_timeout"),
];

fn builder() -> Builder {
    Builder::new("http://localhost:1/builder").auto_connect(false)
}

fn assert_refused(error: &Error, word: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{word}: {error}");
    assert!(error.message().contains(word), "{word}: {error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_value_that_cannot_work_is_refused_by_every_way_to_use_it() {
    let both = CHANGING.map(|(change, _, word)| (change, word));
    for (change, word) in FIXED.into_iter().chain(both) {
        let outcomes = [
            change(builder()).build().map(drop),
            change(builder()).force_new(true).build().map(drop),
            change(builder()).manager().map(drop),
        ];
        for outcome in outcomes {
            assert_refused(&outcome.expect_err(word), word);
        }
    }
    let manager = builder().manager().unwrap();
    for (_, change, word) in CHANGING {
        assert_refused(&manager.update(change(Update::new())).expect_err(word), word);
    }
}

#[test]
fn a_connection_that_there_is_already_makes_no_bad_option_better() {
    let _shared = builder().build().unwrap();
    for (change, word) in FIXED {
        let other = Builder::new("http://localhost:1/other").auto_connect(false);
        assert_refused(&change(other).build().expect_err(word), word);
    }
}

#[test]
fn a_builder_and_an_update_set_the_same_options() {
    let second = Duration::from_secs(1);
    let built = builder()
        .transports([Transport::WebSocket])
        .upgrade(false)
        .reconnection(false)
        .reconnection_attempts(3)
        .reconnection_delay(second)
        .reconnection_delay_max(2 * second)
        .randomization_factor(0.25)
        .reconnection_spread(4 * second)
        .reconnection_reset_after(5 * second)
        .connect_timeout(3 * second);
    let update = Update::new()
        .transports([Transport::WebSocket])
        .upgrade(false)
        .reconnection(false)
        .reconnection_attempts(3)
        .reconnection_delay(second)
        .reconnection_delay_max(2 * second)
        .randomization_factor(0.25)
        .reconnection_spread(4 * second)
        .reconnection_reset_after(5 * second)
        .connect_timeout(3 * second);
    let mut updated = ManagerOptions::default();
    update.change_options(&mut updated);
    assert_eq!(format!("{:?}", built.manager_options()), format!("{updated:?}"));
    assert_ne!(format!("{:?}", ManagerOptions::default()), format!("{updated:?}"));
}

#[test]
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn a_server_name_that_is_none_is_an_error_of_build() {
    for url in ["http://localhost:1", "https://localhost:1"] {
        let tls = Tls::new().server_name("exa mple");
        let error = Builder::new(url).auto_connect(false).tls(tls).build().unwrap_err();
        assert_refused(&error, "exa mple");
    }
}

#[test]
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn certificates_that_are_not_there_are_an_error_of_build() {
    let tls = Tls::new().ca_file("/nowhere/ca.pem");
    assert_refused(&builder().force_new(true).tls(tls).build().unwrap_err(), "/nowhere/ca.pem");
}
