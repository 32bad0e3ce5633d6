//! Servers of every age: what they speak is found out, and what is told is believed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use siot::{
    Binary, Builder, DisconnectReason, ErrorKind, Revision, Socket, Status, Subscription, Transport,
};

use tungstenite::Message;

use crate::support::raw::Peer;
use crate::support::{LIMIT, Server, eventually, recv_within};

/// How a session gets to its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    WebSocket,
    Polling,
    Upgrade,
}

const WAYS: [Way; 3] = [Way::WebSocket, Way::Polling, Way::Upgrade];

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

fn builder(server: &Server, namespace: &str, way: Way) -> Builder {
    let transports: &[Transport] = match way {
        Way::WebSocket => &[Transport::WebSocket],
        Way::Polling => &[Transport::Polling],
        Way::Upgrade => &[Transport::Polling, Transport::WebSocket],
    };
    Builder::new(format!("{}{namespace}", server.url()))
        .force_new(true)
        .transports(transports.iter().copied())
        .reconnection_delay(Duration::from_millis(20))
        .reconnection_delay_max(Duration::from_millis(50))
}

/// The next status that is not a failed attempt.
#[track_caller]
fn next(statuses: &Subscription<Status>) -> Status {
    let deadline = Instant::now() + LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match recv_within(statuses.receiver(), left) {
            Status::ConnectError(error) if error.kind() != ErrorKind::Refused => {}
            status => return status,
        }
    }
}

#[track_caller]
fn connected(builder: Builder) -> (Socket, Subscription<Status>, String) {
    let socket = builder.auto_connect(false).build().unwrap();
    let statuses = socket.status();
    socket.connect();
    let id = expect_connected(&statuses);
    (socket, statuses, id)
}

