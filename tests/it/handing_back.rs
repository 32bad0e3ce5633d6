//! Ends that deliver what was emitted, or hand it back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use siot::{Binary, UndeliveredEvent};

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport, shared};

over_each_transport!(
    what_waits_for_a_server_that_is_not_there_is_handed_back,
    what_is_not_acknowledged_is_handed_back_as_sent,
    a_close_waits_for_answers_and_retries,
    what_was_handed_back_can_be_emitted_again,
    a_flush_waits_for_the_answer,
    a_flush_of_what_nothing_sends_fails_at_once,
    an_end_in_a_hurry_costs_nothing_that_was_written,
);

fn seen(server: &Server, name: &str) -> usize {
    server.entries("events").iter().filter(|event| event["name"] == name).count()
}

fn what_waits_for_a_server_that_is_not_there_is_handed_back(via: Via) {
    let server = Server::start(json!({}));
    let url = server.url().clone();
    server.kill();
    let client = Client::start(via.builder(url));
    client.emit("reading", (1, "a")).unwrap();
    client.emit("photo", Binary::from(vec![1, 2, 3])).unwrap();
    let start = Instant::now();
    let limit = Duration::from_secs(2);
    let back = client.manager().close(limit);
    assert!(start.elapsed() < limit * 2, "{:?}", start.elapsed());
    let names: Vec<_> = back.iter().map(UndeliveredEvent::name).collect();
    assert_eq!(names, ["reading", "photo"]);
    assert!(back.iter().all(|event| !event.was_sent() && event.namespace() == "/"));
    assert_eq!(back[0].args::<(u32, String)>().unwrap(), (1, "a".to_owned()));
    assert_eq!(back[1].args::<Binary>().unwrap(), Binary::from(vec![1, 2, 3]));
}

fn what_is_not_acknowledged_is_handed_back_as_sent(via: Via) {
    let client = via.connect(shared().url());
    let never = client.emit_with_ack("never-ack", (1, 2)).unwrap();
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    let back = client.manager().close(Duration::from_secs(2));
    assert_eq!(back.len(), 1, "{back:?}");
    assert!(back[0].was_sent() && back[0].name() == "never-ack");
    assert!(never.wait::<()>().unwrap_err().is_disconnected());
}

fn a_close_waits_for_answers_and_retries(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()).retries(2).ack_timeout(LIMIT));
    client.connect();
    client.connected();
    for n in 0..20 {
        client.emit("sum", (n, n)).unwrap();
    }
    let late = client.emit_with_ack("ack-late", 100).unwrap();
    assert!(client.manager().close(LIMIT).is_empty());
    assert_eq!(seen(&server, "sum"), 20);
    assert_eq!(late.wait::<String>().unwrap(), "late");
}

fn what_was_handed_back_can_be_emitted_again(via: Via) {
    let server = Server::start(json!({}));
    let before = Client::idle(via.builder(server.url()));
    before.emit("tick", (0, 0)).unwrap();
    before.emit("tick", (0, 1)).unwrap();
    let back = before.manager().close(LIMIT);
    assert_eq!(back.len(), 2);
    let client = via.connect(server.url());
    for event in &back {
        client.emit_again(event).unwrap();
    }
    client.works();
    let ticks = server.cmd("ticks");
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(2), &json!(true)));
}

fn a_flush_waits_for_the_answer(via: Via) {
    let client = via.connect(shared().url());
    client.flush(LIMIT).unwrap();
    let mut late = client.emit_with_ack("ack-late", 100).unwrap();
    client.flush(LIMIT).unwrap();
    assert_eq!(late.wait_timeout::<String>(LIMIT).unwrap(), "late");
    let _never = client.emit_with_ack("never-ack", ()).unwrap();
    let error = client.flush(Duration::from_millis(50)).unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("1 events"), "{error}");
}

