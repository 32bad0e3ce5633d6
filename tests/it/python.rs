//! Servers of python-socketio, 5 and 4, with threads and with asyncio.

use std::time::Duration;

use serde_json::{Value, json};
use siot::{Binary, Builder, DisconnectReason, ErrorKind, Revision, Status, Transport};

use crate::support::python::{Kind, PythonServer};
use crate::support::{CaseName, Client, LIMIT, Via, failure, recv_within};

/// Each server, with the ways of connecting that it has: version 4 has no WebSocket with threads.
const SERVERS: [(Kind, &[Via]); 4] = [
    (Kind { version: 5, within: "uvicorn" }, Via::ALL),
    (Kind { version: 5, within: "werkzeug" }, Via::ALL),
    (Kind { version: 4, within: "uvicorn" }, Via::ALL),
    (Kind { version: 4, within: "werkzeug" }, &[Via::Polling]),
];

/// A client that is connected, whatever was tried before, and has come to its last transport.
#[track_caller]
fn settled(builder: Builder, via: Via) -> Client {
    let client = Client::start(builder);
    client.admitted();
    if via == Via::Upgrade {
        client.upgraded();
    }
    client
}

/// A session in which everything works.
#[track_caller]
fn exercise(client: &Client, via: Via) {
    let transport: String = client.ask("transport", ());
    assert_eq!(transport, if via == Via::Polling { "polling" } else { "websocket" });

    // Events and acknowledgements, both ways.
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    let all: Binary = (0..=255).collect();
    let text = "€😀é\u{10FFFF}";
    let back: (String, Binary, Value) = client.ask("echo", (text, &all, json!({ "a": [null] })));
    assert_eq!((back.0.as_str(), &back.1, &back.2), (text, &all, &json!({ "a": [null] })));
    let events = client.subscribe("event");
    client.emit("send-me", ("event", text, &all)).unwrap();
    let (same, bytes): (String, Binary) = recv_within(events.receiver(), LIMIT).args().unwrap();
    assert_eq!((same.as_str(), bytes), (text, all));
    let questions = client.subscribe("question");
    let answers = client.subscribe("answered");
    client.emit("ask-me", ("who", Binary::from([1]))).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    question.ack(("me", Binary::from([0, 255]))).unwrap();
    let answer: (String, Binary) = recv_within(answers.receiver(), LIMIT).args().unwrap();
    assert_eq!((answer.0.as_str(), &answer.1[..]), ("me", &[0, 255][..]));

    // Bursts in either direction, each longer than the 16 packets that this server takes at once.
    let acks: Vec<_> = (0..100).map(|n| client.emit_with_ack("tick", n).unwrap()).collect();
    for (n, mut ack) in (0..100).zip(acks) {
        assert_eq!(ack.wait_timeout::<i64>(LIMIT).unwrap(), n);
    }
    client.takes_binary(50, 100);

    // Another namespace, of the same connection.
    let admin = client.connect_in("/admin");
    // An old server's id is that of the session; ours has the namespace before it.
    let (ours, theirs) = (admin.id().unwrap(), admin.ask::<String>("whoami", ()));
    assert!(ours.ends_with(&theirs), "{ours} {theirs}");
    assert_eq!(admin.ask::<u32>("sum", (3, 4)), 7);
    assert_eq!(client.ask::<u32>("sum", (5, 6)), 11);
}

/// Nothing was lost meanwhile.
#[track_caller]
fn assert_undisturbed(client: &Client) {
    let statuses: Vec<Status> = client.status.receiver().try_iter().collect();
    assert!(statuses.is_empty(), "{statuses:?}");
}

#[test]
fn each_server_gets_on_with_us() {
    for (kind, ways) in SERVERS {
        let server = PythonServer::start(kind, json!({}));
        for &via in ways {
            let _name = CaseName::new((kind, via));
            let revision = if kind.version == 4 { Revision::V3 } else { Revision::V4 };
            let client = settled(via.builder(server.url()).revision(revision), via);
            exercise(&client, via);
            assert_undisturbed(&client);
        }
    }
}