#[track_caller]
fn expect_connected(statuses: &Subscription<Status>) -> String {
    match next(statuses) {
        Status::Connected { id, .. } => id,
        other => panic!("not connected: {other:?}"),
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

/// Binary inside of other data.
#[derive(serde::Deserialize)]
struct Deep {
    deep: (Binary, String),
}

/// The main behaviours, over one transport.
#[track_caller]
fn exercise(server: &Server, way: Way, builder: impl Fn(&str) -> Builder, revision: u32) {
    let (socket, _, id) = connected(builder("/"));
    let who: Value = ask(&socket, "whoami", ());
    assert_eq!(who["id"], id.as_str());
    let facts: Value = ask(&socket, "handshake", ());
    if way == Way::Upgrade {
        eventually(LIMIT, "the upgrade", || ask::<String>(&socket, "transport", ()) == "websocket");
    } else {
        let name = if way == Way::WebSocket { "websocket" } else { "polling" };
        assert_eq!(facts["transport"], name);
    }
    assert_eq!(facts["protocol"], revision);
    assert_eq!(id == who["engine"].as_str().unwrap(), revision == 3);

    // Events and acknowledgements, both ways.
    assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3);
    let echoes = socket.subscribe("echo");
    let text = "€😀é\u{10FFFF}";
    socket.emit("echo", ("", text, json!({ "a": [null, 1.5] }))).unwrap();
    let echo = recv_within(echoes.receiver(), LIMIT);
    let (empty, same, json): (String, String, Value) = echo.args().unwrap();
    assert_eq!((empty.as_str(), same.as_str()), ("", text));
    assert_eq!(json, json!({ "a": [null, 1.5] }));
    let questions = socket.subscribe("question");
    let answers = socket.subscribe("answered");
    socket.emit("ask-me", ("who", Binary::from([1]))).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    question.ack(("me", Binary::from([0, 255]))).unwrap();
    let answer: (String, Binary) = recv_within(answers.receiver(), LIMIT).args().unwrap();
    assert_eq!((answer.0.as_str(), &answer.1[..]), ("me", &[0, 255][..]));

    // Binary of every byte value, beside text that is no ASCII.
    let all: Vec<u8> = (0..=255).collect();
    let (back, same): (Binary, String) = ask(&socket, "echo", (Binary::from(all.clone()), text));
    assert_eq!((&back[..], same.as_str()), (&all[..], text));
    let (first, deep, none): (Binary, Deep, Binary) = ask(&socket, "with-binary-ack", ());
    assert_eq!((&first[..], none.len()), (&[1, 2, 3][..], 0));
    assert_eq!((&deep.deep.0[..], deep.deep.1.as_str()), (&[4][..], "text"));
    let floods = socket.subscribe("bflood");
    socket.emit("bflood", (5, 1000)).unwrap();
    for i in 0..5 {
        let (number, bytes): (u32, Binary) = recv_within(floods.receiver(), LIMIT).args().unwrap();
        assert_eq!((number, bytes.len()), (i, 1000));
    }

    // Another namespace, of the same connection.
    let admin = socket.manager().socket("/admin").unwrap();
    let statuses = admin.status();
    let admin_id = expect_connected(&statuses);
    let who: Value = ask(&admin, "whoami", ());
    assert_eq!((who["nsp"].as_str(), who["id"].as_str()), (Some("/admin"), Some(&*admin_id)));
    assert_eq!(admin_id.starts_with("/admin#"), revision == 3);

    // The server comes back, and so does the client.
    server.restart();
    assert!(matches!(next(&statuses), Status::Disconnected { .. }));
    expect_connected(&statuses);
    assert_eq!(ask::<u32>(&admin, "sum", (3, 4)), 7);
    assert_eq!(ask::<u32>(&socket, "sum", (3, 4)), 7);
    socket.manager().close(LIMIT);
}

fn exercise_all(way: Way) {
    for (config, revision) in servers() {
        let server = Server::start(config);
        exercise(&server, way, |namespace| builder(&server, namespace, way), revision);
    }
}

#[test]
fn each_server_is_found_out_over_websocket() {
    exercise_all(Way::WebSocket);
}

#[test]
fn each_server_is_found_out_over_polling() {
    exercise_all(Way::Polling);
}

#[test]
fn each_server_is_found_out_and_upgraded() {
    exercise_all(Way::Upgrade);
}

#[test]
fn the_old_revision_can_be_told() {
    for config in old_servers() {
        let server = Server::start(config);
        for way in WAYS {
            let told = |namespace: &str| builder(&server, namespace, way).revision(Revision::V3);
            exercise(&server, way, told, 3);
        }
    }
}

#[test]
fn a_current_server_is_asked_nothing_more() {
    for way in [Way::WebSocket, Way::Polling] {
        let server = Server::version(4, json!({}));
        let (_socket, _, _) = connected(builder(&server, "/", way));
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
        for way in WAYS {
            let (socket, _, _) = connected(builder(&server, "/", way).force_base64(true));
            if way == Way::Upgrade {
                let transport = || socket.manager().transport();
                eventually(LIMIT, "the upgrade", || transport() == Some(Transport::WebSocket));
            }
            let all: Binary = (0..=255).collect();
            let text = "€😀é\u{10FFFF}";
            let back: (Binary, String, Binary) =
                ask(&socket, "echo", (&all, text, Binary::default()));
            assert_eq!((&back.0, &*back.1), (&all, text), "{config} {way:?}");
            assert!(back.2.is_empty());
        }
    }
}

#[test]
fn a_refusal_comes_in_each_revision() {
    for (config, revision) in servers() {
        let server = Server::start(config.clone());
        for way in [Way::WebSocket, Way::Polling] {
            let socket = builder(&server, "/forbidden", way).auto_connect(false).build().unwrap();
            let statuses = socket.status();
            socket.connect();
            let Status::ConnectError(error) = next(&statuses) else { panic!("not refused") };
            assert_eq!(error.kind(), ErrorKind::Refused);
            let data: Value = serde_json::from_str(error.data().unwrap()).unwrap();
            assert_eq!(data["code"], 403, "{config}: {error:?}");
            if revision == 4 {
                assert_eq!(error.message(), "forbidden by the test server");
            }
            let plain =
                builder(&server, "/refused-plain", way).auto_connect(false).build().unwrap();
            let statuses = plain.status();
            plain.connect();
            let Status::ConnectError(error) = next(&statuses) else { panic!("not refused") };
            assert_eq!(error.message(), "no reason attached");
        }
    }
}

#[test]
fn credentials_reach_each_server() {
    for (config, _) in servers() {
        let server = Server::start(config.clone());
        let auth = json!({ "token": "123", "more": "a,b&c=€" });
        let (socket, _, _) = connected(builder(&server, "/token", Way::WebSocket).auth(auth));
        let facts: Value = ask(&socket, "handshake", ());
        let place = if facts["auth"].is_null() { "query" } else { "auth" };
        assert_eq!(facts[place]["more"], "a,b&c=€", "{config}: {facts}");
    }
}

#[test]
fn a_refusal_of_the_root_is_one_of_all() {
    for mut config in servers_before_3() {
        config["gate"] = json!({ "refuse": "not you" });
        let server = Server::start(config);
        for way in WAYS {
            let admin = builder(&server, "/admin", way).auto_connect(false).build().unwrap();
            let statuses = admin.status();
            // The second time it takes another session.
            for _ in 0..2 {
                admin.connect();
                let Status::ConnectError(error) = next(&statuses) else { panic!("not refused") };
                assert_eq!((error.kind(), error.message()), (ErrorKind::Refused, "not you"));
            }
        }
    }
}

#[test]
fn an_old_server_may_keep_its_clients_waiting() {
    let cases = servers_before_3().flat_map(|config| WAYS.map(|way| (config.clone(), way)));
    for (mut config, way) in cases {
        config["gate"] = json!({ "delay": 300 });
        let server = Server::start(config.clone());
        let socket = builder(&server, "/", way).auto_connect(false).build().unwrap();
        let statuses = socket.status();
        socket.connect();
        // It was taken for a newer one in between, of which nobody hears.
        let status = recv_within(statuses.receiver(), LIMIT);
        assert!(matches!(status, Status::Connected { .. }), "{config}: {status:?}");
        assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3);
        eventually(LIMIT, &format!("one session alone, {config} {way:?}"), || {
            server.sessions() == 1
        });
        if way == Way::WebSocket {
            let before = server.entries("requests").len();
            server.cmd("drop");
            assert!(matches!(next(&statuses), Status::Disconnected { .. }));
            expect_connected(&statuses);
            // From now on it is known.
            assert_eq!(server.entries("requests").len(), before + 1);
            eventually(LIMIT, &format!("one session alone, {config} {way:?}"), || {
                server.sessions() == 1
            });
        }
    }
}

