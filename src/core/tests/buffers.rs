//! What waits, how much of it, and what gives way.

use bytes::Bytes;

use super::*;
use crate::options::WhenFull;

/// A client with room for three events of 50 bytes in all.
pub(super) fn small(policy: WhenFull) -> World {
    World::with(|options| {
        options.limits =
            options.limits.clone().send_events(3).send_bytes(50).when_send_full(policy);
    })
}

/// The same, joined, with the writer busy.
fn stuck(policy: WhenFull) -> (World, NamespaceId) {
    let mut world = small(policy);
    let root = world.join("/");
    world.slow = true;
    world.emit(root, "[0]").unwrap();
    world.sent();
    world.log();
    (world, root)
}

fn volatile(world: &mut World, id: NamespaceId, json: &str) {
    world.try_emit(id, Emit { volatile: true, ..emit(json) }).unwrap();
}

pub(super) fn is_full(result: Result<()>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::BufferFull)
}

#[test]
fn what_is_emitted_before_the_connection_is_sent_in_order_when_it_is_there() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit(root, "[1]").unwrap();
    world.open();
    world.emit(root, "[2]").unwrap();
    world.receive("40{\"sid\":\"a\"}");
    world.emit(root, "[3]").unwrap();
    assert_eq!(world.sent(), ["40", "42[1]", "42[2]", "42[3]"]);
}

#[test]
fn what_waits_survives_failures_and_an_explicit_disconnect() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit(root, "[1]").unwrap();
    world.drop_link();
    world.disconnect(root);
    world.emit(root, "[2]").unwrap();
    world.join("/");
    assert_eq!(world.sent_on(LinkId(1)), Vec::<String>::new());
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40"], "what was sent is not sent again");
}

#[test]
fn without_a_connection_a_full_buffer_refuses_the_newest() {
    for policy in [WhenFull::Wait, WhenFull::DropNewest] {
        let mut world = small(policy);
        let root = world.connect("/");
        for _ in 0..3 {
            world.emit(root, "[1]").unwrap();
        }
        assert!(is_full(world.emit(root, "[2]")), "{policy:?}: too many");

        let mut world = small(policy);
        let root = world.connect("/");
        world.emit(root, "[\"40 bytes of text, more or less, here\"]").unwrap();
        assert!(is_full(world.emit(root, "[\"too many bytes\"]")), "{policy:?}");
        world.emit(root, "[\"few\"]").unwrap();
        assert_eq!(world.client.tally().dropped, 0, "refused is not dropped");
    }
}

#[test]
fn without_a_connection_the_oldest_gives_way_where_that_is_wanted() {
    let mut world = small(WhenFull::DropOldest);
    let root = world.connect("/");
    for number in 0..5 {
        world.emit_with_ack(root, &format!("[{number}]"), number, None).unwrap();
    }
    assert_eq!(world.log(), ["ack 0 failed: buffer full", "ack 1 failed: buffer full"]);
    assert_eq!(world.client.tally().dropped, 2);
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "422[2]", "423[3]", "424[4]"]);
}

#[test]
fn the_oldest_gives_way_for_bytes_as_well() {
    let mut world = small(WhenFull::DropOldest);
    let root = world.connect("/");
    for number in 0..3 {
        world.emit(root, &format!("[{number}, \"0123456789\"]")).unwrap();
    }
    assert_eq!(world.client.tally().dropped, 1);
    assert!(world.namespace(root).buffered().bytes <= 50);
}

#[test]
fn one_event_of_any_size_fits_an_empty_buffer() {
    for policy in [WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest] {
        let long = format!("[\"{}\"]", "x".repeat(1000));
        let mut world = small(policy);
        let root = world.connect("/");
        world.emit(root, &long).unwrap();
        let root = world.join("/");
        assert_eq!(world.namespace(root).buffered().packets, 0);
        world.emit(root, &long).unwrap();
        assert_eq!(world.sent(), [format!("42{long}")]);
    }
}

#[test]
fn with_a_slow_session_the_sender_waits_for_room() {
    let (mut world, root) = stuck(WhenFull::Wait);
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    let refused = world.try_emit(root, Emit { ack: Some(9), ..emit("[3]") });
    let Err(NotTaken::Full(back)) = refused else { panic!("there is no room") };
    assert_eq!((back.payload.json.as_str(), back.ack), ("[3]", Some(9)));
    assert!(world.waits(root));
    assert_eq!(world.client.fate_of_reply(root, 1, 3), Fate::Wait);
    let reply = world.run(|client, now| client.reply(root, 1, 7, payload("[]"), now));
    assert!(matches!(reply, Err(NotTaken::Full(_))));

    let rooms = world.rooms;
    world.written();
    assert!(world.rooms > rooms);
    assert!(matches!(world.client.fate(root, &emit("[1]")), Fate::Queued(_)));
    assert!(matches!(world.client.fate_of_reply(root, 1, 3), Fate::Queued(_)));
    world.try_emit(root, *back).unwrap();
    world.written();
    assert_eq!(world.sent(), ["42[1]", "42[2]", "420[3]"]);
}

