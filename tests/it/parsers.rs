//! Every parser, with servers that have it.

use std::time::Duration;

use serde_json::{Value, json};
use siot::{
    Binary, Builder, DisconnectReason, EngineEvent, ErrorKind, ParserKind, Socket, Status,
    Subscription, Transport,
};

use crate::support::logged::{capture_log, logged};
use crate::support::{LIMIT, Server, alone, eventually, recv_within};

/// Each parser, with its name for the server.
const PARSERS: &[(ParserKind, Option<&str>)] = &[
    (ParserKind::Json, None),
    (ParserKind::PlainJson, Some("json")),
    #[cfg(feature = "msgpack")]
    (ParserKind::MessagePack, Some("msgpack")),
];

/// The ways to a server; the last one is the upgrade.
#[cfg(feature = "polling")]
const WAYS: &[&[Transport]] =
    &[&[Transport::WebSocket], &[Transport::Polling], &[Transport::Polling, Transport::WebSocket]];
#[cfg(not(feature = "polling"))]
const WAYS: &[&[Transport]] = &[&[Transport::WebSocket]];

/// A server with a parser, and the way to it.
#[derive(Clone, Copy)]
struct Case<'a> {
    server: &'a Server,
    version: u32,
    parser: ParserKind,
    way: &'a [Transport],
}

/// Calls a test with each server that can have a parser of its own, and with each of these parsers.
fn with_each_server(test: impl Fn(Case<'_>)) {
    for (parser, name) in PARSERS {
        for version in [4, 3, 2] {
            let server = Server::start(json!({ "version": version, "parser": name }));
            test(Case { server: &server, version, parser: *parser, way: WAYS[0] });
        }
    }
}

/// Does so over each transport, too.
fn with_each_way(test: impl Fn(Case<'_>)) {
    with_each_server(|case| WAYS.iter().for_each(|way| test(Case { way, ..case })));
}

impl Case<'_> {
    fn builder(&self, namespace: &str) -> Builder {
        Builder::new(format!("{}{namespace}", self.server.url()))
            .force_new(true)
            .transports(self.way.iter().copied())
            .parser(self.parser)
            .reconnection_delay(Duration::from_millis(20))
            .reconnection_delay_max(Duration::from_millis(50))
    }

    /// Connects, and waits for the upgrade where there is to be one.
    #[track_caller]
    fn connect(&self, builder: Builder) -> (Socket, Subscription<Status>) {
        let socket = builder.auto_connect(false).build().unwrap();
        let statuses = socket.status();
        socket.connect();
        self.expect_connected(&statuses);
        self.await_transport(&socket);
        (socket, statuses)
    }

    #[track_caller]
    fn await_transport(&self, socket: &Socket) {
        let goal = self.way.last().copied();
        eventually(LIMIT, "the transport", || socket.manager().transport() == goal);
    }

    #[track_caller]
    fn expect_connected(&self, statuses: &Subscription<Status>) -> bool {
        match next(statuses) {
            Status::Connected { recovered, .. } => recovered,
            other => panic!("{self:?}: {other:?}"),
        }
    }

    #[track_caller]
    fn expect_disconnected(&self, statuses: &Subscription<Status>) -> DisconnectReason {
        match next(statuses) {
            Status::Disconnected { reason, .. } => reason,
            other => panic!("{self:?}: {other:?}"),
        }
    }
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {} over {:?}", self.parser, self.version, self.way)
    }
}

/// The next status that is no attempt in vain.
#[track_caller]
fn next(statuses: &Subscription<Status>) -> Status {
    loop {
        match recv_within(statuses.receiver(), LIMIT) {
            Status::ConnectError(error) if error.kind() != ErrorKind::Refused => {}
            status => return status,
        }
    }
}

#[track_caller]
fn ask<T: serde::de::DeserializeOwned>(
    socket: &Socket,
    event: &str,
    args: impl serde::Serialize,
) -> T {
    socket.timeout(LIMIT).emit_with_ack(event, args).unwrap().wait().unwrap()
}

