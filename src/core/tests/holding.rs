//! What a reader that holds still would miss: what it is, and from when on.

use super::upgrade::{Milestone, POLLING, upgrading};
use super::*;

fn awaits(world: &World) -> bool {
    world.client.awaits(world.now)
}

#[test]
fn each_of_what_comes_behind_events_is_awaited_until_it_is_there() {
    let mut world = World::new();
    assert!(awaits(&world) && !world.client.has_joined());
    world.connect("/");
    assert!(awaits(&world), "a handshake");
    world.open();
    assert!(awaits(&world) && !world.client.has_joined(), "the answer to CONNECT");
    world.receive("40{\"sid\":\"a\"}");
    assert!(!awaits(&world) && world.client.has_joined());

    let root = world.client.namespace_id("/");
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    assert!(awaits(&world), "an acknowledgement");
    world.receive("430[]");
    assert!(!awaits(&world));

    let other = world.connect("/other");
    world.disconnect(other);
    assert!(awaits(&world), "the answer to CONNECT that is to be undone");
    world.receive("44/other,\"no\"");
    assert!(!awaits(&world));

    for _ in 0..2 {
        world.run(|client, _| client.begin_wait_for_room());
    }
    world.run(|client, _| client.end_wait_for_room());
    assert!(awaits(&world), "room");
    world.run(|client, _| client.end_wait_for_room());
    assert!(!awaits(&world));

    world.deaf = true;
    world.join("/third");
    let third = world.client.namespace_id("/third");
    world.emit(third, "[1]").unwrap();
    world.disconnect(third);
    assert!(awaits(&world), "a confirmation");
    while world.is_asking() {
        world.confirm_on(world.last_link);
    }
    assert!(!awaits(&world));
}

#[test]
fn an_acknowledgement_is_awaited_from_when_its_event_is_about_to_be_sent() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    let refused = world.connect("/refused");
    world.written();
    world.receive("44/refused,\"no\"");
    world.written();
    world.emit_with_ack(refused, "[1]", 1, None).unwrap();
    assert!(!awaits(&world), "it is not joined");
    world.emit(root, "[2]").unwrap();
    world.emit_with_ack(root, "[3]", 3, None).unwrap();
    assert!(awaits(&world), "no writer has taken it yet");
}

#[test]
fn the_end_of_an_upgrade_is_awaited() {
    for (milestone, is_awaited) in [(Milestone::Probing, true), (Milestone::Done, false)] {
        let (mut world, _) = upgrading(milestone);
        world.receive_on(POLLING, &["6"]);
        world.written();
        assert_eq!(awaits(&world), is_awaited, "{milestone:?}");
    }
}

#[test]
fn a_heartbeat_is_awaited_from_when_it_is_due_and_whoever_holds_still_looks_then() {
    let (mut world, _) = World::joined();
    let due = world.now + INTERVAL;
    world.advance(SECOND * 10);
    let heartbeat = world.client.next_deadline();
    world.run(Client::hold);
    assert_eq!(world.client.next_deadline(), Some(due));
    world.advance(INTERVAL.checked_sub(SECOND * 10 + MOMENT).unwrap());
    assert!(!awaits(&world));
    world.advance(MOMENT);
    assert!(awaits(&world));
    world.run(Client::hold);
    assert_eq!(world.client.next_deadline(), heartbeat, "nothing more changes by itself");
    world.receive("2");
    assert!(!awaits(&world));
    world.run(Client::hold);
    assert_eq!(world.client.next_deadline(), Some(world.now + INTERVAL));
    world.run(|client, _| client.go_on());
    assert_eq!(world.client.next_deadline(), Some(world.now + INTERVAL + TIMEOUT));
}

#[test]
fn the_answer_to_a_ping_of_ours_is_awaited_from_the_ping_on() {
    let mut world = World::old();
    world.connect("/");
    world.open();
    world.receive("40");
    assert!(!awaits(&world));
    world.advance(INTERVAL);
    assert_eq!(world.sent(), ["2"]);
    assert!(awaits(&world));
    world.receive("3");
    assert!(!awaits(&world));
}

#[test]
fn where_nothing_awaited_can_come_acknowledgements_are_given_up_at_once() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    assert!(world.client.stalled().is_none());
    let why = Error::new(ErrorKind::BufferFull, "a consumer is behind");
    world.run(|client, _| client.stall(&why));
    assert_eq!(world.log(), ["ack 1 failed: buffer full"]);
    assert_eq!(world.client.stalled().map(Error::message), Some(why.message()));
    world.run(|client, _| client.go_on());
    assert!(world.client.stalled().is_none());
}