#[test]
fn an_old_server_that_forgets_the_root_lets_into_its_other_namespaces() {
    let server = Server::start(json!({ "version": 2, "minor": 0, "mute": true }));
    for way in WAYS {
        let (socket, _, id) = connected(builder(&server, "/admin", way));
        assert!(id.starts_with("/admin#"));
        assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{way:?}");
    }
}

#[test]
fn an_error_is_told_while_connected() {
    for config in servers_before_3() {
        let server = Server::start(config);
        for way in WAYS {
            let (socket, statuses, _) = connected(builder(&server, "/", way));
            socket.emit("refused-event", ()).unwrap();
            let status = next(&statuses);
            let Status::Error(error) = status else { panic!("{status:?}") };
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::Refused, "refused by the test server")
            );
            assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3);
        }
    }
}

#[test]
fn an_old_server_may_call_anything_binary() {
    let server = Server::version(2, json!({}));
    let (socket, _, _) = connected(builder(&server, "/", Way::WebSocket));
    let plain = socket.subscribe("plain");
    socket.emit("forced-binary", ()).unwrap();
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
        for way in WAYS {
            // Some servers do not answer to what they do not speak.
            let limit = Duration::from_secs(2);
            let builder = builder(&server, "/", way).timeout(limit).namespace_timeout(limit);
            let socket = builder.revision(told).auto_connect(false).build().unwrap();
            let statuses = socket.status();
            socket.connect();
            let Status::ConnectError(error) = recv_within(statuses.receiver(), LIMIT) else {
                panic!("connected")
            };
            let hint = error.hint().unwrap_or_else(|| panic!("{config} {way:?}: {error}"));
            let names_it = ["revision", "Revision", "EIO"].iter().any(|word| hint.contains(word));
            assert!(names_it, "{config} {way:?}: {error}");
            socket.manager().close(LIMIT);
        }
    }
}

