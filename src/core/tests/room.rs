//! Whose room it is: what the namespaces of a connection keep together, and what gives way for whom.

use super::buffers::{is_full, small};
use super::*;
use crate::core::load::Load;
use crate::options::WhenFull;

/// A client with room for three events: `/` is joined, and the buffer is full with those of a
/// namespace that is not.
fn beside_a_full_buffer(policy: WhenFull) -> (World, NamespaceId) {
    let mut world = small(policy);
    let root = world.join("/");
    let refused = world.connect("/refused");
    world.receive("44/refused,\"no\"");
    for ack in 0..3 {
        world.emit_with_ack(refused, "[0]", ack, None).unwrap();
    }
    world.log();
    world.sent();
    (world, root)
}

#[test]
fn no_emit_waits_for_room_that_nothing_under_way_will_make() {
    let (mut world, root) = beside_a_full_buffer(WhenFull::Wait);
    world.client.set_retries(root, Some(2));
    world.emit(root, "[1]").unwrap();
    assert!(world.waits(root), "for its own try");
    world.receive("41");
    assert!(is_full(world.emit(root, "[2]")));
    assert_eq!(world.client.fate(root, &emit("[1]")), Fate::Refused);
}

#[test]
fn what_others_keep_neither_stops_a_namespace_nor_makes_it_wait() {
    for policy in [WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest] {
        for retries in [None, Some(2)] {
            let (mut world, root) = beside_a_full_buffer(policy);
            world.client.set_retries(root, retries);
            for number in 0..10 {
                world.emit_with_ack(root, "[1]", 10 + number, None).unwrap();
                world.receive(&format!("43{number}[]"));
                assert_eq!(world.log(), [format!("ack {}: []", 10 + number)], "{policy:?}");
            }
        }
    }
}

#[test]
fn an_emit_waits_while_an_acknowledgement_is_awaited_that_makes_room() {
    let mut world = small(WhenFull::Wait);
    let (root, other) = (world.join("/"), world.join("/other"));
    for id in [root, other] {
        world.client.set_retries(id, Some(2));
    }
    for _ in 0..3 {
        world.emit(other, "[0]").unwrap();
    }
    assert!(world.waits(other) && !world.waits(root));
    world.emit(root, "[1]").unwrap();
    assert!(world.waits(root));
    world.receive("43/other,0[]");
    assert!(world.waits(root), "there were four");
    // What the other namespace keeps stays where it is; but this one has a try of its own.
    world.receive("41/other,");
    assert!(world.waits(root));
    world.receive("430[]");
    assert!(!world.waits(root));
    world.emit(root, "[2]").unwrap();
    assert!(world.waits(root));
    let told = world.told;
    world.run(|client, _| client.set_retries(root, None));
    assert!(world.told > told && !world.waits(root));
}

#[test]
fn who_waits_is_told_of_the_room_that_a_time_limit_makes() {
    let mut world = small(WhenFull::Wait);
    let root = world.join("/");
    world.client.set_retries(root, Some(2));
    world.emit(root, "[0]").unwrap();
    let other = world.connect("/other");
    for ack in 0..2 {
        world.emit_with_ack(other, "[1]", ack, Some(SECOND)).unwrap();
    }
    assert!(world.waits(root));
    let rooms = world.rooms;
    world.advance(SECOND);
    assert!(world.rooms > rooms && !world.waits(root));
}

#[test]
fn who_waits_is_told_of_the_room_that_retries_leave_when_they_are_switched_off() {
    let mut world = small(WhenFull::Wait);
    let (root, other) = (world.join("/"), world.join("/other"));
    for id in [root, other] {
        world.client.set_retries(id, Some(2));
    }
    world.emit(root, "[0]").unwrap();
    for _ in 0..2 {
        world.emit(other, "[0]").unwrap();
    }
    assert!(world.waits(root));
    let rooms = world.rooms;
    world.run(|client, _| client.set_retries(other, None));
    assert!(world.rooms > rooms && !world.waits(root));
}

#[test]
fn who_waits_is_told_that_events_are_sent_again_from_now_on() {
    let mut world = small(WhenFull::Wait);
    let root = world.join("/");
    world.slow = true;
    while !world.waits(root) {
        world.emit(root, "[0]").unwrap();
    }
    let rooms = world.rooms;
    world.run(|client, _| client.set_retries(root, Some(2)));
    assert!(world.rooms > rooms && !world.waits(root));
}

#[test]
fn the_oldest_gives_way_whichever_namespace_it_is_of() {
    let (mut world, _) = beside_a_full_buffer(WhenFull::DropOldest);
    let other = world.connect("/other");
    world.emit_with_ack(other, "[1]", 3, None).unwrap();
    assert_eq!(world.log(), Vec::<String>::new(), "it has kept nothing");
    world.emit_with_ack(other, "[2]", 4, None).unwrap();
    assert_eq!(world.log(), ["ack 0 failed: buffer full", "ack 1 failed: buffer full"]);
    world.emit_with_ack(other, "[3]", 5, None).unwrap();
    assert_eq!(world.log(), ["ack 2 failed: buffer full"]);
    world.emit_with_ack(other, "[4]", 6, None).unwrap();
    assert_eq!(world.log(), ["ack 3 failed: buffer full"]);
}

#[test]
fn for_what_is_ready_only_what_is_ready_gives_way() {
    let (mut world, root) = beside_a_full_buffer(WhenFull::DropOldest);
    world.slow = true;
    for number in 0..5 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    assert_eq!(world.log(), Vec::<String>::new());
    world.written();
    assert_eq!(world.sent(), ["42[0]", "42[2]", "42[3]", "42[4]"]);
}

#[test]
fn the_oldest_gives_way_among_retries_and_the_one_under_way_last() {
    let mut world = small(WhenFull::DropOldest);
    let root = world.join("/");
    world.client.set_retries(root, Some(2));
    for ack in 0..5 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, None).unwrap();
    }
    assert_eq!(world.news()[1..], ["ack 1 failed: buffer full", "ack 2 failed: buffer full"]);
    let long = format!("[\"{}\"]", "x".repeat(100));
    world.emit_with_ack(root, &long, 5, None).unwrap();
    assert_eq!(
        world.news(),
        ["ack 3 failed: buffer full", "ack 4 failed: buffer full", "ack 0 failed: buffer full"]
    );
    assert_eq!(world.sent(), ["420[0]".to_owned(), format!("421{long}")]);
    world.receive("430[\"late\"]");
    assert_eq!(world.news(), Vec::<String>::new());
    world.receive("431[]");
    assert_eq!(world.news(), ["ack 5: []"]);
    assert_eq!(world.namespace(root).buffered(), Load::default());
}

#[test]
fn what_fits_exactly_has_room() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_bytes(6).when_send_full(WhenFull::DropNewest);
    });
    let root = world.connect("/");
    for _ in 0..2 {
        world.emit(root, "[1]").unwrap();
    }
    assert!(is_full(world.emit(root, "[]")));
    assert_eq!(world.namespace(root).buffered(), Load { packets: 2, bytes: 6 });
}