#[test]
fn events_and_answers_go_both_ways_with_each_parser() {
    with_each_way(|case| {
        let (socket, _) = case.connect(case.builder("/"));
        assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{case:?}");
        let text = "€😀é\u{10FFFF}\u{1e}\n\"";
        let nested = json!({ "a": [null, 1.5, -70000, true], "": {}, "type": "Buffer" });
        let back: (String, Value, Option<u8>) = ask(&socket, "echo", (text, &nested, None::<u8>));
        assert_eq!(back, (text.to_owned(), nested.clone(), None), "{case:?}");
        let echoes = socket.subscribe("echo");
        socket.emit("echo", ("", text, &nested)).unwrap();
        let echo = recv_within(echoes.receiver(), LIMIT);
        let back: (String, String, Value) = echo.args().unwrap();
        assert_eq!(back, (String::new(), text.to_owned(), nested), "{case:?}");
        let many: (String, u32, Value, Vec<u32>, Option<u8>, bool) = ask(&socket, "ack-many", ());
        assert_eq!(many, ("one".into(), 2, json!({ "three": 3 }), vec![4], None, true));
        ask::<()>(&socket, "ack-none", ());
        let (questions, answers) = (socket.subscribe("question"), socket.subscribe("answered"));
        socket.emit("ask-me", "who").unwrap();
        let question = recv_within(questions.receiver(), LIMIT);
        assert_eq!(question.args::<String>().unwrap(), "who");
        question.ack(("me", json!([1, { "a": null }]))).unwrap();
        let answer: (String, Value) = recv_within(answers.receiver(), LIMIT).args().unwrap();
        assert_eq!(answer, ("me".into(), json!([1, { "a": null }])), "{case:?}");
        let floods = socket.subscribe("flood");
        socket.emit("flood", (50, 100)).unwrap();
        for n in 0..50 {
            let event = recv_within(floods.receiver(), LIMIT);
            assert_eq!(event.args::<(u32, String)>().unwrap().0, n, "{case:?}");
        }
    });
}

/// Binary inside of other data.
#[derive(serde::Deserialize)]
struct Deep {
    deep: (Binary, String),
}

#[test]
fn binary_goes_both_ways_with_each_parser() {
    with_each_way(|case| {
        let (socket, _) = case.connect(case.builder("/"));
        let all: Binary = (0..=255).collect();
        let back: (Binary, String, Vec<Binary>) =
            ask(&socket, "echo", (&all, "é", vec![Binary::default(), all.clone()]));
        assert_eq!(back, (all.clone(), "é".into(), vec![Binary::default(), all]), "{case:?}");
        let (first, deep, none): (Binary, Deep, Binary) = ask(&socket, "with-binary-ack", ());
        assert_eq!((&first[..], none.len()), (&[1, 2, 3][..], 0), "{case:?}");
        assert_eq!((&deep.deep.0[..], &*deep.deep.1), (&[4][..], "text"));
        let (questions, answers) = (socket.subscribe("question"), socket.subscribe("answered"));
        socket.emit("ask-me", Binary::from([1])).unwrap();
        let question = recv_within(questions.receiver(), LIMIT);
        assert_eq!(question.args::<Binary>().unwrap(), [1]);
        question.ack(Binary::from([0, 255])).unwrap();
        let answer: Binary = recv_within(answers.receiver(), LIMIT).args().unwrap();
        assert_eq!(answer, [0, 255], "{case:?}");
        let floods = socket.subscribe("bflood");
        socket.emit("bflood", (20, 100)).unwrap();
        for n in 0..20 {
            let event = recv_within(floods.receiver(), LIMIT);
            let (number, bytes): (u32, Binary) = event.args().unwrap();
            assert_eq!((number, bytes.len()), (n, 100), "{case:?}");
        }
    });
}

#[test]
fn a_server_with_plain_json_sees_buffers_as_javascript_shows_them() {
    let server = Server::start(json!({ "parser": "json" }));
    let case = Case { server: &server, version: 4, parser: ParserKind::PlainJson, way: WAYS[0] };
    let (socket, _) = case.connect(case.builder("/"));
    let back: siot::Value = ask(&socket, "echo", Binary::from([0, 255]));
    let shown = json!({ "type": "Buffer", "data": [0, 255] });
    assert_eq!(server.entries("events")[0]["args"][0], shown);
    assert_eq!(back, siot::Value::from(shown));
}

