//! Servers of every age: what they speak is found out, and what is told is believed.

use std::time::Duration;

use crossbeam_channel::unbounded;
use serde_json::{Value, json};
use siot::{Binary, Builder, DisconnectReason, ErrorKind, Revision, Status, Transport};
use tungstenite::Message;

use crate::support::greeting::Greeting;
use crate::support::raw::RawPeer;
use crate::support::{CaseName, Client, DeepBinary, LIMIT, Server, Via, eventually, recv_within};

/// Each server that is to be found out, with the revision that it will speak.
fn servers() -> [(Value, u32); 8] {
    [
        (json!({ "version": 1 }), 3),
        (json!({ "version": 2, "minor": 0 }), 3),
        (json!({ "version": 2 }), 3),
        // It ignores what it is asked for.
        (json!({ "version": 3, "minor": 0 }), 4),
        (json!({ "version": 3 }), 4),
        (json!({ "version": 3, "options": { "allowEIO3": true } }), 4),
        (json!({ "version": 4 }), 4),
        (json!({ "version": 4, "options": { "allowEIO3": true } }), 4),
    ]
}

/// The servers that speak the old revision, or can.
fn old_servers() -> impl Iterator<Item = Value> {
    servers()
        .into_iter()
        .filter(|(config, revision)| *revision == 3 || config["options"]["allowEIO3"] == true)
        .map(|(config, _)| config)
}

/// The servers of which this is all that they speak.
fn servers_before_3() -> impl Iterator<Item = Value> {
    servers().into_iter().filter(|(_, revision)| *revision == 3).map(|(config, _)| config)
}

fn builder(server: &Server, namespace: &str, via: Via) -> Builder {
    via.builder(format!("{}{namespace}", server.url()))
}

/// A client that is connected, whatever was tried before.
#[track_caller]
fn admitted(builder: Builder) -> Client {
    let client = Client::start(builder);
    client.admitted();
    client
}

/// What servers say that do not speak the revision of the question: those in JavaScript, and in Python.
const REFUSALS: [&str; 2] = [
    r#"{"code":5,"message":"Unsupported protocol version"}"#,
    "\"The client is using an unsupported version of the Socket.IO or Engine.IO protocols\"",
];

#[test]
fn a_server_that_refuses_the_revision_is_asked_in_the_other_one() {
    for (via, words) in [Via::Polling, Via::WebSocket].into_iter().zip(REFUSALS) {
        let (asked, questions) = unbounded();
        let peer = RawPeer::start(move |mut connection| {
            let request = connection.read_request()?;
            let _ = asked.send(request.parameter("EIO").unwrap_or_default().to_owned());
            if request.parameter("EIO") != Some("3") {
                return connection.respond(400, "Content-Type: text/plain\r\n", words.as_bytes());
            }
            let open = Greeting::new("s").without_max_payload().text();
            if request.is_upgrade() {
                let mut socket = connection.upgrade(&request)?;
                for packet in [open.as_str(), "40"] {
                    socket.send(Message::text(packet)).map_err(std::io::Error::other)?;
                }
                while socket.read().is_ok() {}
                return Ok(());
            }
            let body = format!("{}:{open}2:40", open.len());
            connection.respond(200, "Content-Type: text/plain\r\n", body.as_bytes())?;
            connection.hold()
        });
        let client = Client::connect(via.builder(peer.url()));
        assert_eq!([0; 2].map(|_| recv_within(&questions, LIMIT)), ["4", "3"], "{via:?}");
        client.manager().close(Duration::ZERO);
    }
}

#[test]
fn a_server_that_refuses_both_revisions_is_asked_twice_in_an_attempt() {
    let (asked, questions) = unbounded();
    let peer = RawPeer::start(move |mut connection| {
        let request = connection.read_request()?;
        let _ = asked.send(request.parameter("EIO").unwrap_or_default().to_owned());
        connection.respond(400, "Content-Type: text/plain\r\n", REFUSALS[1].as_bytes())
    });
    for via in [Via::Polling, Via::WebSocket] {
        let client = Client::start(via.builder(peer.url()).reconnection(false));
        let error = client.connect_error();
        assert!(error.message().contains("unsupported version"), "{error}");
        assert_eq!([0; 2].map(|_| recv_within(&questions, LIMIT)), ["4", "3"], "{via:?}");
        assert!(questions.is_empty());
    }
}

