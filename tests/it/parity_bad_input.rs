//! What cannot work is refused where it is said, and not when it is too late.

use std::time::Duration;

use siot::{Builder, ErrorKind, Limits, Manager, SocketOptions, Transport, Update};

type Change = fn(Builder) -> Builder;

const ZERO: Duration = Duration::ZERO;

fn builder() -> Builder {
    Builder::new("http://localhost:1").auto_connect(false)
}

fn manager() -> Manager {
    builder().manager().unwrap()
}

/// Options, and a word of what is said about them.
const BAD_OPTIONS: [(Change, &str); 30] = [
    (|b| b.transports([]), "no transport"),
    (|b| b.transports([Transport::WebSocket, Transport::WebSocket]), "twice"),
    (|b| b.query("EIO", "3"), "EIO"),
    (|b| b.query("transport", "polling"), "transport"),
    (|b| b.query("sid", "x"), "sid"),
    (|b| b.query("t", "x"), "timestamp"),
    (|b| b.timestamp_param("ts").query("ts", "x"), "timestamp"),
    (|b| b.timestamp_param(""), "timestamp"),
    (|b| b.timestamp_param("sid"), "timestamp"),
    (|b| b.extra_header("X-A", "a\r\nX-B: b"), "X-A"),
    (|b| b.extra_header("X A", "a"), "X A"),
    (|b| b.extra_header("", "a"), "header"),
    (|b| b.extra_header("Content-Length", "7"), "transport"),
    (|b| b.extra_header("connection", "close"), "transport"),
    (|b| b.transport_header(Transport::WebSocket, "X-A", "\0"), "X-A"),
    (|b| b.subprotocols(["a b"]), "a b"),
    (|b| b.subprotocols([""]), "subprotocol"),
    (|b| b.subprotocols(["ok", "a,b"]), "a,b"),
    (|b| b.path("/a?b=c"), "path"),
    (|b| b.path("/a b"), "path"),
    (|b| b.path("/a#b"), "path"),
    (|b| b.path("/ä"), "path"),
    (|b| b.path("/a\r\nb"), "path"),
    (|b| b.randomization_factor(1.5), "randomization_factor"),
    (|b| b.randomization_factor(f64::NAN), "randomization_factor"),
    (|b| b.reconnection_delay(ZERO), "delay"),
    (|b| b.connect_timeout(ZERO), "connect_timeout"),
    (|b| b.namespace_timeout(ZERO), "namespace_timeout"),
    (|b| b.ack_timeout(ZERO), "ack_timeout"),
    (|b| b.limits(Limits::new().send_events(0)), "send_events"),
];

#[test]
fn bad_options_are_refused_by_every_way_to_build() {
    // A connection that there is already makes a bad option no better.
    let _shared = builder().build().unwrap();
    for (change, word) in BAD_OPTIONS {
        let outcomes = [
            change(builder()).build().map(drop),
            change(builder()).force_new(true).build().map(drop),
            change(Builder::new("http://localhost:1/x").auto_connect(false)).build().map(drop),
            change(builder()).manager().map(drop),
        ];
        for outcome in outcomes {
            let error = outcome.expect_err(word);
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{word}: {error}");
            assert!(error.message().contains(word), "{word}: {error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn bad_urls_are_refused() {
    for (url, word) in [
        ("localhost:3000", "scheme"),
        ("", "scheme"),
        ("ftp://localhost", "http"),
        ("http://", "host"),
        ("http://user:password@localhost", "user name"),
        ("http://localhost:0", "port"),
        ("http://localhost:99999", "port"),
        ("http://localhost/a,b", "comma"),
        ("http://localhost/a\r\nHost: x", "control"),
        ("http://localhost/socket.io/?EIO=4&transport=websocket", "EIO"),
        ("http://localhost?sid=secret", "sid"),
        ("http://localhost?t=1", "timestamp"),
    ] {
        for outcome in [siot::io(url).map(drop), Builder::new(url).manager().map(drop)] {
            let error = outcome.expect_err(url);
            assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{url}: {error}");
            assert!(error.message().contains(word), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[test]
fn a_parameter_named_t_is_fine_where_there_is_no_timestamp() {
    builder().timestamp_requests(false).query("t", "1").build().unwrap();
    builder().timestamp_param("stamp").query("t", "1").build().unwrap();
}

#[test]
fn bad_namespaces_are_refused_and_a_missing_slash_is_added() {
    let manager = manager();
    for name in ["a,b", "/a,b", ",", "/a\nb", "\0"] {
        let error = manager.socket(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{name:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for (name, full) in [("", "/"), ("/", "/"), ("a", "/a"), ("/a", "/a"), ("//a", "//a")] {
        let options = SocketOptions::new().auto_connect(false);
        assert_eq!(manager.socket_with(name, options).unwrap().namespace(), full);
    }
}

#[test]
fn bad_options_of_a_socket_are_refused() {
    let manager = manager();
    for error in [
        manager.socket_with("/", SocketOptions::new().auth(7)).unwrap_err(),
        manager.socket_with("/", SocketOptions::new().auth("text")).unwrap_err(),
        builder().auth([1, 2]).build().unwrap_err(),
        builder().auth(siot::Binary::default()).manager().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
    }
    let limit = manager.socket_with("/", SocketOptions::new().ack_timeout(ZERO)).unwrap_err();
    assert_eq!(limit.kind(), ErrorKind::InvalidOption);
    let socket = manager.socket_with("/", SocketOptions::new().auto_connect(false)).unwrap();
    assert_eq!(socket.set_auth("text").unwrap_err().kind(), ErrorKind::Payload);
}

#[test]
fn a_bad_update_changes_nothing() {
    let manager = manager();
    let delay = manager.reconnection_delay();
    let change = || Update::new().reconnection_delay(delay * 2);
    for bad in [
        change().transports([]),
        change().query("EIO", "3"),
        change().query("t", "3"),
        change().extra_header("a b", "c"),
        change().extra_header("a", "b\r\n"),
        change().reconnection_delay_max(ZERO),
        change().randomization_factor(-0.1),
        change().connect_timeout(Some(ZERO)),
    ] {
        assert_eq!(manager.update(bad).unwrap_err().kind(), ErrorKind::InvalidOption);
    }
    assert_eq!(manager.reconnection_delay(), delay);
}
