//! Events that wait whole: what is taken back, what goes first, what is replaced.

use super::*;

/// Joined, with the writer busy.
fn busy() -> (World, NamespaceId) {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.sent();
    (world, root)
}

/// After a loss, there is another session, and `/` is joined in it.
fn rejoin(world: &mut World) {
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
}

/// The events that were sent since the last look.
fn sent_events(world: &mut World) -> Vec<String> {
    let mut sent = world.sent();
    sent.retain(|text| text != "40");
    sent
}

fn urgent(json: &str) -> Emit<u32> {
    Emit { urgent: true, ..emit(json) }
}

fn with_key(json: &str, ack: u32) -> Emit<u32> {
    Emit { replaces: Some("k".into()), ack: Some(ack), ..emit(json) }
}

#[test]
fn an_event_whose_limit_passes_before_a_writer_takes_it_is_not_sent() {
    let (mut world, root) = busy();
    world.emit_with_ack(root, "[1]", 1, Some(SECOND)).unwrap();
    world.emit(root, "[2]").unwrap();
    world.advance(SECOND);
    assert_eq!(world.log(), ["ack 1 failed: timeout"]);
    world.written();
    assert_eq!(world.sent(), ["42[2]"]);
}

#[test]
fn a_writer_takes_no_more_than_a_batch() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.sent();
    let long = format!("[\"{}\"]", "x".repeat(30_000));
    for ack in 0..5 {
        world.emit_with_ack(root, &long, ack, Some(SECOND)).unwrap();
    }
    world.written();
    assert_eq!(world.sent().len(), 3, "64 KiB, and what exceeds it");
    world.advance(SECOND);
    world.written();
    assert_eq!(world.sent(), Vec::<String>::new(), "the others were taken back");
}

#[test]
fn what_no_writer_has_taken_goes_by_the_next_session_in_order() {
    let (mut world, root) = busy();
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    world.emit(root, "[2]").unwrap();
    world.drop_link();
    assert_eq!(world.news(), ["/: disconnect transport close"], "the answer is awaited on");
    world.emit(root, "[3]").unwrap();
    world.slow = false;
    rejoin(&mut world);
    assert_eq!(world.sent(), ["40", "420[1]", "42[2]", "42[3]"]);
    world.receive("430[]");
    assert_eq!(world.news().last().unwrap(), "ack 1: []");
}

#[test]
fn what_was_ready_waits_for_the_namespace_that_the_server_has_ended() {
    let (mut world, root) = busy();
    let other = world.connect("/other");
    world.receive("40/other,{\"sid\":\"b\"}");
    world.emit(root, "[1]").unwrap();
    world.emit(other, "[\"o\"]").unwrap();
    world.receive("41");
    world.written();
    world.written();
    assert_eq!(world.sent(), ["40/other,", "42/other,[\"o\"]"]);
    world.slow = false;
    world.written();
    world.connect_id(root);
    world.receive("40{\"sid\":\"c\"}");
    assert_eq!(world.sent(), ["40", "42[1]"]);
}

#[test]
fn nothing_that_is_ready_is_overtaken_by_a_farewell() {
    let (mut world, root) = busy();
    world.emit(root, "[1]").unwrap();
    world.disconnect(root);
    world.slow = false;
    world.written();
    assert_eq!(world.sent(), ["42[1]", "41"]);
}

#[test]
fn an_answer_keeps_its_place_among_events_and_ends_with_its_session() {
    let (mut world, root) = busy();
    world.emit(root, "[1]").unwrap();
    assert!(world.run(|client, now| client.reply(root, 1, 7, payload("[]"), now)).is_ok());
    world.emit(root, "[2]").unwrap();
    world.written();
    assert_eq!(world.sent(), ["42[1]", "437[]", "42[2]"]);
    assert!(world.run(|client, now| client.reply(root, 1, 8, payload("[]"), now)).is_ok());
    world.drop_link();
    assert_eq!(world.client.tally().dropped, 1);
    world.slow = false;
    rejoin(&mut world);
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn a_try_that_no_writer_has_taken_was_none() {
    let (mut world, root) = busy();
    world.client.set_retries(root, Some(0));
    world.emit_with_ack(root, "[1]", 1, Some(SECOND)).unwrap();
    world.drop_link();
    world.slow = false;
    rejoin(&mut world);
    assert_eq!(world.sent(), ["40", "421[1]"]);
    world.receive("431[]");
    assert_eq!(world.news().last().unwrap(), "ack 1: []");
}

#[test]
fn what_is_urgent_goes_before_what_waits_in_order_within_each_class() {
    for joined in [true, false] {
        let (mut world, root) = busy();
        if !joined {
            world.drop_link();
            world.slow = false;
        }
        for number in 1..=2 {
            world.emit(root, &format!("[{number}]")).unwrap();
            world.try_emit(root, urgent(&format!("[\"urgent {number}\"]"))).unwrap();
        }
        if joined {
            world.written();
        } else {
            rejoin(&mut world);
        }
        assert_eq!(
            sent_events(&mut world),
            ["42[\"urgent 1\"]", "42[\"urgent 2\"]", "42[1]", "42[2]"]
        );
    }
}

#[test]
fn what_is_urgent_is_the_last_to_give_way() {
    let mut world = World::with(|options| {
        let limits = options.limits.clone().send_events(2);
        options.limits = limits.when_send_full(crate::options::WhenFull::DropOldest);
    });
    let root = world.connect("/");
    world.try_emit(root, urgent("[\"u\"]")).unwrap();
    for number in 0..3 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    world.try_emit(root, urgent("[\"v\"]")).unwrap();
    world.try_emit(root, urgent("[\"w\"]")).unwrap();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[\"v\"]", "42[\"w\"]"]);
}

