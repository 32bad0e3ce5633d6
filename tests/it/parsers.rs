//! Every parser, with servers that have it.

use std::time::Duration;

use serde_json::{Value, json};
use siot::{Binary, Builder, DisconnectReason, EngineEvent, ErrorKind, ParserKind, Status};

use crate::support::logged::{capture_log, logged};
use crate::support::server::PARSERS;
use crate::support::{
    CaseName, Client, DeepBinary, LIMIT, Server, Via, alone, ask, eventually, recv_within,
};

/// A server with a parser, and the way to it.
#[derive(Clone, Copy)]
struct Case<'a> {
    server: &'a Server,
    version: u32,
    parser: ParserKind,
    via: Via,
}

/// Calls a test with each server that can have a parser of its own, and with each of these parsers.
fn with_each_server(test: impl Fn(Case<'_>)) {
    for (parser, name) in PARSERS {
        for version in [4, 3, 2] {
            let server = Server::start(json!({ "version": version, "parser": name }));
            let case = Case { server: &server, version, parser: *parser, via: Via::WebSocket };
            let _name = CaseName::new(case);
            test(case);
        }
    }
}

/// Does so over each transport, too.
fn with_each_way(test: impl Fn(Case<'_>)) {
    with_each_server(|case| {
        for &via in Via::ALL {
            let case = Case { via, ..case };
            let _name = CaseName::new(case);
            test(case);
        }
    });
}

impl Case<'_> {
    fn builder(&self, namespace: &str) -> Builder {
        self.via.builder(format!("{}{namespace}", self.server.url())).parser(self.parser)
    }

    /// Connects, and waits for the upgrade where there is to be one.
    #[track_caller]
    fn connect(&self, builder: Builder) -> Client {
        let client = Client::start(builder);
        client.admitted();
        self.await_transport(&client);
        client
    }

    #[track_caller]
    fn await_transport(&self, client: &Client) {
        let goal = Some(self.via.transport());
        eventually(LIMIT, "the transport", || client.manager().transport() == goal);
    }
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {} over {:?}", self.parser, self.version, self.via)
    }
}

#[test]
fn events_and_answers_go_both_ways_with_each_parser() {
    with_each_way(|case| {
        let client = case.connect(case.builder("/"));
        assert_eq!(client.ask::<u32>("sum", (1, 2)), 3, "{case:?}");
        let text = "€😀é\u{10FFFF}\u{1e}\n\"";
        let nested = json!({ "a": [null, 1.5, -70000, true], "": {}, "type": "Buffer" });
        let back: (String, Value, Option<u8>) = client.ask("echo", (text, &nested, None::<u8>));
        assert_eq!(back, (text.to_owned(), nested.clone(), None), "{case:?}");
        let echoes = client.subscribe("echo");
        client.emit("echo", ("", text, &nested)).unwrap();
        let echo = recv_within(echoes.receiver(), LIMIT);
        let back: (String, String, Value) = echo.args().unwrap();
        assert_eq!(back, (String::new(), text.to_owned(), nested), "{case:?}");
        let many: (String, u32, Value, Vec<u32>, Option<u8>, bool) = client.ask("ack-many", ());
        assert_eq!(many, ("one".into(), 2, json!({ "three": 3 }), vec![4], None, true));
        client.ask::<()>("ack-none", ());
        let (questions, answers) = (client.subscribe("question"), client.subscribe("answered"));
        client.emit("ask-me", "who").unwrap();
        let question = recv_within(questions.receiver(), LIMIT);
        assert_eq!(question.args::<String>().unwrap(), "who");
        question.ack(("me", json!([1, { "a": null }]))).unwrap();
        let answer: (String, Value) = recv_within(answers.receiver(), LIMIT).args().unwrap();
        assert_eq!(answer, ("me".into(), json!([1, { "a": null }])), "{case:?}");
        let floods = client.subscribe("flood");
        client.emit("flood", (50, 100)).unwrap();
        for n in 0..50 {
            let event = recv_within(floods.receiver(), LIMIT);
            assert_eq!(event.args::<(u32, String)>().unwrap().0, n, "{case:?}");
        }
    });
}

