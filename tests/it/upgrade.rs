//! The move of a session from long-polling to WebSocket, with traffic on it.
#![cfg(feature = "polling")]

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use serde_json::{Value as Json, json};
use siot::{Binary, Error, ErrorKind, ManagerEvent, Transport};
use tungstenite::Message;

use crate::support::greeting::Greeting;
use crate::support::raw::RawPeer;
use crate::support::{Client, LIMIT, Server, Via, eventually, pattern, recv_within, shared};

/// Waits for the news that the session stays where it is.
#[track_caller]
fn upgrade_error(client: &Client) -> Error {
    let event = client
        .wait_for("the failed upgrade", |event| matches!(event, ManagerEvent::UpgradeError(_)));
    match event {
        ManagerEvent::UpgradeError(error) => error,
        other => panic!("{other:?}"),
    }
}

/// What both sides see of a session that has moved.
#[track_caller]
fn has_moved(client: &Client) {
    assert_eq!(client.manager().transport(), Some(Transport::WebSocket));
    assert_eq!(client.ask::<String>("transport", ()), "websocket");
}

/// A session that is and stays on long-polling, in full use.
#[track_caller]
fn has_stayed(client: &Client) {
    assert_eq!(client.manager().transport(), Some(Transport::Polling));
    assert_eq!(client.ask::<String>("transport", ()), "polling");
    let bytes = Binary::from(pattern(1, 1, 1, 5000));
    for _ in 0..20 {
        assert_eq!(client.ask::<Binary>("echo", &bytes), bytes);
    }
    assert!(client.status.try_recv().is_none(), "the session was lost");
}

#[test]
fn the_server_sees_it() {
    let server = Server::start(json!({}));
    let client = Via::Upgrade.settle(server.url());
    has_moved(&client);
    eventually(LIMIT, "the upgrade", || {
        server.entries("log").iter().any(|entry| entry["what"] == "upgrade")
    });
    assert_eq!(server.sessions(), 1);
    // The polling connections are gone.
    eventually(LIMIT, "one connection alone", || server.cmd("sessions")["tcp"] == 1);
}

#[test]
fn events_of_both_directions_survive_it() {
    let server = Server::start(json!({}));
    for _ in 0..10 {
        server.cmd("reset");
        let client = Client::idle(Via::Upgrade.builder(server.url()));
        let flood = client.subscribe("flood");
        let end = client.subscribe("flood-end");
        client.connect();
        client.connected();
        client.emit("flood", (300, 10)).unwrap();
        for n in 0..300 {
            client.emit("tick", ("a", n)).unwrap();
        }
        recv_within(end.receiver(), LIMIT);
        let numbers: Vec<u32> = flood.try_iter().map(|event| event.args().unwrap()).collect();
        assert!(numbers.iter().copied().eq(0..300), "{numbers:?}");
        let ticks: Json = client.ask("ticks", ());
        assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(300), &json!(true)));
        client.upgraded();
        has_moved(&client);
    }
}

/// Binary events, whose text and attachments are packets of their own, straddle the switch.
#[test]
fn attachments_of_both_directions_survive_it() {
    let server = Server::start(json!({}));
    for _ in 0..10 {
        server.cmd("reset");
        let client = Client::idle(Via::Upgrade.builder(server.url()));
        let flood = client.subscribe("bflood");
        client.connect();
        client.connected();
        client.emit("bflood", (200, 50)).unwrap();
        for n in 0..200 {
            let (a, b) = (pattern(3, n, 0, 100), pattern(3, n, 1, 10));
            client.emit("blob", (3, n, Binary::from(a), Binary::from(b))).unwrap();
        }
        for n in 0..200 {
            let (number, bytes): (usize, Binary) =
                recv_within(flood.receiver(), LIMIT).args().unwrap();
            assert_eq!((number, bytes.into_vec()), (n, pattern(0, n, 0, 50)));
        }
        let blobs: Json = client.ask("blobs", ());
        let seen = [&blobs["total"], &blobs["bad"], &blobs["bytes"]];
        assert_eq!(seen, [200, 0, 200 * 110]);
        assert_eq!(blobs["inOrder"], true);
        client.upgraded();
        has_moved(&client);
    }
}