#[test]
fn events_give_way_to_an_answer_where_the_oldest_do() {
    let (mut world, root) = stuck(WhenFull::DropOldest);
    for number in 1..=3 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    assert!(world.run(|client, now| client.reply(root, 1, 7, payload("[]"), now)).is_ok());
    world.written();
    assert_eq!(world.sent(), ["42[2]", "42[3]", "437[]"]);
    assert_eq!(world.client.tally().dropped, 1);
}

#[test]
fn an_answer_that_finds_no_room_is_refused_where_events_are_dropped() {
    for policy in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let (mut world, root) = stuck(policy);
        let answer = |world: &mut World| {
            world.run(|client, now| client.reply(root, 1, 7, payload("[\"an answer\"]"), now))
        };
        let refused = (0..10).find_map(|_| answer(&mut world).err());
        let Some(NotTaken::Error(error)) = refused else { panic!("{policy:?}: room without end") };
        assert_eq!(error.kind(), ErrorKind::BufferFull, "{policy:?}");
        assert_eq!(world.client.fate_of_reply(root, 1, 30), Fate::Refused);
        world.written();
        answer(&mut world).unwrap();
    }
}

#[test]
fn who_waits_for_room_is_told_of_the_end_of_the_session() {
    let (mut world, root) = stuck(WhenFull::Wait);
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    assert!(world.waits(root));
    let rooms = world.rooms;
    world.drop_link();
    assert!(world.rooms > rooms);
    assert!(matches!(world.client.fate(root, &emit("[1]")), Fate::Queued(_)));
    assert_eq!(world.client.fate_of_reply(root, 1, 3), Fate::Refused);
    world.emit(root, "[3]").unwrap();
    let waiting: Vec<_> = world.namespace(root).send_buffer().collect();
    assert_eq!(waiting, ["[1]", "[2]", "[3]"], "what no writer has taken waits on");
}

#[test]
fn with_a_slow_session_the_newest_is_refused_where_that_is_wanted() {
    let (mut world, root) = stuck(WhenFull::DropNewest);
    world.emit(root, "[1]").unwrap();
    world.emit(root, "[2]").unwrap();
    assert!(is_full(world.emit(root, "[3]")));
    world.written();
    assert_eq!(world.sent(), ["42[1]", "42[2]"]);
}

#[test]
fn with_a_slow_session_the_oldest_gives_way_where_that_is_wanted() {
    let (mut world, root) = stuck(WhenFull::DropOldest);
    for number in 1..=100 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    assert_eq!(world.client.tally().dropped, 97);
    world.written();
    assert_eq!(world.sent(), ["42[98]", "42[99]", "42[100]"]);
    world.written();
    world.emit(root, "[101]").unwrap();
    assert_eq!(world.sent(), ["42[101]"]);
}

#[test]
fn what_a_slow_session_did_not_take_waits_for_the_next_one() {
    let (mut world, root) = stuck(WhenFull::DropOldest);
    world.emit_with_ack(root, "[1]", 1, None).unwrap();
    world.drop_link();
    world.advance_to_deadline();
    world.slow = false;
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "420[1]"]);
    assert!(!world.log().iter().any(|line| line.starts_with("ack")));
}

#[test]
fn a_namespace_that_is_never_joined_does_not_block_the_others() {
    for policy in [WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest] {
        let mut world = small(policy);
        let root = world.join("/");
        let refused = world.connect("/refused");
        world.receive("44/refused,\"no\"");
        for _ in 0..3 {
            world.emit(refused, "[0]").unwrap();
        }
        for number in 0..10 {
            world.emit(root, &format!("[{number}]")).unwrap();
        }
        assert_eq!(world.sent().len(), 11, "{policy:?}");
    }
}

#[test]
fn volatile_events_go_at_once_or_not_at_all() {
    let mut world = World::new();
    let root = world.connect("/");
    volatile(&mut world, root, "[\"dialing\"]");
    world.open();
    volatile(&mut world, root, "[\"joining\"]");
    world.receive("40{\"sid\":\"a\"}");
    world.slow = true;
    world.sent();
    volatile(&mut world, root, "[\"first\"]");
    volatile(&mut world, root, "[\"second\"]");
    world.written();
    volatile(&mut world, root, "[\"third\"]");
    world.written();
    world.emit(root, "[\"plain\"]").unwrap();
    volatile(&mut world, root, "[\"fourth\"]");
    world.written();
    assert_eq!(world.sent(), ["42[\"first\"]", "42[\"third\"]", "42[\"plain\"]"]);
    assert_eq!(world.client.tally().dropped, 4);
    world.disconnect(root);
    volatile(&mut world, root, "[\"closed\"]");
    assert_eq!(world.namespace(root).buffered().packets, 0);
}