#[test]
fn binary_goes_both_ways_with_each_parser() {
    with_each_way(|case| {
        let client = case.connect(case.builder("/"));
        let all: Binary = (0..=255).collect();
        let back: (Binary, String, Vec<Binary>) =
            client.ask("echo", (&all, "é", vec![Binary::default(), all.clone()]));
        assert_eq!(back, (all.clone(), "é".into(), vec![Binary::default(), all]), "{case:?}");
        let (first, deep, none): (Binary, DeepBinary, Binary) = client.ask("with-binary-ack", ());
        assert_eq!((&first[..], none.len()), (&[1, 2, 3][..], 0), "{case:?}");
        assert_eq!((&deep.deep.0[..], &*deep.deep.1), (&[4][..], "text"));
        let (questions, answers) = (client.subscribe("question"), client.subscribe("answered"));
        client.emit("ask-me", Binary::from([1])).unwrap();
        let question = recv_within(questions.receiver(), LIMIT);
        assert_eq!(question.args::<Binary>().unwrap(), [1]);
        question.ack(Binary::from([0, 255])).unwrap();
        let answer: Binary = recv_within(answers.receiver(), LIMIT).args().unwrap();
        assert_eq!(answer, [0, 255], "{case:?}");
        let floods = client.subscribe("bflood");
        client.emit("bflood", (20, 100)).unwrap();
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
    let case =
        Case { server: &server, version: 4, parser: ParserKind::PlainJson, via: Via::WebSocket };
    let client = case.connect(case.builder("/"));
    let back: siot::Value = client.ask("echo", Binary::from([0, 255]));
    let shown = json!({ "type": "Buffer", "data": [0, 255] });
    assert_eq!(server.entries("events")[0]["args"][0], shown);
    assert_eq!(back, siot::Value::from(shown));
}

#[test]
fn binary_that_becomes_too_large_as_plain_json_is_refused_by_emit() {
    let options = json!({ "maxHttpBufferSize": 1000 });
    let server = Server::start(json!({ "parser": "json", "options": options }));
    let case =
        Case { server: &server, version: 4, parser: ParserKind::PlainJson, via: Via::WebSocket };
    let client = case.connect(case.builder("/"));
    let error = client.emit("echo", Binary::from(vec![255; 300])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(client.ask::<Binary>("echo", Binary::from(vec![255; 200])), vec![255; 200]);
}

#[test]
fn namespaces_and_credentials_go_with_each_parser() {
    with_each_way(|case| {
        let auth = json!({ "token": "123", "more": "€,&" });
        let client = case.connect(case.builder("/token").auth(auth));
        let facts: Value = client.ask("handshake", ());
        let place = if facts["auth"].is_null() { "query" } else { "auth" };
        assert_eq!(facts[place]["more"], "€,&", "{case:?}");
        // Servers 2.x take names for URLs.
        let count = if case.version == 2 { 3 } else { 5 };
        let names = ["/", "/admin", "/orders", "/with space", "/ünïcode"];
        let others: Vec<_> =
            names[..count].iter().map(|name| client.manager().socket(name).unwrap()).collect();
        for other in &others {
            other.wait_connected(LIMIT).unwrap();
            assert_eq!(ask::<Value>(other, "whoami", ())["nsp"], other.namespace(), "{case:?}");
        }
        assert_eq!(client.ask::<u32>("sum", (2, 3)), 5);
        client.manager().close(LIMIT);
        eventually(LIMIT, "the session's end", || case.server.sessions() == 0);
    });
}

#[test]
fn a_refusal_comes_with_each_parser() {
    with_each_server(|case| {
        // For servers 2.x these parsers have text alone for a refusal.
        let is_text = case.version == 2 && case.parser != ParserKind::Json;
        let namespace = if is_text { "/refused-plain" } else { "/forbidden" };
        let error = Client::start(case.builder(namespace)).refused();
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
        let client = case.connect(case.builder("/admin"));
        // Another one keeps the connection.
        let root = client.start_in("/");
        root.admitted();
        client.disconnect();
        assert_eq!(client.parted(), DisconnectReason::IoClientDisconnect);
        eventually(LIMIT, "the server's word of it", || {
            case.server.cmd("sessions")["sockets"]["/admin"].is_null()
        });
        client.connect();
        client.admitted();
        client.emit("kick", ()).unwrap();
        assert_eq!(client.parted(), DisconnectReason::IoServerDisconnect);
        client.connect();
        client.admitted();
        assert_eq!(client.ask::<u32>("sum", (1, 2)), 3, "{case:?}");
        // The server comes back, and so do the memberships.
        case.server.kill();
        for client in [&client, &root] {
            client.parted();
        }
        case.server.restart();
        for client in [&client, &root] {
            client.admitted();
        }
        case.await_transport(&client);
        assert_eq!(root.ask::<u32>("sum", (4, 4)), 8, "{case:?}");
        assert_eq!(client.ask::<Binary>("echo", Binary::from([7])), [7], "{case:?}");
        client.manager().close(LIMIT);
    });
}

#[test]
fn a_session_is_recovered_with_each_parser() {
    for (parser, name) in PARSERS {
        let server = Server::start(json!({
            "parser": name,
            "options": { "connectionStateRecovery": {} },
        }));
        let case = Case { server: &server, version: 4, parser: *parser, via: Via::WebSocket };
        let _name = CaseName::new(case);
        let client = case.connect(case.builder("/"));
        let events = client.subscribe("news");
        client.emit("send-me", ("news", "text")).unwrap();
        recv_within(events.receiver(), LIMIT);
        client.emit("destroy", ()).unwrap();
        client.parted();
        let status = client.outcome();
        let is_recovered = matches!(status, Status::Connected { recovered: true, .. });
        assert!(is_recovered, "{case:?}: not recovered, {status:?}");
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
            for &via in Via::ALL {
                let case = Case { server: &server, version, parser: *parser, via };
                let _name = CaseName::new(case);
                let builder = case.builder("/orders").auth(json!({ "token": SECRET }));
                let client = case.connect(builder.reconnection(false));
                let packets = client.manager().engine_events();
                let events = client.subscribe("news");
                for _ in 0..2 {
                    client.emit("send-me", ("news", "text")).unwrap();
                    recv_within(events.receiver(), LIMIT);
                    case.await_transport(&client);
                    client.manager().close_engine();
                    client.parted();
                    // A server that has not heard of the end yet has nothing to recover.
                    eventually(LIMIT, "the end", || server.sessions() == 0);
                    client.connect();
                    let status = client.outcome();
                    let Status::Connected { recovered, .. } = status else {
                        panic!("{case:?}: {status:?}");
                    };
                    assert_eq!(recovered, version == 4, "{case:?}");
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
                client.manager().close(LIMIT);
            }
        }
    });
}

#[test]
fn a_broken_packet_is_a_parse_error_with_each_parser() {
    for (parser, name) in PARSERS {
        let server = Server::start(json!({ "parser": name }));
        let case = Case { server: &server, version: 4, parser: *parser, via: Via::WebSocket };
        let _name = CaseName::new(case);
        let client = case.connect(case.builder("/"));
        // It is no packet of any parser.
        for text in ["", "nonsense", "{\"type\":2", "{\"type\":2,\"nsp\":\"/\",\"data\":{}}"] {
            client.emit("raw", text).unwrap();
            assert_eq!(client.parted(), DisconnectReason::ParseError);
            client.admitted();
        }
        assert_eq!(client.ask::<u32>("sum", (1, 2)), 3, "{case:?}");
    }
}

#[test]
fn a_server_with_another_parser_lets_nobody_in() {
    for (_, name) in PARSERS {
        let server = Server::start(json!({ "parser": name }));
        for (parser, _) in PARSERS.iter().filter(|(_, other)| other != name) {
            let case = Case { server: &server, version: 4, parser: *parser, via: Via::WebSocket };
            let builder = case.builder("/").namespace_timeout(Duration::from_secs(5));
            let client = Client::start(builder);
            let status = client.next_status();
            assert!(!matches!(status, Status::Connected { .. }), "{case:?}: {status:?}");
            client.manager().close(LIMIT);
        }
    }
}
