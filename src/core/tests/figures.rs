//! What is counted, and how long answers take.

use super::*;
use crate::core::client::{EventSum, Tally};
use crate::options::WhenFull;

const MS: Duration = Duration::from_millis(1);

/// The last round trip and the smoothed one, in milliseconds.
fn round_trip(world: &World) -> Option<(u128, u128)> {
    let round_trip = world.client.round_trip();
    Some((round_trip.last?.as_millis(), round_trip.smoothed?.as_millis()))
}

fn ask(world: &mut World, root: NamespaceId, number: u32, takes: u32) {
    world.emit_with_ack(root, "[\"q\"]", number, None).unwrap();
    world.advance(MS * takes);
    world.receive(&format!("43{number}[]"));
}

#[test]
fn answers_tell_how_long_they_take_and_each_counts_for_an_eighth() {
    let (mut world, root) = World::joined();
    assert_eq!(round_trip(&world), None);
    ask(&mut world, root, 0, 80);
    assert_eq!(round_trip(&world), Some((80, 80)));
    ask(&mut world, root, 1, 160);
    assert_eq!(round_trip(&world), Some((160, 90)));
}

#[test]
fn servers_that_ping_themselves_tell_nothing_by_that() {
    let (mut world, _) = World::joined();
    world.advance(INTERVAL);
    world.receive("2");
    assert_eq!(world.sent(), ["3"]);
    world.receive("3");
    assert_eq!(round_trip(&world), None);
}

#[test]
fn the_answer_to_a_ping_tells_the_round_trip() {
    let mut world = World::old();
    world.connect("/");
    world.open();
    world.receive("40");
    world.sent();
    // One that was not asked for tells nothing.
    world.receive("3");
    assert_eq!(round_trip(&world), None);
    world.advance(INTERVAL);
    assert_eq!(world.sent(), ["2"]);
    world.advance(MS * 40);
    world.receive("3");
    world.receive("3");
    assert_eq!(round_trip(&world), Some((40, 40)));
}

#[test]
fn an_event_that_was_sent_twice_tells_nothing() {
    let (mut world, root) = World::joined();
    let reliable = Emit { reliable: true, ..emit("[\"r\"]") };
    world.run(|client, now| client.emit(root, reliable, now)).unwrap();
    assert_eq!(world.sent().len(), 1);
    while world.sent().is_empty() {
        world.advance(SECOND);
        world.receive("2");
        world.links.values_mut().for_each(|link| link.sent.retain(|packet| packet != "3"));
    }
    world.receive("430[]");
    assert_eq!(round_trip(&world), None);
}

#[test]
fn a_new_session_is_measured_anew() {
    let (mut world, root) = World::joined();
    ask(&mut world, root, 0, 80);
    world.drop_link();
    world.advance_to_deadline();
    assert_eq!(round_trip(&world), Some((80, 80)));
    world.open();
    assert_eq!(round_trip(&world), None);
}

fn sum(events: u64, bytes: u64) -> EventSum {
    EventSum { events, bytes }
}

#[test]
fn events_and_answers_are_counted_in_both_directions() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"q\"]", 0, None).unwrap();
    world.receive("430[1]");
    world.receive("42[\"event\",2]");
    // Nobody waits for these.
    world.receive("437[1]");
    world.receive("42/x,[\"event\",2]");
    let tally = world.client.tally();
    assert_eq!((tally.sent, tally.received), (sum(1, 5), sum(2, 3 + 11)));
    assert_eq!(tally.ignored, 2);
}

#[test]
fn what_comes_back_from_a_lost_session_was_not_sent() {
    let (mut world, root) = World::joined();
    world.slow = true;
    for _ in 0..3 {
        world.emit(root, "[\"a\"]").unwrap();
    }
    // One is being written, and two are behind it in the session.
    world.run(|client, now| client.disconnect(root, now));
    world.drop_link();
    assert_eq!(world.client.tally().sent, sum(1, 5));
}

#[test]
fn attempts_in_vain_are_counted() {
    let mut world = World::new();
    world.connect("/");
    for count in 1..=3 {
        world.drop_link();
        assert_eq!(world.client.tally().failed_attempts, count);
        world.advance_to_deadline();
    }
    world.open();
    world.drop_link();
    assert_eq!(world.client.tally().failed_attempts, 3);
}

#[test]
fn drops_are_counted_by_reason() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_events(2).when_send_full(WhenFull::DropOldest);
    });
    let root = world.connect("/");
    (0..5).for_each(|_| world.emit(root, "[\"a\"]").unwrap());
    let volatile = Emit { volatile: true, ..emit("[\"v\"]") };
    world.run(|client, now| client.emit(root, volatile, now)).unwrap();
    assert_eq!(world.run(|client, _| client.clear_send_buffer(root)), 2);
    let short = Emit { ttl: Some(SECOND), ..emit("[\"t\"]") };
    world.run(|client, now| client.emit(root, short, now)).unwrap();
    world.advance(SECOND);
    let expected = Tally { dropped: 7, gave_way: 3, volatile: 1, expired: 1, ..Tally::default() };
    assert_eq!(world.client.tally(), expected);
}

#[test]
fn each_reason_has_a_sum_of_its_own() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_bytes(1000);
    });
    world.handshake.max_payload = Some(50);
    let root = world.connect("/");
    let long = format!("[\"{}\"]", "x".repeat(100));
    (0..2).for_each(|_| world.emit(root, &long).unwrap());
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    world.client.set_retries(root, Some(0));
    for ack in 0..2 {
        world.emit_with_ack(root, "[1]", ack, Some(SECOND)).unwrap();
        world.advance(SECOND);
    }
    world.client.set_retries(root, None);
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    for ack in 0..2 {
        assert!(world.run(|client, now| client.reply(root, 1, ack, payload("[]"), now)).is_ok());
    }
    world.drop_link();
    let tally = world.client.tally();
    assert_eq!(
        (tally.too_large, tally.unacknowledged, tally.session_ended),
        (2, 2, 2),
        "{tally:?}"
    );
}

#[test]
fn what_waits_and_what_is_awaited_is_counted_over_all_namespaces() {
    let (mut world, root) = World::joined();
    assert_eq!(world.client.connected_for(world.now), Some(Duration::ZERO));
    let other = world.connect("/other");
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    world.emit_with_ack(other, "[22]", 2, None).unwrap();
    world.emit_with_ack(other, "[33]", 3, None).unwrap();
    assert_eq!(world.client.awaited_acks(), 3);
    let load = world.client.send_load();
    assert!(load.packets >= 3 && load.bytes >= 11, "{load:?}");
    world.advance(SECOND);
    assert_eq!(world.client.connected_for(world.now), Some(SECOND));
    world.drop_link();
    assert_eq!(world.client.connected_for(world.now), None);
}
