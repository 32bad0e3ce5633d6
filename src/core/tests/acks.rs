//! Acknowledgements: each one resolves once.

use super::*;

#[test]
fn ids_count_up_and_answers_find_their_question() {
    let (mut world, root) = World::joined();
    for ack in 10..13 {
        world.emit_with_ack(root, "[\"q\"]", ack, None).unwrap();
    }
    assert_eq!(world.sent(), ["420[\"q\"]", "421[\"q\"]", "422[\"q\"]"]);
    for answer in ["431[\"b\"]", "432[]", "430[\"a\"]"] {
        world.receive(answer);
    }
    assert_eq!(world.log(), ["ack 11: [\"b\"]", "ack 12: []", "ack 10: [\"a\"]"]);
}

#[test]
fn ids_go_on_in_the_next_session() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"q\"]", 1, None).unwrap();
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    world.emit_with_ack(root, "[\"q\"]", 2, None).unwrap();
    assert_eq!(world.sent(), ["40", "421[\"q\"]"]);
    world.log();
    world.receive("430[\"stale\"]");
    assert_eq!(world.log(), Vec::<String>::new());
    world.receive("431[]");
    assert_eq!(world.log(), ["ack 2: []"]);
}

#[test]
fn namespaces_count_for_themselves() {
    let (mut world, root) = World::joined();
    let other = world.join("/x");
    world.log();
    world.emit_with_ack(root, "[\"q\"]", 1, None).unwrap();
    world.emit_with_ack(other, "[\"q\"]", 2, None).unwrap();
    assert_eq!(world.sent(), ["420[\"q\"]", "42/x,0[\"q\"]"]);
    world.receive("43/x,0[]");
    assert_eq!(world.log(), ["ack 2: []"]);
}

#[test]
fn only_the_first_answer_counts() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"q\"]", 1, Some(SECOND)).unwrap();
    for _ in 0..3 {
        world.receive("430[]");
    }
    world.advance(SECOND * 2);
    assert_eq!(world.log(), ["ack 1: []"]);
    assert_eq!(world.client.tally().ignored, 2);
}

#[test]
fn answers_that_nobody_waits_for_are_counted() {
    let (mut world, _) = World::joined();
    for answer in ["4399[]", "4318446744073709551615[]", "43184467440737095516160[]"] {
        world.receive(answer);
    }
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.client.tally().ignored, 3);
}

#[test]
fn a_timeout_while_connected_ends_the_wait_and_a_late_answer_is_ignored() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"q\"]", 1, Some(SECOND)).unwrap();
    world.advance(SECOND.saturating_sub(MOMENT));
    assert_eq!(world.log(), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
    world.receive("430[]");
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.client.tally().ignored, 1);
}

#[test]
fn a_timeout_while_the_event_waits_takes_it_back() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit(root, "[\"a\"]").unwrap();
    world.emit_with_ack(root, "[\"q\"]", 1, Some(SECOND)).unwrap();
    world.emit(root, "[\"b\"]").unwrap();
    world.advance(SECOND);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
    assert_eq!(world.namespace(root).buffered().packets, 2);
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[\"a\"]", "42[\"b\"]"]);
    assert_eq!(world.namespace(root).buffered().bytes, 0);
}

#[test]
fn a_lost_session_fails_what_was_sent_and_keeps_what_was_not() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"sent\"]", 1, None).unwrap();
    world.emit_with_ack(root, "[\"sent\"]", 2, Some(SECOND * 60)).unwrap();
    world.drop_link();
    world.emit_with_ack(root, "[\"kept\"]", 3, None).unwrap();
    assert_eq!(
        world.news(),
        [
            "/: disconnect transport close",
            "ack 1 failed: disconnected",
            "ack 2 failed: disconnected"
        ]
    );
    world.advance_to_deadline();
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "422[\"kept\"]"]);
    world.log();
    world.receive("432[\"yes\"]");
    assert_eq!(world.log(), ["ack 3: [\"yes\"]"]);
}

#[test]
fn disconnecting_fails_what_was_sent() {
    let (mut world, root) = World::joined();
    world.emit_with_ack(root, "[\"q\"]", 1, None).unwrap();
    world.disconnect(root);
    assert_eq!(world.news(), ["/: disconnect io client disconnect", "ack 1 failed: disconnected"]);
    world.assert_at_rest();
}