#[test]
fn each_server_is_found_out() {
    for (kind, ways) in SERVERS {
        let server = PythonServer::start(kind, json!({}));
        for &via in ways {
            let _name = CaseName::new((kind, via));
            if kind.version == 4 && via == Via::WebSocket {
                // It refuses with nothing but this status, and so tells nothing of revisions.
                let error = failure(via.builder(server.url()));
                assert!(error.to_string().contains("403"), "{error:?}");
                continue;
            }
            let client = settled(via.builder(server.url()), via);
            exercise(&client, via);
        }
    }
}

/// The address of a namespace, and options that the server's revision needs.
fn builder(kind: Kind, server: &PythonServer, via: Via, namespace: &str) -> Builder {
    let revision = if kind.version == 4 { Revision::V3 } else { Revision::Auto };
    via.builder(format!("{}{namespace}", server.url())).revision(revision)
}

#[test]
fn refusals_come_with_their_reasons() {
    for (kind, ways) in SERVERS {
        let server = PythonServer::start(kind, json!({}));
        for &via in ways {
            let _name = CaseName::new((kind, via));
            let refusal =
                |namespace: &str| Client::start(builder(kind, &server, via, namespace)).refused();
            let forbidden = refusal("/forbidden");
            assert_eq!(forbidden.kind(), ErrorKind::Refused, "{forbidden:?}");
            assert!(forbidden.to_string().contains("forbidden by the test"), "{forbidden:?}");
            assert!(forbidden.data().unwrap().contains("403"), "{forbidden:?}");
            assert_eq!(refusal("/token").message(), "wrong token");
            let with_token = || builder(kind, &server, via, "/token");
            let token = json!({ "token": "123" });
            let with_token = match kind.version {
                4 => with_token().query("token", "123"),
                _ => with_token().auth(token),
            };
            Client::connect(with_token).works();
        }
    }
}

#[test]
fn a_server_that_disconnects_is_believed() {
    for (kind, ways) in SERVERS {
        // A refusal is then a DISCONNECT with data, after the answer to CONNECT.
        let server = PythonServer::start(kind, json!({ "always_connect": true }));
        for &via in ways {
            let _name = CaseName::new((kind, via));
            let client = Client::connect(builder(kind, &server, via, "/admin"));
            client.emit("kick", ()).unwrap();
            assert_eq!(client.disconnected().0, DisconnectReason::IoServerDisconnect);

            let client = Client::start(builder(kind, &server, via, "/forbidden"));
            client.connected();
            let (reason, error) = client.disconnected();
            assert_eq!(reason, DisconnectReason::IoServerDisconnect, "{error:?}");
            // The connection is as before.
            client.connect_in("/admin").works();
        }
    }
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    for (kind, ways) in SERVERS {
        let server = PythonServer::start(kind, json!({}));
        let port = server.port();
        let clients: Vec<Client> =
            ways.iter().map(|&via| settled(builder(kind, &server, via, "/"), via)).collect();
        drop(server);
        for client in &clients {
            client.parted();
        }
        let _server = PythonServer::start_at(port, kind, json!({}));
        for client in &clients {
            client.admitted();
            client.works();
        }
    }
}

/// Each GET and each POST takes a connection of its own; it is made behind the last one's answer.
#[test]
fn a_server_that_closes_each_connection_keeps_the_session() {
    for version in [5, 4] {
        let kind = Kind { version, within: "werkzeug" };
        let options = json!({ "ping_interval": 1, "ping_timeout": 5 });
        let server = PythonServer::start(kind, options);
        let client = Client::connect(builder(kind, &server, Via::Polling, "/"));
        for n in 0..20 {
            assert_eq!(client.ask::<u32>("sum", (n, 1)), n + 1);
        }
        let floods = client.subscribe("later");
        // Two heartbeats pass in silence.
        assert!(floods.recv_timeout(Duration::from_millis(2_200)).is_err());
        client.works();
        assert_undisturbed(&client);
        assert_eq!(client.manager().transport(), Some(Transport::Polling));
    }
}
