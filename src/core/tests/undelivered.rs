//! What an end hands back.

use bytes::Bytes;

use super::*;
use crate::event::undelivered::UndeliveredEvent;

/// What is handed back: the events, and whether each was sent.
fn shut_down(world: &mut World) -> Vec<(String, bool)> {
    let undelivered = end(world);
    undelivered.iter().map(|event| (event.json().to_owned(), event.was_sent())).collect()
}

fn end(world: &mut World) -> Vec<UndeliveredEvent> {
    world.run(Client::end)
}

fn list(events: &[(&str, bool)]) -> Vec<(String, bool)> {
    events.iter().map(|(json, sent)| ((*json).to_owned(), *sent)).collect()
}

#[test]
fn what_waits_for_a_connection_is_handed_back_with_its_namespace_and_binary() {
    let mut world = World::new();
    let (root, other) = (world.connect("/"), world.connect("/other"));
    let photo = Emit {
        payload: Payload {
            json: "[\"p\",{\"_placeholder\":true,\"num\":0}]".into(),
            attachments: vec![Bytes::from_static(b"abc")],
        },
        ..emit("")
    };
    world.try_emit(root, photo).unwrap();
    world.emit_with_ack(other, "[\"q\",1]", 1, Some(SECOND)).unwrap();
    let undelivered = end(&mut world);
    let [photo, question] = &undelivered[..] else { panic!("{undelivered:?}") };
    assert_eq!((photo.namespace(), photo.name(), photo.was_sent()), ("/", "p".into(), false));
    assert_eq!(photo.attachments().collect::<Vec<_>>(), [b"abc"]);
    assert_eq!((question.namespace(), question.json()), ("/other", "[\"q\",1]"));
    assert_eq!(world.news(), ["ack 1 failed: disconnected"]);
    world.assert_at_rest();
}

#[test]
fn what_is_not_acknowledged_is_handed_back_before_what_was_not_sent() {
    let (mut world, root) = World::joined();
    for ack in 0..3 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, None).unwrap();
    }
    world.receive("431[]");
    world.slow = true;
    world.emit(root, "[\"in flight\"]").unwrap();
    world.emit(root, "[\"ready\"]").unwrap();
    let handed_back = shut_down(&mut world);
    assert_eq!(handed_back, list(&[("[0]", true), ("[2]", true), ("[\"ready\"]", false)]));
    // What a writer has may still be written, and the ping behind it answered.
    world.written();
    world.written();
    let unwritten = world.run(Client::take_unwritten);
    assert!(unwritten.is_empty(), "{unwritten:?}");
    assert_eq!(world.sent()[3..], ["42[\"in flight\"]", "41"]);
}

#[test]
fn what_a_writer_does_not_finish_may_have_arrived() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    assert_eq!(shut_down(&mut world), list(&[]));
    world.drop_link();
    let unwritten = world.run(Client::take_unwritten);
    let unwritten: Vec<_> = unwritten.iter().map(|it| (it.json(), it.was_sent())).collect();
    assert_eq!(unwritten, [("[1]", true)]);
}

#[test]
fn retries_are_handed_back_and_the_one_under_way_may_have_arrived() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(2));
    for ack in 0..3 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, None).unwrap();
    }
    assert!(world.client.is_delivering(Some(root)));
    assert_eq!(world.client.count_waiting(None), 3);
    assert_eq!(shut_down(&mut world), list(&[("[0]", true), ("[1]", false), ("[2]", false)]));
}

#[test]
fn something_is_delivering_as_long_as_it_may_arrive_by_itself() {
    let mut world = World::new();
    let root = world.client.namespace_id("/");
    world.emit(root, "[1]").unwrap();
    assert!(!world.client.is_delivering(None), "nothing tries to connect");
    assert_eq!(world.client.count_waiting(None), 1);
    world.connect_id(root);
    assert!(world.client.is_delivering(Some(root)));
    world.open();
    world.slow = true;
    world.receive("40{\"sid\":\"a\"}");
    assert!(world.client.is_delivering(None), "it is being written");
    world.written();
    assert!(!world.client.is_delivering(None));
    world.emit_with_ack(root, "[2]", 2, None).unwrap();
    world.written();
    assert!(world.client.is_delivering(None), "the answer is awaited");
    world.receive("430[]");
    assert!(!world.client.is_delivering(None));
    assert_eq!(world.client.count_waiting(None), 0);
}

