//! The parser of `MessagePack`, with servers that have it.

use serde_json::{Value, json};
use siot::{Binary, Builder, ErrorKind, ParserKind, Socket, Status, Transport};

use crate::support::{LIMIT, Server, recv_within};

/// Each server with such a parser, and how to come to it.
fn servers() -> impl Iterator<Item = (u32, Server)> {
    [4, 3, 2]
        .into_iter()
        .map(|version| (version, Server::start(json!({ "version": version, "parser": "msgpack" }))))
}

const WAYS: [&[Transport]; 3] =
    [&[Transport::WebSocket], &[Transport::Polling], &[Transport::Polling, Transport::WebSocket]];

fn builder(server: &Server, namespace: &str, way: &[Transport]) -> Builder {
    Builder::new(format!("{}{namespace}", server.url()))
        .force_new(true)
        .transports(way.iter().copied())
        .parser(ParserKind::MessagePack)
}

#[track_caller]
fn connected(builder: Builder) -> Socket {
    let socket = builder.build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket
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
fn events_and_answers_go_both_ways_in_messagepack() {
    for (version, server) in servers() {
        for way in WAYS {
            let socket = connected(builder(&server, "/", way));
            assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{version} {way:?}");
            let all: Vec<u8> = (0..=255).collect();
            let text = "€😀é\u{10FFFF}";
            let nested = json!({ "a": [null, 1.5, -70000, true], "": {} });
            let back: (Binary, String, Value) =
                ask(&socket, "echo", (Binary::from(all.clone()), text, &nested));
            assert_eq!(back, (Binary::from(all), text.to_owned(), nested));
            let many: (String, u32, Value, Vec<u32>, Option<u8>, bool) =
                ask(&socket, "ack-many", ());
            assert_eq!(many, ("one".into(), 2, json!({ "three": 3 }), vec![4], None, true));
            let questions = socket.subscribe("question");
            let answers = socket.subscribe("answered");
            socket.emit("ask-me", ("who", Binary::from([1]))).unwrap();
            let question = recv_within(questions.receiver(), LIMIT);
            assert_eq!(question.args::<(String, Binary)>().unwrap().1, [1]);
            question.ack(("me", Binary::from([0, 255]))).unwrap();
            let answer: (String, Binary) = recv_within(answers.receiver(), LIMIT).args().unwrap();
            assert_eq!(answer, ("me".into(), Binary::from([0, 255])));
            let floods = socket.subscribe("bflood");
            socket.emit("bflood", (20, 100)).unwrap();
            for i in 0..20 {
                let (number, bytes): (u32, Binary) =
                    recv_within(floods.receiver(), LIMIT).args().unwrap();
                assert_eq!((number, bytes.len()), (i, 100));
            }
        }
    }
}

#[test]
fn namespaces_and_credentials_go_in_messagepack() {
    for (_, server) in servers() {
        let socket = connected(
            builder(&server, "/token", WAYS[0]).auth(json!({ "token": "123", "more": "€,&" })),
        );
        let facts: Value = ask(&socket, "handshake", ());
        let place = if facts["auth"].is_null() { "query" } else { "auth" };
        assert_eq!(facts[place]["more"], "€,&");
        let admin = socket.manager().socket("/admin").unwrap();
        admin.wait_connected(LIMIT).unwrap();
        assert_eq!(ask::<Value>(&admin, "whoami", ())["nsp"], "/admin");
        admin.disconnect();
        admin.connect();
        admin.wait_connected(LIMIT).unwrap();
        assert_eq!(ask::<u32>(&socket, "sum", (2, 3)), 5);
    }
}

#[test]
fn a_refusal_comes_in_messagepack() {
    for (version, server) in servers() {
        // Version 2 of the parser has text alone for a refusal.
        let namespace = if version == 2 { "/refused-plain" } else { "/forbidden" };
        let socket = builder(&server, namespace, WAYS[0]).auto_connect(false).build().unwrap();
        let statuses = socket.status();
        socket.connect();
        let status = recv_within(statuses.receiver(), LIMIT);
        let Status::ConnectError(error) = status else { panic!("{status:?}") };
        assert_eq!(error.kind(), ErrorKind::Refused);
        if version == 2 {
            assert_eq!(error.message(), "no reason attached");
        } else {
            assert!(error.data().unwrap().contains("403"));
        }
    }
}

#[test]
fn a_session_is_recovered_in_messagepack() {
    let server = Server::start(json!({
        "parser": "msgpack",
        "options": { "connectionStateRecovery": {} },
    }));
    let socket = builder(&server, "/", WAYS[0]).build().unwrap();
    let statuses = socket.status();
    let Status::Connected { recovered: false, .. } = recv_within(statuses.receiver(), LIMIT) else {
        panic!("not connected")
    };
    let events = socket.subscribe("news");
    socket.emit("send-me", ("news", "text")).unwrap();
    recv_within(events.receiver(), LIMIT);
    socket.emit("destroy", ()).unwrap();
    loop {
        match recv_within(statuses.receiver(), LIMIT) {
            Status::Connected { recovered, .. } => return assert!(recovered),
            status => assert!(!matches!(status, Status::ConnectError(_)), "{status:?}"),
        }
    }
}

#[test]
fn a_server_with_another_parser_lets_nobody_in() {
    let server = Server::start(json!({}));
    let socket = builder(&server, "/", WAYS[0]).auto_connect(false).build().unwrap();
    let statuses = socket.status();
    socket.connect();
    let status = recv_within(statuses.receiver(), LIMIT);
    assert!(!matches!(status, Status::Connected { .. }), "{status:?}");
}
