//! The figures of a connection, against real servers.

use std::time::Duration;

use siot::{Buffer, Manager, QueueStats, Stats, Transport, WhenFull};

use crate::support::hostile::HostileOptions;
use crate::support::{
    Client, LIMIT, Server, Via, brisk_each, eventually, over_each_transport, shared,
};

over_each_transport!(
    a_connection_that_is_lost_and_comes_back_is_counted,
    events_and_bytes_are_counted_in_both_directions,
    what_waits_is_counted,
    what_full_buffers_drop_is_counted_by_policy,
    answers_tell_the_round_trip_on_both_revisions,
);

/// Waits until the figures are as they are to be.
#[track_caller]
fn await_stats(manager: &Manager, what: &str, is_it: impl Fn(&Stats) -> bool) -> Stats {
    eventually(LIMIT, what, || is_it(&manager.stats()));
    manager.stats()
}

fn a_connection_that_is_lost_and_comes_back_is_counted(via: Via) {
    let server = Server::version(4, serde_json::json!({}));
    let client = Client::idle(via.builder(server.url()));
    let before = client.manager().stats();
    assert_eq!((before.connects, before.disconnects, before.failed_attempts), (0, 0, 0));
    assert!(before.connected_for.is_none() && before.transport.is_none());
    assert!(before.last_received.is_none() && before.last_error.is_none());

    client.connect();
    client.connected();
    let open = client.manager().stats();
    assert_eq!((open.connects, open.disconnects), (1, 0));
    assert!(open.connected_for.is_some() && open.transport.is_some());
    assert!(open.last_received.unwrap() <= open.connected_for.unwrap() + LIMIT);
    assert!(open.last_error.is_none() && open.next_attempt.is_none());

    server.kill();
    let lost = await_stats(client.manager(), "an attempt fails", |stats| {
        stats.failed_attempts > 0 && stats.connected_for.is_none()
    });
    assert_eq!((lost.connects, lost.disconnects), (1, 1));
    assert!(lost.last_error.is_some() && lost.last_error_age.is_some());
    await_stats(client.manager(), "it waits", |stats| stats.next_attempt.is_some());

    server.restart();
    client.reconnected();
    let back = client.manager().stats();
    assert_eq!((back.connects, back.disconnects), (2, 1));
    assert!(back.last_error.is_some() && back.failed_attempts >= lost.failed_attempts);
}

fn events_and_bytes_are_counted_in_both_directions(via: Via) {
    const COUNT: u64 = 50;
    let client = via.connect(shared().url());
    let floods = client.subscribe("flood");
    let before = client.manager().stats();
    client.emit("flood", (COUNT, 100)).unwrap();
    for _ in 0..COUNT {
        floods.recv_timeout(LIMIT).unwrap();
    }
    // Behind them comes an event that says so.
    let after = await_stats(client.manager(), "all have come", |stats| {
        stats.received.events == before.received.events + COUNT + 1
    });
    assert_eq!(after.sent.events - before.sent.events, 1);
    assert_eq!(after.sent.bytes - before.sent.bytes, r#"["flood",50,100]"#.len() as u64);
    let bytes = after.received.bytes - before.received.bytes;
    assert!(bytes >= COUNT * 100, "{bytes}");
    // With what they are packed in; servers may compress answers of long-polling.
    let wire = after.received.wire_bytes - before.received.wire_bytes;
    assert!(wire >= bytes || client.manager().transport() == Some(Transport::Polling), "{wire}");
    assert!(after.sent.wire_bytes - before.sent.wire_bytes > 16);
    assert!(before.sent.wire_bytes > 100, "the requests of the start: {before:?}");
}

fn what_waits_is_counted(via: Via) {
    let client = via.connect(shared().url());
    let floods = client.subscribe("flood");
    client.emit("flood", (5, 100)).unwrap();
    let stats =
        await_stats(client.manager(), "all have come", |stats| stats.receive_queue.events == 5);
    assert!(stats.receive_queue.bytes >= 500, "{stats:?}");
    assert_eq!(floods.try_iter().count(), 5);
    assert_eq!(client.manager().stats().receive_queue, QueueStats::default());

    client.disconnect();
    client.emit("later", "x").unwrap();
    let _never = client.emit_with_ack("later", "x").unwrap();
    // The farewell counts until it is written.
    let stats =
        await_stats(client.manager(), "the farewell is out", |stats| stats.send_queue.events == 2);
    assert_eq!(stats.awaited_acks, 1);
    assert_eq!(stats.send_queue.bytes, 2 * r#"["later","x"]"#.len());
}

fn what_full_buffers_drop_is_counted_by_policy(via: Via) {
    let client = via.connect(shared().url());
    let of = |policy| client.buffer(Buffer::new().events(10).when_full(policy)).unwrap();
    let oldest = of(WhenFull::DropOldest).subscribe("flood");
    let newest = of(WhenFull::DropNewest).subscribe("flood");
    let all = client.subscribe("flood");
    client.emit("flood", (30, 10)).unwrap();
    for _ in 0..30 {
        all.recv_timeout(LIMIT).unwrap();
    }
    let counters = client.manager().stats().counters;
    assert_eq!((counters.receive_gave_way, counters.receive_refused), (20, 20));
    assert_eq!(counters.receive_dropped, 40);
    assert_eq!(counters, client.manager().counters());
    assert_eq!((oldest.lost(), newest.lost()), (20, 20));
}

fn answers_tell_the_round_trip_on_both_revisions(via: Via) {
    for server in brisk_each() {
        let client = via.connect(server.url());
        client.works();
        let stats = client.manager().stats();
        assert!(stats.round_trip.is_some() && stats.round_trip_smoothed.is_some(), "{stats:?}");
        assert!(stats.round_trip.unwrap() < LIMIT);
    }
}

#[test]
fn only_old_servers_are_pinged_and_so_measured_without_acknowledgements() {
    let [new, old] = brisk_each().map(|server| Via::WebSocket.connect(server.url()));
    await_stats(old.manager(), "a ping is answered", |stats| stats.round_trip.is_some());
    new.wait_for("a heartbeat", |event| matches!(event, siot::ManagerEvent::Ping));
    assert_eq!(new.manager().stats().round_trip, None);
}

#[test]
fn the_last_byte_may_be_one_of_a_message_that_is_not_complete() {
    let server = HostileOptions::v4().start();
    let client = Client::connect(Via::WebSocket.builder(server.url()));
    let session = server.session();
    let silence = Duration::from_secs(3);
    let before = await_stats(client.manager(), "silence", |stats| {
        stats.last_received.is_some_and(|age| age >= silence)
    });
    session.stall_after(100);
    let after = await_stats(client.manager(), "something has come", |stats| {
        stats.received.wire_bytes > before.received.wire_bytes
    });
    await_stats(client.manager(), "its age", |stats| stats.last_received < before.last_received);
    assert_eq!(after.received.events, before.received.events);
}
