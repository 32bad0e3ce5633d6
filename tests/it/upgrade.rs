//! The move of a session from long-polling to WebSocket, with traffic on it.
#![cfg(feature = "polling")]

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use siot::{Binary, Error, ErrorKind, ManagerEvent, Transport};

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
    let builder = Via::Upgrade.builder(server.url()).timeout(Duration::from_millis(400));
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
        let after = client.emit_with_ack("never-ack", ()).unwrap();
        client.disconnect();
        let error = after.wait_timeout::<()>(LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        eventually(LIMIT, "the session's end", || server.sessions() == 0);
    }
}