/// The main behaviours, over one transport.
#[track_caller]
fn exercise(server: &Server, via: Via, builder: impl Fn(&str) -> Builder, revision: u32) {
    let _name = CaseName::new((via, server));
    let client = Client::start(builder("/"));
    let id = client.admitted();
    let who: Value = client.ask("whoami", ());
    assert_eq!(who["id"], id.as_str());
    let facts: Value = client.ask("handshake", ());
    if via == Via::Upgrade {
        eventually(LIMIT, "the upgrade", || client.ask::<String>("transport", ()) == "websocket");
    } else {
        let name = if via == Via::WebSocket { "websocket" } else { "polling" };
        assert_eq!(facts["transport"], name);
    }
    assert_eq!(facts["protocol"], revision);
    assert_eq!(id == who["engine"].as_str().unwrap(), revision == 3);

    // Events and acknowledgements, both ways.
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    let echoes = client.subscribe("echo");
    let text = "€😀é\u{10FFFF}";
    client.emit("echo", ("", text, json!({ "a": [null, 1.5] }))).unwrap();
    let echo = recv_within(echoes.receiver(), LIMIT);
    let (empty, same, json): (String, String, Value) = echo.args().unwrap();
    assert_eq!((empty.as_str(), same.as_str()), ("", text));
    assert_eq!(json, json!({ "a": [null, 1.5] }));
    let questions = client.subscribe("question");
    let answers = client.subscribe("answered");
    client.emit("ask-me", ("who", Binary::from([1]))).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    question.ack(("me", Binary::from([0, 255]))).unwrap();
    let answer: (String, Binary) = recv_within(answers.receiver(), LIMIT).args().unwrap();
    assert_eq!((answer.0.as_str(), &answer.1[..]), ("me", &[0, 255][..]));

    // Binary of every byte value, beside text that is no ASCII.
    let all: Vec<u8> = (0..=255).collect();
    let (back, same): (Binary, String) = client.ask("echo", (Binary::from(all.clone()), text));
    assert_eq!((&back[..], same.as_str()), (&all[..], text));
    let (first, deep, none): (Binary, DeepBinary, Binary) = client.ask("with-binary-ack", ());
    assert_eq!((&first[..], none.len()), (&[1, 2, 3][..], 0));
    assert_eq!((&deep.deep.0[..], deep.deep.1.as_str()), (&[4][..], "text"));
    client.takes_binary(5, 1000);

    // Another namespace, of the same connection.
    let admin = client.start_in("/admin");
    let admin_id = admin.admitted();
    let who: Value = admin.ask("whoami", ());
    assert_eq!((who["nsp"].as_str(), who["id"].as_str()), (Some("/admin"), Some(&*admin_id)));
    assert_eq!(admin_id.starts_with("/admin#"), revision == 3);

    // The server comes back, and so does the client.
    server.kill();
    admin.parted();
    server.restart();
    admin.admitted();
    assert_eq!(admin.ask::<u32>("sum", (3, 4)), 7);
    assert_eq!(client.ask::<u32>("sum", (3, 4)), 7);
    client.manager().close(LIMIT);
}

fn exercise_all(via: Via) {
    for (config, revision) in servers() {
        let server = Server::start(config);
        exercise(&server, via, |namespace| builder(&server, namespace, via), revision);
    }
}

#[test]
fn each_server_is_found_out_over_websocket() {
    exercise_all(Via::WebSocket);
}

#[test]
fn each_server_is_found_out_over_polling() {
    exercise_all(Via::Polling);
}

#[test]
fn each_server_is_found_out_and_upgraded() {
    exercise_all(Via::Upgrade);
}

#[test]
fn the_old_revision_can_be_told() {
    for config in old_servers() {
        let server = Server::start(config);
        for &via in Via::ALL {
            let told = |namespace: &str| builder(&server, namespace, via).revision(Revision::V3);
            exercise(&server, via, told, 3);
        }
    }
}

#[test]
fn a_current_server_is_asked_nothing_more() {
    for &via in Via::PLAIN {
        let server = Server::version(4, json!({}));
        let _client = admitted(builder(&server, "/", via));
        let requests = server.entries("requests");
        let handshakes = requests
            .iter()
            .filter(|request| !request["url"].as_str().unwrap().contains("sid="))
            .count();
        assert_eq!(handshakes, 1, "{requests:?}");
        assert!(requests.iter().all(|request| request["url"].as_str().unwrap().contains("EIO=4")));
    }
}

