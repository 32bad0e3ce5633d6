//! What is dropped is told, at once and then once in a second.

use super::*;
use crate::options::WhenFull;

/// Not connected, with room for one event of which the oldest gives way.
fn narrow() -> (World, NamespaceId) {
    let mut world = World::with(|options| {
        let limits = options.limits.clone().send_events(1);
        options.limits = limits.when_send_full(WhenFull::DropOldest);
    });
    let root = world.connect("/");
    world.emit(root, "[0]").unwrap();
    (world, root)
}

#[test]
fn the_first_drop_is_told_at_once_and_what_follows_once_in_a_second() {
    let (mut world, root) = narrow();
    world.emit(root, "[1]").unwrap();
    assert_eq!(world.drops(), ["/: 1, 3 bytes: GaveWay"]);
    for _ in 0..1000 {
        world.emit(root, "[\"long\"]").unwrap();
    }
    world.advance(SECOND / 2);
    assert_eq!(world.drops(), Vec::<String>::new());
    world.advance(SECOND / 2);
    assert_eq!(world.drops(), ["/: 1000, 7995 bytes: GaveWay"]);
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.drops(), Vec::<String>::new());
    world.advance(SECOND);
    assert_eq!(world.drops(), ["/: 1, 8 bytes: GaveWay"]);
    // A pause without a drop is the last.
    world.advance(SECOND);
    world.emit(root, "[3]").unwrap();
    assert_eq!(world.drops(), ["/: 1, 3 bytes: GaveWay"]);
    assert_eq!(world.client.tally().dropped, 1003);
}

#[test]
fn each_reason_and_each_namespace_has_its_own_sum() {
    let (mut world, root) = narrow();
    let other = world.connect("/other");
    world.try_emit(root, Emit { ttl: Some(SECOND / 10), ..emit("[1]") }).unwrap();
    world.advance(SECOND / 10);
    world.emit(other, "[2]").unwrap();
    world.emit(other, "[33]").unwrap();
    assert_eq!(world.drops(), ["/: 1, 3 bytes: GaveWay", "/other: 1, 3 bytes: GaveWay"]);
    world.advance(SECOND);
    assert_eq!(world.drops(), ["/: 1, 3 bytes: Expired"]);
}

#[test]
fn what_the_server_would_not_take_is_told_by_its_size() {
    let mut world = World::new();
    world.handshake.max_payload = Some(20);
    let root = world.connect("/");
    let long = format!("[\"{}\"]", "x".repeat(40));
    world.emit(root, &long).unwrap();
    world.emit(root, "[1]").unwrap();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[1]"]);
    assert_eq!(world.drops(), ["/: 1, 44 bytes: TooLarge"]);
}

#[test]
fn an_event_that_is_given_up_after_its_tries_is_told() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(0));
    world.emit_with_ack(root, "[1]", 1, Some(SECOND)).unwrap();
    world.advance(SECOND);
    assert_eq!(world.drops(), ["/: 1, 3 bytes: Unacknowledged"]);
}

#[test]
fn an_answer_that_its_session_did_not_take_is_told() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    assert!(world.run(|client, now| client.reply(root, 1, 7, payload("[]"), now)).is_ok());
    world.drop_link();
    assert_eq!(world.drops(), ["/: 1, 2 bytes: SessionEnded"]);
}

#[test]
fn what_the_program_decides_itself_is_counted_and_not_told() {
    let mut world = World::new();
    let root = world.connect("/");
    world.try_emit(root, Emit { volatile: true, ..emit("[1]") }).unwrap();
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.run(|client, _| client.clear_send_buffer(root)), 1);
    world.emit(root, "[3]").unwrap();
    world.forget(root);
    assert_eq!(world.drops(), Vec::<String>::new());
    assert_eq!(world.client.tally().dropped, 3);
}

#[test]
fn nothing_is_kept_of_a_namespace_that_is_forgotten() {
    let (mut world, root) = narrow();
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    world.forget(root);
    world.assert_at_rest();
}

#[test]
fn who_is_forgotten_takes_nothing_along_of_what_others_are_to_be_told() {
    let (mut world, root) = narrow();
    let other = world.connect("/other");
    for json in ["[1]", "[2]"] {
        world.emit(root, json).unwrap();
    }
    world.emit(other, "[3]").unwrap();
    for json in ["[4]", "[5]"] {
        world.emit(other, json).unwrap();
    }
    world.drops();
    world.forget(other);
    world.advance(SECOND);
    assert_eq!(world.drops().len(), 1, "of the one that is left");
}