#[test]
fn a_revision_that_was_not_told_is_not_blamed_for_a_lost_connection() {
    let peer = Peer::websocket(|_, _| Ok(()));
    for (revision, blamed) in [(Revision::Auto, false), (Revision::V3, true)] {
        let socket = Builder::new(peer.url())
            .transports([Transport::WebSocket])
            .revision(revision)
            .force_new(true)
            .auto_connect(false)
            .build()
            .unwrap();
        let statuses = socket.status();
        socket.connect();
        let Status::ConnectError(error) = recv_within(statuses.receiver(), LIMIT) else {
            panic!("connected")
        };
        assert_eq!(error.hint().is_some_and(|hint| hint.contains("revision")), blamed, "{error}");
    }
}

#[test]
fn what_is_no_server_is_an_error() {
    for answer in ["", "hello", "<html>", "0", "97:0{", "7:0{\"a\":1", "{\"sid\":1}", "\0\u{9}"] {
        let peer = Peer::start(move |mut connection| {
            connection.read_request()?;
            connection.respond(200, "Content-Type: text/plain\r\n", answer.as_bytes())
        });
        let socket = Builder::new(peer.url())
            .transports([Transport::Polling])
            .reconnection(false)
            .auto_connect(false)
            .build()
            .unwrap();
        let statuses = socket.status();
        socket.connect();
        let status = recv_within(statuses.receiver(), LIMIT);
        assert!(matches!(status, Status::ConnectError(_)), "{answer}: {status:?}");
    }
}

#[test]
fn what_is_no_server_is_an_error_over_websocket_too() {
    const OPEN: &str = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let binary = Message::binary(vec![4, 0, 255]);
    let greetings: Vec<Vec<Message>> = ["", "hello", "<html>", "0", "0{", "0[]", "40", "9"]
        .iter()
        .map(|text| vec![Message::text(*text)])
        .chain([vec![binary.clone()], vec![Message::text("97:0{}2:40")]])
        // It could be a server of either revision, up to here.
        .chain(
            ["", "9", "\u{1e}", "4", "49", "40["]
                .map(|text| vec![Message::text(OPEN), Message::text(text)]),
        )
        .chain([vec![Message::text(OPEN), binary]])
        .collect();
    for greeting in greetings {
        let frames = greeting.clone();
        let peer = Peer::websocket(move |socket, _| {
            for frame in &frames {
                socket.send(frame.clone())?;
            }
            while socket.read().is_ok() {}
            Ok(())
        });
        for revision in [Revision::Auto, Revision::V3, Revision::V4] {
            let socket = Builder::new(peer.url())
                .transports([Transport::WebSocket])
                .revision(revision)
                .reconnection(false)
                .force_new(true)
                .auto_connect(false)
                .build()
                .unwrap();
            let statuses = socket.status();
            socket.connect();
            let status = recv_within(statuses.receiver(), LIMIT);
            let is_error = matches!(status, Status::ConnectError(_) | Status::Disconnected { .. });
            assert!(is_error, "{revision:?} {greeting:?}: {status:?}");
            socket.manager().close(LIMIT);
        }
    }
}