#[test]
fn binary_may_be_forced_into_text_with_each_server() {
    for (config, _) in servers() {
        let server = Server::start(config.clone());
        let _name = CaseName::new(&config);
        for &via in Via::ALL {
            let client = admitted(builder(&server, "/", via).force_base64(true));
            if via == Via::Upgrade {
                let transport = || client.manager().transport();
                eventually(LIMIT, "the upgrade", || transport() == Some(Transport::WebSocket));
            }
            let all: Binary = (0..=255).collect();
            let text = "€😀é\u{10FFFF}";
            let back: (Binary, String, Binary) =
                client.ask("echo", (&all, text, Binary::default()));
            assert_eq!((&back.0, &*back.1), (&all, text), "{config} {via:?}");
            assert!(back.2.is_empty());
        }
    }
}

#[test]
fn a_refusal_comes_in_each_revision() {
    for (config, revision) in servers() {
        let server = Server::start(config.clone());
        let _name = CaseName::new(&config);
        for &via in Via::PLAIN {
            let client = Client::start(builder(&server, "/forbidden", via));
            let error = client.refused();
            assert_eq!(error.kind(), ErrorKind::Refused);
            let data: Value = serde_json::from_str(error.data().unwrap()).unwrap();
            assert_eq!(data["code"], 403, "{config}: {error:?}");
            if revision == 4 {
                assert_eq!(error.message(), "forbidden by the test server");
            }
            let plain = Client::start(builder(&server, "/refused-plain", via));
            assert_eq!(plain.refused().message(), "no reason attached");
        }
    }
}

#[test]
fn credentials_reach_each_server() {
    for (config, _) in servers() {
        let server = Server::start(config.clone());
        let auth = json!({ "token": "123", "more": "a,b&c=€" });
        let client = admitted(builder(&server, "/token", Via::WebSocket).auth(auth));
        let facts: Value = client.ask("handshake", ());
        let place = if facts["auth"].is_null() { "query" } else { "auth" };
        assert_eq!(facts[place]["more"], "a,b&c=€", "{config}: {facts}");
    }
}

#[test]
fn a_refusal_of_the_root_is_one_of_all() {
    for mut config in servers_before_3() {
        config["gate"] = json!({ "refuse": "not you" });
        let server = Server::start(config);
        for &via in Via::ALL {
            let admin = Client::idle(builder(&server, "/admin", via));
            // The second time it takes another session.
            for _ in 0..2 {
                admin.connect();
                let error = admin.refused();
                assert_eq!((error.kind(), error.message()), (ErrorKind::Refused, "not you"));
            }
        }
    }
}

#[test]
fn an_old_server_may_keep_its_clients_waiting() {
    let cases = servers_before_3()
        .flat_map(|config| Via::ALL.iter().map(move |&via| (config.clone(), via)));
    for (mut config, via) in cases {
        config["gate"] = json!({ "delay": 300 });
        let server = Server::start(config.clone());
        let client = Client::start(builder(&server, "/", via));
        // It was taken for a newer one in between, of which nobody hears.
        let status = client.next_status();
        assert!(matches!(status, Status::Connected { .. }), "{config}: {status:?}");
        assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
        eventually(LIMIT, &format!("one session alone, {config} {via:?}"), || {
            server.sessions() == 1
        });
        if via == Via::WebSocket {
            let before = server.entries("requests").len();
            server.cmd("drop");
            client.parted();
            client.admitted();
            // From now on it is known.
            assert_eq!(server.entries("requests").len(), before + 1);
            eventually(LIMIT, &format!("one session alone, {config} {via:?}"), || {
                server.sessions() == 1
            });
        }
    }
}

#[test]
fn an_old_server_that_forgets_the_root_lets_into_its_other_namespaces() {
    let server = Server::start(json!({ "version": 2, "minor": 0, "mute": true }));
    for &via in Via::ALL {
        let client = Client::start(builder(&server, "/admin", via));
        let id = client.admitted();
        assert!(id.starts_with("/admin#"));
        assert_eq!(client.ask::<u32>("sum", (1, 2)), 3, "{via:?}");
    }
}

#[test]
fn an_error_is_told_while_connected() {
    for config in servers_before_3() {
        let server = Server::start(config);
        for &via in Via::ALL {
            let client = admitted(builder(&server, "/", via));
            client.emit("refused-event", ()).unwrap();
            let status = client.outcome();
            let Status::Error(error) = status else { panic!("{status:?}") };
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::Refused, "refused by the test server")
            );
            assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
        }
    }
}

