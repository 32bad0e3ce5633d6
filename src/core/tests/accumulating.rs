//! In a burst, events accumulate before they are written; what somebody waits for does not.

use super::*;
use crate::event::undelivered::UndeliveredEvent;
use crate::options::WhenFull;

/// Joined, in the midst of a burst: what is emitted accumulates.
fn in_burst(change: impl FnOnce(&mut ManagerOptions)) -> (World, NamespaceId) {
    let mut world = World::with(change);
    let root = world.join("/");
    world.accumulates = true;
    world.emit(root, "[0]").unwrap();
    assert_eq!(world.sent(), ["42[0]"]);
    (world, root)
}

#[test]
fn what_is_emitted_in_a_burst_accumulates_until_the_writer_looks_again() {
    let (mut world, root) = in_burst(|_| ());
    for round in 0..3 {
        world.emit(root, "[1]").unwrap();
        world.try_emit(root, Emit { replaces: Some("k".into()), ..emit("[2]") }).unwrap();
        assert!(world.sent().is_empty(), "round {round}");
        world.look_again();
        assert_eq!(world.sent(), ["42[1]", "42[2]"]);
    }
    world.look_again();
    world.emit(root, "[3]").unwrap();
    assert_eq!(world.sent(), ["42[3]"], "nothing had come, so the burst was over");
}

#[test]
fn only_the_writer_of_the_session_gets_its_events() {
    let (mut world, _) = in_burst(|_| ());
    world.look_again();
    let engine = world.client.engine().unwrap();
    let (own, other) = (engine.main_link(), LinkId(u32::MAX));
    assert_eq!([own, other].map(|link| engine.wants_batch(link)), [true, false]);
    assert!(!world.run(|client, now| client.accumulate(other, now)));
}

/// What goes out at once.
#[test]
fn what_somebody_waits_for_ends_the_accumulating() {
    let with = |emit: fn(&mut World, NamespaceId), sent: &str| {
        let (mut world, root) = in_burst(|_| ());
        world.emit(root, "[1]").unwrap();
        emit(&mut world, root);
        let all = world.sent();
        let others: Vec<_> = all.iter().filter(|text| *text != "42[1]").collect();
        assert_eq!((all.len(), others), (2, vec![&sent.to_owned()]), "{sent}");
    };
    with(|world, root| world.emit_with_ack(root, "[2]", 0, None).unwrap(), "420[2]");
    with(
        |world, root| world.try_emit(root, Emit { urgent: true, ..emit("[3]") }).unwrap(),
        "42[3]",
    );
    with(
        |world, root| world.try_emit(root, Emit { ttl: Some(SECOND), ..emit("[4]") }).unwrap(),
        "42[4]",
    );
    with(
        |world, root| world.try_emit(root, Emit { volatile: true, ..emit("[5]") }).unwrap(),
        "42[5]",
    );
    with(
        |world, root| {
            world.run(|client, now| client.reply(root, 1, 7, payload("[6]"), now)).unwrap();
        },
        "437[6]",
    );
    with(
        |world, _| {
            world.connect("/a");
        },
        "40/a,",
    );
    with(World::disconnect, "41");
    with(|world, _| world.receive("2"), "3");
}

#[test]
fn nothing_accumulates_while_something_is_awaited() {
    let (mut world, root) = World::joined();
    world.accumulates = true;
    world.emit_with_ack(root, "[0]", 0, None).unwrap();
    world.emit(root, "[1]").unwrap();
    assert_eq!(world.sent(), ["420[0]", "42[1]"]);
    world.receive("430[]");
    world.emit(root, "[2]").unwrap();
    world.emit(root, "[3]").unwrap();
    assert_eq!(world.sent(), ["42[2]"]);
}

#[test]
fn what_has_accumulated_is_written_before_it_takes_up_half_of_the_room() {
    let many: fn(&mut ManagerOptions) = |options| {
        options.limits = options.limits.clone().send_events(10);
    };
    let long: fn(&mut ManagerOptions) = |options| {
        options.limits = options.limits.clone().send_bytes(100);
    };
    for (limit, json, most) in [
        (many, "[1]".to_owned(), 5),
        (long, "[1234567]".to_owned(), 6),
        (|_| (), format!("[\"{}\"]", "x".repeat(1020)), 64),
    ] {
        let (mut world, root) = in_burst(limit);
        for _ in 1..most {
            world.emit(root, &json).unwrap();
        }
        assert_eq!(world.sent().len(), 0, "{most} events of {} bytes", json.len());
        world.emit(root, &json).unwrap();
        assert_eq!(world.sent().len(), most);
    }
}

#[test]
fn nothing_accumulates_that_could_cost_an_event_its_place() {
    for policy in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let (mut world, root) = in_burst(|options| {
            options.limits = options.limits.clone().when_send_full(policy);
        });
        world.emit(root, "[1]").unwrap();
        assert_eq!(world.sent(), ["42[1]"]);
    }
}

#[test]
fn what_has_accumulated_waits_whole() {
    let (mut world, root) = in_burst(|_| ());
    world.emit(root, "[1]").unwrap();
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[1]"]);
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.sent(), ["42[2]"]);
    world.emit(root, "[3]").unwrap();
    let taken = world.run(|client, now| client.take_unsent(root, now));
    assert_eq!(taken.iter().map(UndeliveredEvent::json).collect::<Vec<_>>(), ["[3]"]);
    world.look_again();
    assert!(world.sent().is_empty());
}
