//! Events that are sent again until they are acknowledged.

use super::*;

const LIMIT: Option<Duration> = Some(SECOND);

/// Connected, with two retries for each event.
fn retrying() -> (World, NamespaceId) {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(2));
    (world, root)
}

#[test]
fn one_event_at_a_time_is_under_way() {
    let (mut world, root) = retrying();
    for ack in 0..3 {
        world.emit_with_ack(root, &format!("[{ack}]"), ack, LIMIT).unwrap();
    }
    assert_eq!(world.sent(), ["420[0]"]);
    world.receive("430[\"ok\"]");
    assert_eq!(world.sent(), ["421[1]"]);
    assert_eq!(world.log(), ["ack 0: [\"ok\"]"]);
}

#[test]
fn an_event_without_an_answer_is_sent_again_with_a_new_id_and_then_given_up() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    world.emit_with_ack(root, "[\"b\"]", 2, LIMIT).unwrap();
    world.advance(SECOND * 3);
    assert_eq!(world.sent(), ["420[\"a\"]", "421[\"a\"]", "422[\"a\"]", "423[\"b\"]"]);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
    world.receive("430[\"late\"]");
    world.receive("433[\"in time\"]");
    assert_eq!(world.log(), ["ack 2: [\"in time\"]"]);
    assert_eq!(world.namespace(root).buffered().packets, 0);
}

/// The connection is lost, and made anew.
fn lose_and_return(world: &mut World) {
    world.drop_link();
    let sessions = world.sessions;
    while world.sessions == sessions {
        world.advance_to_deadline();
    }
    world.open();
    world.receive("40{\"sid\":\"b\"}");
}

#[test]
fn a_lost_session_is_no_try() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    for _ in 0..9 {
        lose_and_return(&mut world);
    }
    assert!(!world.log().iter().any(|line| line.starts_with("ack")));
    world.receive("439[\"at last\"]");
    assert_eq!(world.log(), ["ack 1: [\"at last\"]"]);
}

#[test]
fn an_event_that_costs_the_connection_each_time_is_given_up() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    world.emit_with_ack(root, "[\"b\"]", 2, LIMIT).unwrap();
    for _ in 0..10 {
        assert_eq!(world.client.tally().dropped, 0);
        lose_and_return(&mut world);
    }
    let mut news = world.news();
    news.retain(|line| line.starts_with("ack"));
    assert_eq!(news, ["ack 1 failed: undeliverable"]);
    assert_eq!(world.sent(), ["40", "4210[\"b\"]"]);
    world.receive("4310[]");
    assert_eq!(world.news(), ["ack 2: []"]);
}

#[test]
fn a_try_that_no_writer_has_taken_is_not_charged() {
    let (mut world, root) = retrying();
    // From here on the writer is busy: first with this one, later with each CONNECT.
    world.slow = true;
    world.try_emit(root, Emit { volatile: true, ..emit("[\"v\"]") }).unwrap();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    for _ in 0..30 {
        lose_and_return(&mut world);
        assert_eq!(world.sent(), ["40"]);
    }
    world.written();
    assert_eq!(world.sent(), ["4230[\"a\"]"]);
    world.receive("4330[]");
    let mut news = world.news();
    news.retain(|line| line.starts_with("ack"));
    assert_eq!(news, ["ack 1: []"]);
}

#[test]
fn an_end_that_this_side_asks_for_is_not_charged_to_an_event() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    for n in 0..30 {
        match n % 3 {
            0 => world.run(Client::close_engine),
            1 => world.run(Client::close),
            _ => world.disconnect(root),
        }
        world.connect_id(root);
        world.run(Client::open);
        world.open();
        world.receive("40{\"sid\":\"b\"}");
    }
    world.receive("4330[]");
    let mut news = world.news();
    news.retain(|line| line.starts_with("ack"));
    assert_eq!(news, ["ack 1: []"]);
}

#[test]
fn without_a_session_the_limit_of_a_try_does_not_run() {
    let mut world = World::new();
    let root = world.connect("/");
    world.client.set_retries(root, Some(0));
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    world.advance(SECOND * 10);
    assert_eq!(world.news(), Vec::<String>::new());
}

#[test]
fn an_event_that_the_server_would_not_take_is_given_up_at_once() {
    let (mut world, root) = retrying();
    world.drop_link();
    let long = format!("[\"{}\"]", "x".repeat(100));
    for ack in 0..500 {
        world.emit_with_ack(root, &long, ack, LIMIT).unwrap();
    }
    world.emit_with_ack(root, "[\"short\"]", 500, LIMIT).unwrap();
    world.handshake.max_payload = Some(50);
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "42500[\"short\"]"]);
    let failed = world.log().iter().filter(|line| line.ends_with("failed: too large")).count();
    assert_eq!(failed, 500);
}

#[test]
fn the_queue_is_bounded() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_events(3);
    });
    let root = world.join("/");
    world.client.set_retries(root, Some(2));
    for _ in 0..3 {
        world.emit(root, "[\"a\"]").unwrap();
    }
    assert!(matches!(world.try_emit(root, emit("[\"a\"]")), Err(NotTaken::Full(_))));
    assert!(world.waits(root));
    let rooms = world.rooms;
    world.receive("430[]");
    assert!(world.rooms > rooms && !world.waits(root));
    world.drop_link();
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.emit(root, "[\"a\"]").unwrap_err().kind(), ErrorKind::BufferFull);
}

#[test]
fn changing_the_number_of_retries_forgets_nothing() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    world.emit_with_ack(root, "[\"b\"]", 2, LIMIT).unwrap();
    world.run(|client, _| client.set_retries(root, Some(0)));
    world.advance(SECOND);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
    world.run(|client, _| client.set_retries(root, None));
    assert_eq!(world.log(), ["ack 2 failed: disconnected"]);
    world.receive("431[]");
    world.emit(root, "[\"c\"]").unwrap();
    assert_eq!(world.sent(), ["420[\"a\"]", "421[\"b\"]", "42[\"c\"]"]);
}

#[test]
fn shutting_down_fails_what_waits() {
    let (mut world, root) = retrying();
    for ack in 0..3 {
        world.emit_with_ack(root, "[\"a\"]", ack, None).unwrap();
    }
    world.run(Client::shut_down);
    let mut log = world.log();
    log.retain(|line| line.starts_with("ack"));
    assert_eq!(log.len(), 3);
    world.assert_at_rest();
}

#[test]
fn the_answer_to_a_try_that_was_given_up_is_no_answer_to_the_next_one() {
    let (mut world, root) = retrying();
    world.emit_with_ack(root, "[\"a\"]", 1, LIMIT).unwrap();
    world.run(|client, _| client.set_retries(root, None));
    world.run(|client, _| client.set_retries(root, Some(0)));
    world.emit_with_ack(root, "[\"b\"]", 2, None).unwrap();
    world.log();
    world.receive("430[\"of a\"]");
    world.advance(SECOND * 2);
    assert_eq!(world.log(), Vec::<String>::new());
    world.receive("431[\"of b\"]");
    assert_eq!(world.log(), ["ack 2: [\"of b\"]"]);
}