#[test]
fn binary_that_becomes_too_large_as_plain_json_is_refused_by_emit() {
    let options = json!({ "maxHttpBufferSize": 1000 });
    let server = Server::start(json!({ "parser": "json", "options": options }));
    let case = Case { server: &server, version: 4, parser: ParserKind::PlainJson, way: WAYS[0] };
    let (socket, _) = case.connect(case.builder("/"));
    let error = socket.emit("echo", Binary::from(vec![255; 300])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(ask::<Binary>(&socket, "echo", Binary::from(vec![255; 200])), vec![255; 200]);
}

#[test]
fn namespaces_and_credentials_go_with_each_parser() {
    with_each_way(|case| {
        let auth = json!({ "token": "123", "more": "€,&" });
        let (socket, _) = case.connect(case.builder("/token").auth(auth));
        let facts: Value = ask(&socket, "handshake", ());
        let place = if facts["auth"].is_null() { "query" } else { "auth" };
        assert_eq!(facts[place]["more"], "€,&", "{case:?}");
        // Servers 2.x take names for URLs.
        let count = if case.version == 2 { 3 } else { 5 };
        let names = ["/", "/admin", "/orders", "/with space", "/ünïcode"];
        let others: Vec<_> =
            names[..count].iter().map(|name| socket.manager().socket(name).unwrap()).collect();
        for other in &others {
            other.wait_connected(LIMIT).unwrap();
            assert_eq!(ask::<Value>(other, "whoami", ())["nsp"], other.namespace(), "{case:?}");
        }
        assert_eq!(ask::<u32>(&socket, "sum", (2, 3)), 5);
        socket.manager().close(LIMIT);
        eventually(LIMIT, "the session's end", || case.server.sessions() == 0);
    });
}

#[test]
fn a_refusal_comes_with_each_parser() {
    with_each_server(|case| {
        // For servers 2.x these parsers have text alone for a refusal.
        let is_text = case.version == 2 && case.parser != ParserKind::Json;
        let namespace = if is_text { "/refused-plain" } else { "/forbidden" };
        let socket = case.builder(namespace).auto_connect(false).build().unwrap();
        let statuses = socket.status();
        socket.connect();
        let status = next(&statuses);
        let Status::ConnectError(error) = status else { panic!("{case:?}: {status:?}") };
        if is_text {
            assert_eq!(error.message(), "no reason attached");
        } else {
            assert!(error.data().unwrap().contains("403"), "{case:?}");
        }
    });
}

#[test]
fn memberships_end_and_begin_again_with_each_parser() {
    with_each_way(|case| {
        let (socket, statuses) = case.connect(case.builder("/admin"));
        // Another one keeps the connection.
        let root = socket.manager().socket("/").unwrap();
        let roots = root.status();
        case.expect_connected(&roots);
        socket.disconnect();
        assert_eq!(case.expect_disconnected(&statuses), DisconnectReason::IoClientDisconnect);
        eventually(LIMIT, "the server's word of it", || {
            case.server.cmd("sessions")["sockets"]["/admin"].is_null()
        });
        socket.connect();
        case.expect_connected(&statuses);
        socket.emit("kick", ()).unwrap();
        assert_eq!(case.expect_disconnected(&statuses), DisconnectReason::IoServerDisconnect);
        socket.connect();
        case.expect_connected(&statuses);
        assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{case:?}");
        // The server comes back, and so do the memberships.
        case.server.restart();
        for statuses in [&statuses, &roots] {
            case.expect_disconnected(statuses);
            case.expect_connected(statuses);
        }
        case.await_transport(&socket);
        assert_eq!(ask::<u32>(&root, "sum", (4, 4)), 8, "{case:?}");
        assert_eq!(ask::<Binary>(&socket, "echo", Binary::from([7])), [7], "{case:?}");
        socket.manager().close(LIMIT);
    });
}

#[test]
fn a_session_is_recovered_with_each_parser() {
    for (parser, name) in PARSERS {
        let server = Server::start(json!({
            "parser": name,
            "options": { "connectionStateRecovery": {} },
        }));
        let case = Case { server: &server, version: 4, parser: *parser, way: WAYS[0] };
        let (socket, statuses) = case.connect(case.builder("/"));
        let events = socket.subscribe("news");
        socket.emit("send-me", ("news", "text")).unwrap();
        recv_within(events.receiver(), LIMIT);
        socket.emit("destroy", ()).unwrap();
        case.expect_disconnected(&statuses);
        assert!(case.expect_connected(&statuses), "{case:?}: not recovered");
    }
}

/// Whether a packet that is about to be written has a word in it.
fn holds(event: &EngineEvent, word: &str) -> bool {
    let EngineEvent::PacketCreate(packet) = event else { return false };
    let bytes = packet.binary().unwrap_or_else(|| packet.text().unwrap_or_default().as_bytes());
    bytes.windows(word.len()).any(|part| part == word.as_bytes())
}

#[test]
fn credentials_and_names_of_sessions_are_in_no_log_whatever_the_parser() {
    const SECRET: &str = "s3cr3t";
    alone(|| {
        capture_log(log::LevelFilter::Trace);
        for (version, (parser, name)) in
            [4, 3, 2].into_iter().flat_map(|version| PARSERS.iter().map(move |p| (version, p)))
        {
            let mut config = json!({ "version": version, "parser": name });
            if version == 4 {
                config["options"] = json!({ "connectionStateRecovery": {} });
            }
            let server = Server::start(config);
            for way in WAYS {
                let case = Case { server: &server, version, parser: *parser, way };
                let builder = case.builder("/orders").auth(json!({ "token": SECRET }));
                let (socket, statuses) = case.connect(builder);
                let packets = socket.manager().engine_events();
                let events = socket.subscribe("news");
                for _ in 0..2 {
                    socket.emit("send-me", ("news", "text")).unwrap();
                    recv_within(events.receiver(), LIMIT);
                    case.await_transport(&socket);
                    socket.manager().close_engine();
                    case.expect_disconnected(&statuses);
                    assert_eq!(case.expect_connected(&statuses), version == 4, "{case:?}");
                }
                let packets: Vec<_> = packets.try_iter().collect();
                let sent = |secret| packets.iter().any(|event| holds(event, secret));
                assert!(sent(SECRET) && sent("pid") == (version == 4), "{case:?}");
                let shown: Vec<_> = packets.iter().map(|event| format!("{event:?}")).collect();
                // Other libraries show at this level whatever passes through them.
                let logged: Vec<_> =
                    logged().into_iter().filter(|line| line.contains(" siot::")).collect();
                for (what, lines) in [("shown", shown), ("logged", logged)] {
                    let lines = lines.join("\n");
                    for part in ["0/orders,", r#"2/orders,[\"send-me\",\"news\",\"text\"]"#, "Open"]
                    {
                        assert!(lines.contains(part), "{what}, {case:?}: {lines}");
                    }
                    for secret in [SECRET, "pid"] {
                        assert!(!lines.contains(secret), "{what}, {case:?}: {lines}");
                    }
                }
                socket.manager().close(LIMIT);
            }
        }
    });
}

#[test]
fn a_broken_packet_is_a_parse_error_with_each_parser() {
    for (parser, name) in PARSERS {
        let server = Server::start(json!({ "parser": name }));
        let case = Case { server: &server, version: 4, parser: *parser, way: WAYS[0] };
        let (socket, statuses) = case.connect(case.builder("/"));
        // It is no packet of any parser.
        for text in ["", "nonsense", "{\"type\":2", "{\"type\":2,\"nsp\":\"/\",\"data\":{}}"] {
            socket.emit("raw", text).unwrap();
            assert_eq!(case.expect_disconnected(&statuses), DisconnectReason::ParseError);
            case.expect_connected(&statuses);
        }
        assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{case:?}");
    }
}

#[test]
fn a_server_with_another_parser_lets_nobody_in() {
    for (_, name) in PARSERS {
        let server = Server::start(json!({ "parser": name }));
        for (parser, _) in PARSERS.iter().filter(|(_, other)| other != name) {
            let case = Case { server: &server, version: 4, parser: *parser, way: WAYS[0] };
            let builder = case.builder("/").namespace_timeout(Duration::from_secs(5));
            let socket = builder.auto_connect(false).build().unwrap();
            let statuses = socket.status();
            socket.connect();
            let status = recv_within(statuses.receiver(), LIMIT);
            assert!(!matches!(status, Status::Connected { .. }), "{case:?}: {status:?}");
            socket.manager().close(LIMIT);
        }
    }
}