#[test]
fn what_a_session_on_its_way_out_has_to_write_is_still_delivered() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    let other = world.join("/other");
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    world.run(Client::close);
    let delivering = |world: &World, id| world.client.is_delivering(id);
    assert!(delivering(&world, None) && delivering(&world, Some(root)));
    assert!(!delivering(&world, Some(other)));
    assert_eq!(world.client.count_waiting(Some(root)), 2);
    assert_eq!(world.client.send_load().packets, 2);

    let rooms = world.rooms;
    world.written();
    assert_eq!(world.client.count_waiting(None), 1);
    assert!(world.rooms > rooms, "who waits for that looks again");
    let rooms = world.rooms;
    world.written();
    assert!(!delivering(&world, None) && world.rooms > rooms);
    assert_eq!(world.client.count_waiting(None), 0);
    assert_eq!(world.sent(), ["42[1]", "42[2]", "1"]);
}

#[test]
fn who_waits_for_a_session_on_its_way_out_looks_again_when_that_is_cut() {
    let (mut world, root) = World::joined();
    world.slow = true;
    for number in 1..=2 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    world.disconnect(root);
    assert!(world.client.is_delivering(Some(root)));
    let rooms = world.rooms;
    world.drop_link();
    assert!(!world.client.is_delivering(None), "nothing tries to connect");
    assert!(world.rooms > rooms);
    assert_eq!(world.client.count_waiting(Some(root)), 1, "what no writer had");
}

#[test]
fn no_more_is_kept_for_an_answer_than_may_be() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_bytes(10);
    });
    let root = world.join("/");
    for ack in 0..5 {
        world.emit_with_ack(root, "[1,2]", ack, None).unwrap();
    }
    assert_eq!(shut_down(&mut world).len(), 2);
}

#[test]
fn what_is_handed_back_is_not_counted_as_dropped_nor_handed_back_again() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(2));
    for ack in 0..3 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, None).unwrap();
    }
    assert_eq!(end(&mut world).len(), 3);
    assert_eq!(world.client.tally().dropped, 0);
    let failed = ["ack 0 failed: disconnected", "ack 1 failed: disconnected"];
    assert_eq!(world.news()[..2], failed);
    assert!(end(&mut world).is_empty());
}

#[test]
fn what_was_handed_to_a_session_that_does_not_write_is_handed_back() {
    let mut world = World::new();
    let root = world.connect("/");
    world.open();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    // The writer is woken by this, and does not come to write.
    world.client.received(world.last_link, Packet::Text("0{\"sid\":\"a\"}".into()), world.now);
    assert_eq!(shut_down(&mut world), list(&[("[1]", true)]));
}

#[test]
fn what_is_handed_back_is_in_the_order_of_the_emits() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[0]", 0, None).unwrap();
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.emit_with_ack(root, "[2]", 2, None).unwrap();
    world.drop_link();
    world.emit_with_ack(root, "[3]", 3, None).unwrap();
    let expected = [("[1]", true), ("[2]", false), ("[3]", false)];
    assert_eq!(shut_down(&mut world), list(&expected), "0 was told to have failed");
}

#[test]
fn what_waits_for_a_namespace_that_is_gone_is_dropped_and_what_may_have_arrived_handed_back() {
    let (mut world, root) = World::joined();
    world.join("/other");
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    world.forget(root);
    world.drop_link();
    assert_eq!(world.client.tally().dropped, 1, "what no writer had");
    assert_eq!(shut_down(&mut world), list(&[("[1]", true)]));
    assert_eq!(world.client.tally().dropped, 1);
}

/// What waits in a namespace, in events and bytes.
fn waiting(world: &World, id: NamespaceId) -> (usize, usize) {
    let load = world.client.waiting(id);
    (load.packets, load.bytes)
}