#[test]
fn a_message_that_the_server_would_not_take_is_refused_to_the_byte() {
    let mut world = World::new();
    world.handshake.max_payload = Some(40);
    let other = world.join("/x");
    // 42/x,["…"] and 42/x,0["…"]
    let of = |length: usize| format!("[\"{}\"]", "x".repeat(length));
    world.emit(other, &of(31)).unwrap();
    assert_eq!(world.sent()[0].len(), 40);
    let error = world.emit(other, &of(32)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("41") && error.message().contains("40"), "{error}");
    world.emit_with_ack(other, &of(30), 1, None).unwrap();
    assert_eq!(world.sent()[0].len(), 40);
    assert!(world.emit_with_ack(other, &of(31), 2, Some(SECOND)).is_err());
    world.advance(SECOND);
    assert_eq!(world.news(), ["/x: connect /x1"], "the refused one is told by the error alone");
    // In UTF-8.
    assert!(world.emit(other, &format!("[\"{}\"]", "€".repeat(11))).is_err());
    world.emit(other, &format!("[\"{}\"]", "€".repeat(10))).unwrap();
}

#[test]
fn attachments_count_as_they_are_written() {
    let photo = |length: usize| Emit {
        payload: Payload {
            json: "[\"p\",{\"_placeholder\":true,\"num\":0}]".into(),
            attachments: vec![Bytes::from(vec![0; length])],
        },
        ..emit("")
    };
    for (transport, base64, most) in [
        (Transport::WebSocket, false, 1001),
        (Transport::WebSocket, true, 750),
        (Transport::Polling, false, 750),
    ] {
        let mut world = World::with(|options| {
            options.transports = vec![transport];
            options.force_base64 = base64;
        });
        world.handshake.max_payload = Some(1001);
        let root = world.join("/");
        world.try_emit(root, photo(most)).unwrap();
        let refused = world.try_emit(root, photo(most + 1)).map_err(refusal);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge, "{transport}");
        assert_eq!(world.sent().len(), 2);
    }
}

#[test]
fn the_name_of_the_namespace_counts_for_what_the_server_takes() {
    let mut world = World::new();
    world.handshake.max_payload = Some(3000);
    let long = world.join(&format!("/{}", "x".repeat(2900)));
    let error = world.emit(long, &format!("[\"{}\"]", "y".repeat(200))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    world.emit(long, "[1]").unwrap();
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn what_waited_and_turns_out_too_large_is_dropped_and_told() {
    let mut world = World::new();
    world.handshake.max_payload = Some(40);
    let root = world.connect("/");
    let long = format!("[\"{}\"]", "x".repeat(100));
    world.emit_with_ack(root, &long, 1, None).unwrap();
    world.emit(root, "[\"short\"]").unwrap();
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.sent(), ["40", "42[\"short\"]"]);
    assert_eq!(world.news(), ["ack 1 failed: too large", "/: connect a"]);
    assert_eq!(world.client.tally().dropped, 1);
}

#[test]
fn more_attachments_than_permitted_are_refused() {
    let (mut world, root) = World::joined();
    let many = Emit {
        payload: Payload { json: "[\"a\"]".into(), attachments: vec![Bytes::new(); 11] },
        ..emit("")
    };
    let error = world.try_emit(root, many).map_err(refusal).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(world.sent(), Vec::<String>::new());
}

#[test]
fn the_payload_limit_of_a_link_is_known_to_its_end() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    assert_eq!(world.client.body_room(LinkId(1)).bytes, 1_000_000);
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.disconnect(root);
    assert_eq!(world.client.body_room(LinkId(1)).bytes, 1_000_000);
    assert_eq!(world.client.body_room(LinkId(2)).bytes, usize::MAX);
}

#[test]
fn clearing_the_send_buffer_fails_what_was_in_it() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit_with_ack(root, "[1]", 1, Some(SECOND)).unwrap();
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.run(|client, _| client.clear_send_buffer(root)), 2);
    assert_eq!(world.log(), ["ack 1 failed: disconnected"]);
    world.advance(SECOND);
    assert_eq!(world.log(), Vec::<String>::new());
}

#[test]
fn a_request_takes_as_many_packets_as_it_may_and_an_attachment_is_one() {
    let mut world = World::with(|options| {
        options.transports = vec![Transport::Polling];
        options.max_packets_per_post = 2;
    });
    let root = world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    world.slow = true;
    world.sent();
    world.emit(root, "[0]").unwrap();
    for _ in 0..2 {
        let mut with_binary = emit("[{\"_placeholder\":true,\"num\":0}]");
        with_binary.payload.attachments.push(bytes::Bytes::from_static(&[1]));
        world.try_emit(root, with_binary).unwrap();
    }
    world.sent();
    world.written();
    assert_eq!(world.sent().len(), 2, "the event and its attachment");
}