#[test]
fn an_event_is_not_sent_when_it_is_no_longer_worth_it() {
    for joined in [true, false] {
        let (mut world, root) = busy();
        if !joined {
            world.drop_link();
            world.log();
        }
        let short = Emit { ttl: Some(SECOND / 10), ack: Some(1), ..emit("[1]") };
        world.try_emit(root, short).unwrap();
        world.try_emit(root, Emit { ttl: Some(SECOND * 60), ..emit("[2]") }).unwrap();
        world.advance(SECOND / 10);
        assert!(world.log().contains(&"ack 1 failed: timeout".to_owned()));
        assert_eq!(world.client.tally().dropped, 1);
        world.slow = false;
        if joined {
            world.written();
        } else {
            rejoin(&mut world);
        }
        assert_eq!(sent_events(&mut world), ["42[2]"]);
        world.advance(SECOND * 60);
        assert_eq!(world.client.tally().dropped, 1, "what was sent does not expire");
    }
}

#[test]
fn what_was_sent_or_taken_back_has_no_time_to_live_left() {
    let (mut world, root) = World::joined();
    let heartbeat = world.client.next_deadline();
    world.try_emit(root, Emit { ttl: Some(SECOND), ..emit("[1]") }).unwrap();
    assert_eq!((world.sent().len(), world.client.next_deadline()), (1, heartbeat));
    world.slow = true;
    world.emit(root, "[2]").unwrap();
    world.try_emit(root, Emit { ttl: Some(SECOND), ..emit("[3]") }).unwrap();
    assert_ne!(world.client.next_deadline(), heartbeat);
    world.run(|client, now| client.take_unsent(root, now));
    assert_eq!(world.client.next_deadline(), heartbeat);
}

#[test]
fn an_event_is_shown_once_and_only_if_it_goes_out() {
    let mut world = World::new();
    world.handshake.max_payload = Some(20);
    let root = world.connect("/");
    world.client.set_shows_outgoing(root, true);
    world.emit(root, &format!("[\"{}\"]", "x".repeat(40))).unwrap();
    world.emit(root, "[1]").unwrap();
    assert!(world.log().is_empty());
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    world.slow = true;
    world.emit(root, "[2]").unwrap();
    world.emit(root, "[3]").unwrap();
    world.drop_link();
    world.slow = false;
    rejoin(&mut world);
    let mut shown = world.news();
    shown.retain(|line| line.contains("sent"));
    assert_eq!(shown, ["/: sent [1]", "/: sent [2]", "/: sent [3]"]);
}

#[test]
fn a_device_that_slept_sends_nothing_that_is_no_longer_worth_it() {
    let (mut world, root) = busy();
    world.try_emit(root, Emit { ttl: Some(SECOND), ..emit("[1]") }).unwrap();
    world.emit(root, "[2]").unwrap();
    world.sleep(SECOND * 2);
    world.written();
    assert_eq!(world.sent(), ["42[2]"]);
}

#[test]
fn of_one_key_only_the_newest_waits() {
    for joined in [true, false] {
        let (mut world, root) = busy();
        if !joined {
            world.drop_link();
            world.slow = false;
            world.log();
        }
        world.try_emit(root, with_key("[1]", 1)).unwrap();
        world.emit(root, "[2]").unwrap();
        world.try_emit(root, with_key("[3]", 3)).unwrap();
        world.try_emit(root, Emit { replaces: Some("other".into()), ..emit("[4]") }).unwrap();
        assert_eq!(world.log(), ["ack 1 failed: withdrawn"]);
        assert_eq!(world.client.tally().dropped, 0, "replaced is not dropped");
        if joined {
            world.written();
        } else {
            rejoin(&mut world);
        }
        assert_eq!(sent_events(&mut world), ["42[2]", "421[3]", "42[4]"]);
    }
}

#[test]
fn who_takes_the_place_of_another_needs_no_room_but_for_what_is_more() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().send_events(1).send_bytes(10);
    });
    let root = world.connect("/");
    world.try_emit(root, with_key("[1]", 1)).unwrap();
    world.try_emit(root, with_key("[2]", 2)).unwrap();
    assert!(world.emit(root, "[3]").is_err());
    assert_eq!(world.log(), ["ack 1 failed: withdrawn"]);
    assert_eq!(world.namespace(root).send_buffer().collect::<Vec<_>>(), ["[2]"]);
}

#[test]
fn what_never_waits_or_is_sent_again_has_no_place_among_what_waits() {
    let flags: [fn() -> Emit<u32>; 3] = [
        || urgent("[1]"),
        || Emit { ttl: Some(SECOND), ..emit("[1]") },
        || Emit { replaces: Some("k".into()), ..emit("[1]") },
    ];
    for flagged in flags {
        let (mut world, root) = World::joined();
        let mut kind = |emit| world.try_emit(root, emit).map_err(|refused| refusal(refused).kind());
        assert_eq!(kind(flagged()), Ok(()));
        assert_eq!(kind(Emit { volatile: true, ..flagged() }), Err(ErrorKind::InvalidOption));
        world.client.set_retries(root, Some(1));
        let mut kind = |emit| world.try_emit(root, emit).map_err(|refused| refusal(refused).kind());
        assert_eq!(kind(flagged()), Err(ErrorKind::InvalidOption));
        assert_eq!(kind(emit("[2]")), Ok(()));
        assert_eq!(kind(Emit { volatile: true, ..emit("[3]") }), Ok(()));
    }
    let (mut world, root) = World::joined();
    let none = Emit { ttl: Some(Duration::ZERO), ..emit("[1]") };
    let refused = world.try_emit(root, none).map_err(refusal).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidOption);
}