#[test]
fn a_peer_that_never_makes_up_its_mind_is_no_endless_loop() {
    const OPEN: &str = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    // It greets as an old server, and then answers as none.
    let peer = Peer::websocket(|socket, _| {
        socket.send(Message::text(OPEN))?;
        socket.send(Message::text("40{\"sid\":\"x\"}"))?;
        while socket.read().is_ok() {}
        Ok(())
    });
    let socket = Builder::new(peer.url())
        .transports([Transport::WebSocket])
        .reconnection(false)
        .auto_connect(false)
        .build()
        .unwrap();
    let statuses = socket.status();
    socket.connect();
    let status = recv_within(statuses.receiver(), LIMIT);
    assert!(matches!(status, Status::ConnectError(_) | Status::Disconnected { .. }), "{status:?}");
    assert!(peer.accepted() <= 3, "{} sessions", peer.accepted());
}

#[test]
fn the_root_can_be_left_and_joined_again() {
    for (config, revision) in servers() {
        let server = Server::start(config.clone());
        for way in WAYS {
            let (root, roots, _) = connected(builder(&server, "/", way));
            let admin = root.manager().socket("/admin").unwrap();
            let admins = admin.status();
            expect_connected(&admins);
            root.disconnect();
            let Status::Disconnected { reason, .. } = next(&roots) else { panic!("not left") };
            assert_eq!(reason, DisconnectReason::IoClientDisconnect);
            assert_eq!(ask::<u32>(&admin, "sum", (1, 1)), 2);
            root.connect();
            expect_connected(&roots);
            assert_eq!(ask::<u32>(&root, "sum", (2, 2)), 4);
            if revision == 3 {
                // It took another session.
                assert!(matches!(next(&admins), Status::Disconnected { .. }));
                expect_connected(&admins);
            }
            assert_eq!(ask::<u32>(&admin, "sum", (3, 3)), 6, "{config} {way:?}");
        }
    }
}

#[test]
fn a_server_that_disconnects_is_not_joined_again() {
    for (config, _) in servers() {
        let server = Server::start(config.clone());
        for way in WAYS {
            let (socket, statuses, _) = connected(builder(&server, "/", way));
            socket.emit("kick", ()).unwrap();
            let Status::Disconnected { reason, .. } = next(&statuses) else { panic!("not kicked") };
            assert_eq!(reason, DisconnectReason::IoServerDisconnect);
            socket.connect();
            expect_connected(&statuses);
            assert_eq!(ask::<u32>(&socket, "sum", (1, 2)), 3, "{config} {way:?}");
        }
    }
}

#[test]
fn heartbeats_keep_each_server_awake() {
    for (mut config, _) in servers() {
        config["options"]["pingInterval"] = json!(100);
        config["options"]["pingTimeout"] = json!(2000);
        let server = Server::start(config.clone());
        for way in [Way::WebSocket, Way::Polling] {
            let (socket, statuses, _) = connected(builder(&server, "/", way));
            eventually(LIMIT, "five heartbeats", || ask::<u32>(&socket, "ping-count", ()) >= 5);
            assert!(statuses.receiver().is_empty(), "{config} {way:?}");
        }
    }
}

#[test]
fn a_server_may_be_replaced_by_one_of_another_age() {
    for way in WAYS {
        for ages in [[4, 2, 4], [2, 3, 2], [3, 1, 3]] {
            let first = Server::version(ages[0], json!({}));
            let port = first.port();
            let (socket, statuses, _) = connected(builder(&first, "/", way));
            let mut running = first;
            for age in &ages[1..] {
                running.kill();
                running = Server::start(json!({ "version": age, "port": port }));
                assert!(matches!(next(&statuses), Status::Disconnected { .. }));
                expect_connected(&statuses);
                assert_eq!(ask::<u32>(&socket, "sum", (*age, 2)), age + 2, "{way:?} {ages:?}");
            }
        }
    }
}