/// A server that answers the last poll of the old transport when it has something to say, and not before.
#[test]
fn what_is_asked_during_the_last_poll_does_not_wait_for_its_end() {
    let (say, said) = unbounded::<&str>();
    let (hear, heard) = unbounded();
    let (answer, answers) = (say.clone(), said);
    let (poll, polls) = unbounded();
    let peer = RawPeer::start(move |mut connection| {
        loop {
            let request = connection.read_request()?;
            let headers = "Content-Type: text/plain; charset=UTF-8\r\n";
            if request.is_upgrade() {
                let mut socket = connection.upgrade(&request)?;
                while let Ok(message) = socket.read() {
                    let text = message.to_text().unwrap_or_default().to_owned();
                    if text == "2probe" {
                        // The poll that waits is not the one that brings the answer to CONNECT.
                        let _ = (polls.recv(), polls.recv());
                        // The pong to what comes behind the answer tells that it was read.
                        let _ = socket.send(Message::text("3probe"));
                        let _ = socket.send(Message::Ping("read?".into()));
                    }
                    let _ = hear.send(if message.is_pong() { "pong".to_owned() } else { text });
                }
                return Ok(());
            } else if request.method == "POST" {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                if body == "40" {
                    let _ = answer.send("40{\"sid\":\"a\"}");
                }
                let _ = hear.send(body);
                connection.respond(200, headers, b"ok")?;
            } else if request.parameter("sid").is_none() {
                let open = Greeting::new("s").upgrades(&["websocket"]).text();
                connection.respond(200, headers, open.as_bytes())?;
            } else {
                let _ = poll.send(());
                let Ok(packet) = answers.recv() else { return Ok(()) };
                connection.respond(200, headers, packet.as_bytes())?;
            }
        }
    });
    let client = Client::connect(Via::Upgrade.builder(peer.url()));
    let hear_next = || recv_within(&heard, LIMIT);
    let mut first = [0; 3].map(|_| hear_next());
    first.sort();
    assert_eq!(first, ["2probe", "40", "pong"]);
    let mut ack = client.emit_with_ack("question", ()).unwrap();
    assert_eq!(hear_next(), "420[\"question\"]");
    say.send("430[7]").unwrap();
    assert_eq!(ack.wait_timeout::<u32>(LIMIT).unwrap(), 7);
    client.upgraded();
    assert_eq!(hear_next(), "5");
    client.emit("last", ()).unwrap();
    assert_eq!(hear_next(), "42[\"last\"]");
    drop(say);
    client.manager().close(LIMIT);
}

#[test]
fn questions_and_answers_survive_it() {
    for _ in 0..5 {
        let client = Client::start(Via::Upgrade.builder(shared().url()));
        let mut upgraded = false;
        let mut n = 0;
        let start = Instant::now();
        while !upgraded || n < 100 {
            assert_eq!(client.ask::<u32>("sum", (n, 1)), n + 1);
            n += 1;
            upgraded |= client.manager().transport() == Some(Transport::WebSocket);
            assert!(start.elapsed() < LIMIT, "no upgrade");
        }
        has_moved(&client);
    }
}

/// Servers of each revision of Engine.IO take requests of the old transport while the client has the answer to
/// its probe, in order with what comes by the new one.
#[test]
fn a_stream_of_events_goes_through_it_in_order_whatever_the_server() {
    for version in [4, 3, 2] {
        let server = Server::start(json!({ "version": version }));
        for _ in 0..5 {
            server.cmd("reset");
            let client = Client::start(Via::Upgrade.builder(server.url()));
            let (mut n, mut more) = (0, 100);
            let start = Instant::now();
            while more > 0 {
                // Each waits for the one before: so there is one on the way at any time, and no crowd.
                let mut tick = client.emit_with_ack("tick", ("a", n)).unwrap();
                assert_eq!(tick.wait_timeout::<u32>(LIMIT).unwrap(), n, "{version}");
                client.emit("tick", ("a", n + 1)).unwrap();
                n += 2;
                let is_moved = client.manager().transport() == Some(Transport::WebSocket);
                more -= u32::from(is_moved);
                assert!(start.elapsed() < LIMIT, "no upgrade");
            }
            let ticks: Json = client.ask("ticks", ());
            assert_eq!(
                (&ticks["total"], &ticks["inOrder"]),
                (&json!(n), &json!(true)),
                "{version}"
            );
        }
    }
}

