//! What goes first at each connection.

use super::*;

fn set(world: &mut World, id: NamespaceId, name: &str, json: &str) -> Result<()> {
    world.run(|client, _| client.send_at_connect(id, name, payload(json)))
}

#[test]
fn it_goes_before_all_that_waits_at_each_connection() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit(root, "[1]").unwrap();
    world.try_emit(root, Emit { urgent: true, ..emit("[2]") }).unwrap();
    set(&mut world, root, "who", "[\"who\",1]").unwrap();
    set(&mut world, root, "what", "[\"what\"]").unwrap();
    set(&mut world, root, "who", "[\"who\",2]").unwrap();
    assert_eq!(world.client.waiting(root).packets, 2);
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    let first = ["40", "42[\"who\",2]", "42[\"what\"]"];
    assert_eq!(world.sent(), [&first[..], &["42[2]", "42[1]"]].concat());
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), first);
    world.client.clear_at_connect(root);
    world.disconnect(root);
    world.sent();
    world.connect_id(root);
    world.open();
    world.receive("40{\"sid\":\"c\"}");
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn it_goes_before_events_that_are_sent_again() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(3));
    set(&mut world, root, "who", "[\"who\"]").unwrap();
    world.emit(root, "[1]").unwrap();
    assert_eq!(world.sent(), ["420[1]"], "it holds from the next connection on");
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "42[\"who\"]", "421[1]"]);
}

#[test]
fn what_no_writer_has_taken_of_it_is_not_sent_by_the_next_connection_as_well() {
    let mut world = World::new();
    world.slow = true;
    let root = world.connect("/");
    world.open();
    set(&mut world, root, "who", "[\"who\"]").unwrap();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40"], "the writer is busy");
    world.drop_link();
    assert_eq!(world.client.waiting(root).packets, 0);
    assert_eq!(world.client.tally().dropped, 0);
    world.slow = false;
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "42[\"who\"]"]);
    assert!(world.run(Client::end).is_empty());
}

#[test]
fn it_has_room_of_its_own_and_a_bound() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_events(2).send_bytes(12);
    });
    let root = world.connect("/");
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    set(&mut world, root, "a", "[\"a\"]").unwrap();
    set(&mut world, root, "b", "[\"b\"]").unwrap();
    let mut kind = |name, json| set(&mut world, root, name, json).map_err(|error| error.kind());
    assert_eq!(kind("c", "[]"), Err(ErrorKind::BufferFull));
    assert_eq!(kind("b", "[\"b\",12345]"), Err(ErrorKind::BufferFull));
    assert_eq!(kind("b", "[\"b\",1]"), Ok(()));
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[\"a\"]", "42[\"b\",1]", "42[1]", "42[2]"]);
}

#[test]
fn one_that_the_server_does_not_take_is_dropped_and_told_at_each_connection() {
    let mut world = World::new();
    world.handshake.max_payload = Some(20);
    let root = world.connect("/");
    let long = format!("[\"{}\"]", "x".repeat(40));
    set(&mut world, root, "x", &long).unwrap();
    world.emit(root, "[1]").unwrap();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[1]"]);
    assert_eq!(world.drops(), ["/: 1, 44 bytes: TooLarge"]);
}

#[test]
fn nobody_inherits_it() {
    let (mut world, root) = World::joined();
    set(&mut world, root, "who", "[\"who\"]").unwrap();
    world.forget(root);
    world.sent();
    world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40"]);
}