#[test]
fn an_old_server_may_call_anything_binary() {
    let server = Server::version(2, json!({}));
    let client = admitted(builder(&server, "/", Via::WebSocket));
    let plain = client.subscribe("plain");
    client.emit("forced-binary", ()).unwrap();
    assert_eq!(recv_within(plain.receiver(), LIMIT).args::<String>().unwrap(), "text");
}

#[test]
fn a_wrong_revision_is_an_error_with_a_hint() {
    for (config, revision) in servers() {
        if config["options"]["allowEIO3"] == true {
            continue;
        }
        let server = Server::start(config.clone());
        let told = if revision == 3 { Revision::V4 } else { Revision::V3 };
        for &via in Via::ALL {
            // Some servers do not answer to what they do not speak.
            let limit = Duration::from_secs(2);
            let builder =
                builder(&server, "/", via).connect_timeout(limit).namespace_timeout(limit);
            let client = Client::start(builder.revision(told));
            let Status::ConnectError(error) = client.next_status() else { panic!("connected") };
            let hint = error.hint().unwrap_or_else(|| panic!("{config} {via:?}: {error}"));
            let names_it = ["revision", "Revision", "EIO"].iter().any(|word| hint.contains(word));
            assert!(names_it, "{config} {via:?}: {error}");
            client.manager().close(LIMIT);
        }
    }
}

#[test]
fn a_revision_that_was_not_told_is_not_blamed_for_a_lost_connection() {
    let peer = RawPeer::websocket(|_, _| Ok(()));
    for (revision, blamed) in [(Revision::Auto, false), (Revision::V3, true)] {
        let client = Client::start(Via::WebSocket.builder(peer.url()).revision(revision));
        let Status::ConnectError(error) = client.next_status() else { panic!("connected") };
        assert_eq!(error.hint().is_some_and(|hint| hint.contains("revision")), blamed, "{error}");
    }
}

#[test]
fn the_root_can_be_left_and_joined_again() {
    for (config, revision) in servers() {
        let server = Server::start(config.clone());
        let _name = CaseName::new(&config);
        for &via in Via::ALL {
            let root = admitted(builder(&server, "/", via));
            let admin = root.start_in("/admin");
            admin.admitted();
            root.disconnect();
            assert_eq!(root.parted(), DisconnectReason::IoClientDisconnect);
            assert_eq!(admin.ask::<u32>("sum", (1, 1)), 2);
            root.connect();
            root.admitted();
            assert_eq!(root.ask::<u32>("sum", (2, 2)), 4);
            if revision == 3 {
                // It took another session.
                admin.parted();
                admin.admitted();
            }
            assert_eq!(admin.ask::<u32>("sum", (3, 3)), 6, "{config} {via:?}");
        }
    }
}

#[test]
fn a_server_that_disconnects_is_not_joined_again() {
    for (config, _) in servers() {
        let server = Server::start(config.clone());
        let _name = CaseName::new(&config);
        for &via in Via::ALL {
            let client = admitted(builder(&server, "/", via));
            client.emit("kick", ()).unwrap();
            assert_eq!(client.parted(), DisconnectReason::IoServerDisconnect);
            client.connect();
            client.admitted();
            assert_eq!(client.ask::<u32>("sum", (1, 2)), 3, "{config} {via:?}");
        }
    }
}

#[test]
fn heartbeats_keep_each_server_awake() {
    for (mut config, _) in servers() {
        config["options"]["pingInterval"] = json!(100);
        config["options"]["pingTimeout"] = json!(2000);
        let server = Server::start(config.clone());
        let _name = CaseName::new(&config);
        for &via in Via::PLAIN {
            let client = admitted(builder(&server, "/", via));
            eventually(LIMIT, "five heartbeats", || client.ask::<u32>("ping-count", ()) >= 5);
            assert!(client.status.receiver().is_empty(), "{config} {via:?}");
        }
    }
}

#[test]
fn a_server_may_be_replaced_by_one_of_another_age() {
    for &via in Via::ALL {
        for ages in [[4, 2, 4], [2, 3, 2], [3, 1, 3]] {
            let first = Server::version(ages[0], json!({}));
            let port = first.port();
            let client = admitted(builder(&first, "/", via));
            let mut running = first;
            for age in &ages[1..] {
                running.kill();
                running = Server::start(json!({ "version": age, "port": port }));
                client.parted();
                client.admitted();
                assert_eq!(client.ask::<u32>("sum", (*age, 2)), age + 2, "{via:?} {ages:?}");
            }
        }
    }
}