#[test]
fn emits_from_many_threads_survive_it() {
    let server = Server::start(json!({}));
    let client = Via::Upgrade.connect(server.url());
    thread::scope(|scope| {
        for id in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..1000 {
                    client.emit("tick", (id, n)).unwrap();
                }
            });
        }
    });
    client.upgraded();
    let ticks: Json = client.ask("ticks", ());
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(4000), &json!(true)));
}

#[test]
fn a_refused_probe_leaves_the_session_on_polling() {
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "match": "upgrade", "status": 400, "body": "no"}));
    let client = Via::Upgrade.connect(server.url());
    let error = upgrade_error(&client);
    assert!(error.to_string().contains("400"), "{error}");
    has_stayed(&client);
    assert_eq!(server.sessions(), 1);
}

#[test]
fn a_destroyed_probe_leaves_the_session_on_polling() {
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "match": "upgrade", "status": 0}));
    let client = Via::Upgrade.connect(server.url());
    upgrade_error(&client);
    has_stayed(&client);
}

#[test]
fn a_probe_without_answer_leaves_the_session_on_polling() {
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "match": "upgrade", "hang": true}));
    let client = Via::Upgrade.connect(server.url());
    eventually(LIMIT, "the probe", || {
        server.entries("requests").iter().any(|request| request["event"] == "upgrade")
    });
    has_stayed(&client);
    // It is no obstacle at the end either.
    client.disconnect();
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
}

#[test]
fn a_probe_that_hangs_is_given_up() {
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "match": "upgrade", "hang": true}));
    let builder = Via::Upgrade.builder(server.url()).connect_timeout(Duration::from_secs(3));
    let client = Client::connect(builder);
    upgrade_error(&client);
    has_stayed(&client);
}

#[test]
fn a_lost_probe_connection_leaves_the_session_on_polling() {
    // The server gives up a probe that is not followed by the upgrade, and closes what is left.
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "match": "upgrade", "status": 101}));
    let client = Via::Upgrade.connect(server.url());
    upgrade_error(&client);
    has_stayed(&client);
}

#[test]
fn a_server_without_upgrades_is_not_probed() {
    let server = Server::version(4, json!({"allowUpgrades": false}));
    let client = Via::Upgrade.connect(server.url());
    has_stayed(&client);
    assert!(server.entries("requests").iter().all(|request| request["event"] == "request"));
}

#[test]
fn an_unwanted_upgrade_is_not_tried() {
    let server = Server::start(json!({}));
    let client = Client::connect(Via::Upgrade.builder(server.url()).upgrade(false));
    has_stayed(&client);
    assert!(server.entries("requests").iter().all(|request| request["event"] == "request"));
}

#[test]
fn heartbeats_go_on_after_it() {
    let server = Server::version(4, json!({"pingInterval": 50, "pingTimeout": 2000}));
    let client = Via::Upgrade.settle(server.url());
    for _ in 0..10 {
        client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    }
    assert!(client.status.try_recv().is_none());
}

#[test]
fn a_session_lost_during_it_is_replaced() {
    let server = Server::start(json!({}));
    for _ in 0..5 {
        let client = Via::Upgrade.connect(server.url());
        server.cmd("close");
        client.disconnected();
        server.cmd("listen");
        client.reconnected();
        client.works();
        let mut after = client.emit_with_ack("never-ack", ()).unwrap();
        client.disconnect();
        let error = after.wait_timeout::<()>(LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        eventually(LIMIT, "the session's end", || server.sessions() == 0);
    }
}