/// The events that are taken back.
fn take(world: &mut World, id: NamespaceId) -> Vec<String> {
    let taken = world.run(|client, now| client.take_unsent(id, now));
    assert!(taken.iter().all(|event| !event.was_sent()));
    taken.iter().map(|event| event.json().to_owned()).collect()
}

#[test]
fn what_waits_is_counted_and_can_be_taken_back() {
    for joined in [true, false] {
        let (mut world, root) = World::joined();
        let other = world.join("/other");
        world.slow = joined;
        if joined {
            world.emit(root, "[0]").unwrap();
        } else {
            world.drop_link();
        }
        world.emit_with_ack(root, "[1]", 1, Some(SECOND)).unwrap();
        world.try_emit(root, Emit { urgent: true, ttl: Some(SECOND), ..emit("[22]") }).unwrap();
        world.emit(other, "[3]").unwrap();
        assert_eq!((waiting(&world, root), waiting(&world, other)), ((2, 7), (1, 3)));
        world.log();
        assert_eq!(take(&mut world, root), ["[22]", "[1]"], "{joined}");
        assert_eq!(world.log(), ["ack 1 failed: withdrawn"]);
        assert_eq!((waiting(&world, root), waiting(&world, other)), ((0, 0), (1, 3)));
        assert_eq!(world.client.tally().dropped, 0);
        assert_eq!(world.client.count_waiting(Some(root)), usize::from(joined), "under way");
        assert_eq!(take(&mut world, root), Vec::<String>::new());
    }
}

#[test]
fn what_waits_in_either_queue_of_a_namespace_is_counted() {
    let mut world = World::new();
    let root = world.connect("/");
    for _ in 0..2 {
        world.emit(root, "[1]").unwrap();
    }
    world.try_emit(root, Emit { reliable: true, ..emit("[2]") }).unwrap();
    world.emit_with_ack(root, "[3]", 3, None).unwrap();
    assert_eq!(world.client.count_waiting(Some(root)), 4);
}

#[test]
fn of_events_that_are_sent_again_those_are_taken_back_that_were_not_sent() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(3));
    for ack in 1..=3 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, Some(SECOND)).unwrap();
    }
    assert_eq!(waiting(&world, root), (3, 9));
    assert_eq!(take(&mut world, root), ["[2]", "[3]"]);
    assert_eq!(waiting(&world, root), (1, 3));
    assert_eq!(world.log(), ["ack 2 failed: withdrawn", "ack 3 failed: withdrawn"]);
    world.advance(SECOND);
    assert_eq!(world.sent(), ["420[1]", "421[1]"]);
    world.receive("431[]");
    assert_eq!(world.log(), ["ack 1: []"]);
    assert_eq!(waiting(&world, root), (0, 0));
}

#[test]
fn a_try_that_waits_for_a_writer_is_taken_back() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.client.set_retries(root, Some(3));
    let busy = Emit { volatile: true, ..emit("[0]") };
    world.try_emit(root, busy).unwrap();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    assert_eq!(take(&mut world, root), ["[1]"]);
    assert_eq!(world.log(), ["ack 1 failed: withdrawn"]);
    world.slow = false;
    world.written();
    assert_eq!(world.sent(), ["42[0]"]);
    world.emit_with_ack(root, "[2]", 2, None).unwrap();
    assert_eq!(world.sent(), ["421[2]"]);
}

#[test]
fn who_waits_for_room_may_look_again_when_events_were_taken_back() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    while !world.waits(root) {
        world.emit(root, "[1]").unwrap();
    }
    let before = world.rooms;
    take(&mut world, root);
    assert!(world.rooms > before && !world.waits(root));
}

#[test]
fn what_a_session_takes_back_it_does_not_write() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.emit(root, "[1]").unwrap();
    // What follows a CONNECT is not to overtake it: [1] is handed over.
    world.connect("/other");
    let link = world.last_link;
    // The session is given up, and closed in good order.
    world.receive("4");
    assert!(world.alive().contains(&link));
    world.advance_to_deadline();
    world.written_on(link);
    assert_eq!(world.sent_on(link), ["42[0]", "40/other,"]);
    world.slow = false;
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "40/other,", "42[1]"]);
}
