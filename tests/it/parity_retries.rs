//! Events that are sent again until the server acknowledges them.

use std::time::Duration;

use crossbeam_channel::unbounded;
use serde_json::json;
use siot::Status;

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within};

over_each_transport!(
    an_unanswered_event_is_sent_again_and_then_given_up,
    an_answered_event_is_sent_once_whatever_the_answer,
    events_are_sent_one_after_the_other,
    a_volatile_event_does_not_wait_for_the_others,
    a_lost_connection_is_no_try,
    an_event_that_is_emitted_on_connecting_is_sent_once,
);

/// A client that sends everything up to three times.
fn persistent(via: Via, server: &Server) -> Client {
    Client::idle(via.builder(server.url()).retries(2).ack_timeout(LIMIT))
}

/// How often the server has seen an event.
fn seen(server: &Server, name: &str) -> usize {
    server.entries("events").iter().filter(|event| event["name"] == name).count()
}

fn an_unanswered_event_is_sent_again_and_then_given_up(via: Via) {
    let server = Server::start(json!({}));
    let client = persistent(via, &server);
    let outgoing = client.subscribe_any_outgoing();
    client.connect();
    client.connected();
    let limit = Duration::from_millis(60);
    let answer = client.timeout(limit).emit_with_ack("never-ack", ()).unwrap();
    let next = client.emit_with_ack("sum", (1, 2)).unwrap();
    assert!(answer.wait::<()>().unwrap_err().is_timeout());
    assert_eq!(next.wait::<u32>().unwrap(), 3);
    assert_eq!(seen(&server, "never-ack"), 3);
    assert_eq!(outgoing.try_iter().filter(|event| event.name() == "never-ack").count(), 3);
    assert_eq!(client.manager().counters().send_dropped, 1);
}

fn an_answered_event_is_sent_once_whatever_the_answer(via: Via) {
    let server = Server::start(json!({}));
    // Without a time limit as well.
    let client = Client::connect(via.builder(server.url()).retries(5));
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    assert_eq!(client.ask::<Option<u32>>("echo", json!(null)), None);
    client.ask::<()>("ack-none", ());
    client.emit("sum", (3, 4)).unwrap();
    client.ask::<()>("ack-none", ());
    assert_eq!([seen(&server, "sum"), seen(&server, "echo"), seen(&server, "ack-none")], [2, 1, 2]);
}

fn events_are_sent_one_after_the_other(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).retries(2).ack_timeout(LIMIT));
    // Late enough for the server to be asked meanwhile.
    let slow = client.emit_with_ack("ack-late", 3000).unwrap();
    let ticks: Vec<_> = (0..5).map(|n| client.emit_with_ack("tick", (0, n)).unwrap()).collect();
    assert_eq!(seen(&server, "tick"), 0);
    slow.wait::<String>().unwrap();
    for (n, tick) in ticks.into_iter().enumerate() {
        assert_eq!(tick.wait::<usize>().unwrap(), n);
    }
    assert_eq!(server.cmd("ticks")["inOrder"], true);
}

fn a_volatile_event_does_not_wait_for_the_others(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).retries(2).ack_timeout(LIMIT));
    let slow = client.emit_with_ack("ack-late", 5000).unwrap().receiver();
    eventually(LIMIT, "the slow one", || seen(&server, "ack-late") == 1);
    // It goes where the transport can take it now, which by long-polling may not be at once.
    eventually(LIMIT, "the volatile one", || {
        client.volatile().emit("tick", (0, 0)).unwrap();
        seen(&server, "tick") > 0
    });
    assert!(slow.try_recv().is_err(), "it waited");
    recv_within(&slow, LIMIT).unwrap();
}

fn a_lost_connection_is_no_try(via: Via) {
    let server = Server::start(json!({}));
    let builder = via.builder(server.url()).query("device", "d").retries(0).ack_timeout(LIMIT);
    let client = Client::connect(builder);
    for n in 0..3 {
        // The first time, the server ends the connection instead of answering.
        let mut answer = client.emit_with_ack("reading", (n, "fail", n)).unwrap();
        answer.wait_timeout::<()>(LIMIT).unwrap();
        client.disconnected();
        client.reconnected();
    }
    assert_eq!(seen(&server, "reading"), 6);
}

fn an_event_that_is_emitted_on_connecting_is_sent_once(via: Via) {
    let server = Server::start(json!({}));
    let client = persistent(via, &server);
    let (sender, done) = unbounded();
    let socket = client.socket.clone();
    client
        .on_status(move |status| {
            if matches!(status, Status::Connected { .. }) {
                let sender = sender.clone();
                socket
                    .emit_with_callback("tick", (0, 0), move |answer| sender.send(answer).unwrap())
                    .unwrap();
            }
        })
        .unwrap();
    client.connect();
    recv_within(&done, LIMIT).unwrap();
    client.works();
    assert_eq!(seen(&server, "tick"), 1);
    // The callback owns a clone of the socket.
    client.manager().close(LIMIT);
}