#[test]
fn the_number_of_awaited_answers_is_bounded() {
    let mut world = World::with(|options| options.limits = options.limits.clone().acks(2));
    let root = world.join("/");
    for ack in 0..2 {
        world.emit_with_ack(root, "[\"q\"]", ack, Some(SECOND)).unwrap();
    }
    let error = world.emit_with_ack(root, "[\"q\"]", 2, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    world.emit(root, "[\"without\"]").unwrap();
    world.advance(SECOND);
    world.emit_with_ack(root, "[\"q\"]", 3, None).unwrap();
}

#[test]
fn a_question_is_answered_in_its_session_or_not_at_all() {
    let (mut world, root) = World::joined();
    let membership = world.namespace(root).membership;
    world.receive("427[\"question\"]");
    world.run(|client, now| client.reply(root, membership, 7, payload("[\"yes\"]"), now)).unwrap();
    assert_eq!(world.sent(), ["437[\"yes\"]"]);

    world.receive("428[\"question\"]");
    world.drop_link();
    let refused = |reply: Result<(), NotTaken<Payload>>| matches!(reply, Err(NotTaken::Error(error)) if error.is_disconnected());
    assert!(refused(world.run(|client, now| client.reply(
        root,
        membership,
        8,
        payload("[]"),
        now
    ))));
    world.advance_to_deadline();
    world.open();
    assert!(refused(world.run(|client, now| client.reply(
        root,
        membership,
        8,
        payload("[]"),
        now
    ))));
    world.receive("40{\"sid\":\"b\"}");
    assert!(refused(world.run(|client, now| client.reply(
        root,
        membership,
        8,
        payload("[]"),
        now
    ))));
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn a_reply_that_the_server_would_not_take_is_refused() {
    let mut world = World::new();
    world.handshake.max_payload = Some(20);
    let root = world.join("/");
    let mut reply =
        |payload: Payload| match world.run(|client, now| client.reply(root, 1, 7, payload, now)) {
            Err(NotTaken::Error(error)) => Some(error.kind()),
            _ => None,
        };
    assert_eq!(reply(payload("[\"xxxxxxxxxxxxx\"]")), None);
    assert_eq!(reply(payload("[\"xxxxxxxxxxxxxx\"]")), Some(ErrorKind::TooLarge));
    let many = Payload { json: "[]".into(), attachments: vec![bytes::Bytes::new(); 11] };
    assert_eq!(reply(many), Some(ErrorKind::TooLarge));
}

#[test]
fn a_volatile_event_that_is_dropped_fails_its_acknowledgement() {
    let mut world = World::new();
    let root = world.connect("/");
    let volatile = Emit { ack: Some(1), volatile: true, ..emit("[\"q\"]") };
    world.try_emit(root, volatile).unwrap();
    assert_eq!(world.log(), ["ack 1 failed: disconnected"]);
    assert_eq!(world.client.tally().dropped, 1);
}

#[test]
fn a_limit_counts_from_when_the_caller_began_to_wait_for_room() {
    let (mut world, root) = World::joined();
    let since = Some(world.now);
    world.advance(Duration::from_secs(3));
    let timeout = Some(Duration::from_secs(5));
    world.try_emit(root, Emit { ack: Some(1), timeout, since, ..emit("[\"q\"]") }).unwrap();
    world.advance(Duration::from_secs(2).saturating_sub(MOMENT));
    assert_eq!(world.log(), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
}

#[test]
fn what_a_session_has_to_write_for_a_namespace_that_was_put_out_is_answered_no_more() {
    let (mut world, root) = World::joined();
    world.connect("/other");
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    // Who joins has a batch begun, with what was ready before.
    world.receive("40/other,{\"sid\":\"b\"}");
    world.receive("41");
    let news = world.news();
    let failed: Vec<_> = news.iter().filter(|line| line.starts_with("ack")).collect();
    assert_eq!(failed, ["ack 1 failed: disconnected"], "{news:?}");
}

#[test]
fn what_no_writer_has_taken_cannot_be_answered() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.emit_with_ack(root, "[2]", 7, None).unwrap();
    // What is ready has to go before this CONNECT, and is handed to the session for it.
    world.connect("/other");
    world.receive("430[]");
    assert_eq!(world.log(), [] as [&str; 0], "the server cannot have it");
    world.written();
    assert_eq!(world.sent(), ["42[1]", "420[2]", "40/other,"]);
    world.receive("430[]");
    assert_eq!(world.log(), ["ack 7: []"]);
}