fn a_flush_of_what_nothing_sends_fails_at_once(via: Via) {
    let client = Client::idle(via.builder(shared().url()));
    client.flush(LIMIT).unwrap();
    client.emit("tick", (0, 0)).unwrap();
    let start = Instant::now();
    let error = client.flush(LIMIT).unwrap_err();
    assert!(error.is_disconnected() && start.elapsed() < LIMIT / 2, "{error}");
}

/// The server reads what was written and the end together, later than the client waits.
fn an_end_in_a_hurry_costs_nothing_that_was_written(via: Via) {
    const EVENTS: usize = 100;
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    server.freeze();
    for n in 0..EVENTS {
        client.emit("tick", (0, n)).unwrap();
    }
    let back = client.manager().close(Duration::from_secs(2));
    server.thaw();
    let handled = || usize::try_from(server.cmd("ticks")["total"].as_u64().unwrap()).unwrap();
    eventually(LIMIT, "each is handled or was handed back", || handled() + back.len() >= EVENTS);
    let unsent = back.iter().filter(|event| !event.was_sent()).count();
    assert!(handled() + unsent <= EVENTS);
    if via != Via::Polling {
        assert_eq!(handled(), EVENTS);
    }
}

const MANY: u64 = 1000;

/// What is handed back by a close within this limit, which it keeps.
fn close_within(client: &Client, limit: Duration) -> Vec<UndeliveredEvent> {
    let start = Instant::now();
    let back = client.manager().close(limit);
    assert!(start.elapsed() < limit * 2, "{:?}", start.elapsed());
    back
}

/// The numbers of events that a peer has read or not, which were handed back.
fn numbers(back: &[UndeliveredEvent]) -> BTreeSet<u64> {
    let numbers: BTreeSet<u64> =
        back.iter().map(|event| event.args::<(u32, u64)>().unwrap().1).collect();
    assert_eq!(numbers.len(), back.len(), "nothing is handed back twice");
    numbers
}

/// A server that is stopped before, and reads only after the end: each of the events is handled then, or was handed back.
fn covered_by_a_frozen_server(version: u32) {
    let server = Server::version(version, json!({}));
    let client = Via::WebSocket.settle(server.url());
    server.freeze();
    for n in 0..MANY {
        client.emit("tick", (0, n)).unwrap();
    }
    let back = close_within(&client, Duration::from_secs(2));
    server.thaw();
    assert_eq!(numbers(&back), (0..MANY).collect());
    let handled = || server.cmd("ticks")["total"].as_u64().unwrap();
    let unsent = back.iter().filter(|event| !event.was_sent()).count() as u64;
    eventually(LIMIT, "what was written is handled", || handled() + unsent >= MANY);
}

#[test]
fn what_a_frozen_server_does_not_read_is_handed_back() {
    for version in [4, 3, 2] {
        covered_by_a_frozen_server(version);
    }
}

#[test]
fn what_a_server_has_handled_is_not_handed_back() {
    for version in [4, 3, 2] {
        let server = Server::version(version, json!({}));
        let client = Via::WebSocket.settle(server.url());
        for n in 0..MANY {
            client.emit("tick", (0, n)).unwrap();
        }
        assert!(close_within(&client, LIMIT).is_empty());
        assert_eq!(server.cmd("ticks")["total"], MANY);
    }
}

#[test]
fn what_a_lost_connection_may_have_cost_can_be_taken_and_sent_again() {
    let server = Server::start(json!({}));
    let client = Via::WebSocket.settle(server.url());
    server.freeze();
    for n in 0..MANY {
        client.emit("tick", (0, n)).unwrap();
    }
    client.manager().flush(LIMIT).unwrap();
    // With what it has not read.
    server.restart();
    client.disconnected();
    client.wait_connected(LIMIT).unwrap();
    let lost = client.take_unconfirmed();
    assert_eq!(numbers(&lost), (0..MANY).collect());
    assert!(client.take_unconfirmed().is_empty());
    for event in &lost {
        client.emit_again(event).unwrap();
    }
    assert!(close_within(&client, LIMIT).is_empty());
    assert_eq!(server.cmd("ticks")["total"], MANY);
}
