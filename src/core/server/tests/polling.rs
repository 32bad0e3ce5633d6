//! The requests of long-polling.

use super::*;

#[test]
fn the_first_get_is_answered_with_the_handshake_and_what_was_sent_at_once() {
    let mut session = Session::open(
        "OZ__L5bHSyWuRkPBAAAC".to_owned(),
        V4_DIALECT,
        Polling,
        false,
        &usual_options().into(),
        SessionWorld::open(V4_DIALECT, Polling, false, usual_options()).now,
    );
    let mut orders = Vec::new();
    session.send(&[message(0)], &mut orders).unwrap();
    assert!(orders.is_empty(), "{orders:?}");
    assert!(session.is_writable());
    let body = session.take_body(polling().now);
    let expected = "0{\"sid\":\"OZ__L5bHSyWuRkPBAAAC\",\"upgrades\":[\"websocket\"],\
                    \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}\x1e42[\"é\",0]";
    assert_eq!((body.binary, &*body.bytes), (false, expected.as_bytes()));
}

#[test]
fn a_get_waits_until_there_is_something() {
    let mut world = polling();
    assert_eq!(world.get(), PollFate::Wait);
    assert!(world.session.is_writable());
    world.send(2).unwrap();
    world.deliver();
    assert_eq!(world.messages(), (2, 2));
    assert!(!world.session.is_writable());
    world.send(2).unwrap();
    assert_eq!(world.get(), PollFate::Answer);
    world.deliver();
    assert_eq!(world.messages(), (4, 4));
}

#[test]
fn two_gets_at_once_end_the_session_and_the_first_hears_it() {
    let mut world = polling();
    world.get();
    assert_eq!(world.get(), PollFate::Refuse);
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(cause.contains("a GET came while another one waited"), "{cause}");
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Close]);
    // Also while the answer to the first is being written.
    let mut world = polling();
    world.send(1).unwrap();
    assert_eq!((world.get(), world.get()), (PollFate::Answer, PollFate::Refuse));
    assert_eq!(world.reason(), Some(DisconnectReason::TransportError));
}

#[test]
fn two_posts_at_once_end_the_session() {
    let mut world = polling();
    world.get();
    assert!(world.begin_post());
    world.utter(Polling);
    assert!(!world.begin_post());
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(cause.contains("a POST came while another one was read"), "{cause}");
    // One after the other they do not.
    let mut world = polling();
    assert!(world.post(message(0)) && world.post(message(1)));
    assert!(world.begin_post());
    world.lose_post();
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(cause.contains("ended within it"), "{cause}");
}

#[test]
fn a_get_that_waits_and_is_lost_ends_the_session() {
    let mut world = polling();
    world.get();
    world.lose_get();
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(cause.contains("ended before its answer"), "{cause}");
}

#[test]
fn what_was_in_an_answer_that_broke_is_in_the_next_one_once() {
    let mut world = polling();
    world.send(2).unwrap();
    world.get();
    world.send(2).unwrap();
    world.lose_get();
    assert_eq!(world.session.queued().packets, 4);
    assert_eq!(world.get(), PollFate::Answer);
    world.deliver();
    assert_eq!(world.messages(), (4, 4));
    // The next ones have their own second try, and no third one.
    world.send(1).unwrap();
    world.get();
    world.lose_get();
    world.get();
    assert_eq!(world.reason(), None);
    world.lose_get();
    assert_eq!(world.reason(), Some(DisconnectReason::TransportError));
    assert_eq!(world.ending.unwrap().unsent.packets, 1);
}

#[test]
fn a_second_try_that_is_shared_with_a_ping_is_no_third_one() {
    let mut world = polling();
    world.send(1).unwrap();
    world.get();
    world.lose_get();
    world.advance(25 * SECOND);
    world.get();
    world.deliver();
    assert_eq!((world.take_got(), world.messages()), (vec![PING], (1, 1)));
    world.send(1).unwrap();
    world.get();
    world.lose_get();
    assert_eq!(world.reason(), None);
    // Nor is a first one.
    let mut world = polling();
    world.advance(25 * SECOND);
    world.send(1).unwrap();
    world.get();
    world.lose_get();
    assert_eq!(world.reason(), None);
}

#[test]
fn an_answer_has_sixteen_packets_or_a_megabyte() {
    let room = SessionOptions { send_packets: 100, send_bytes: 100_000_000, ..usual_options() };
    let mut world = SessionWorld::open(V4_DIALECT, Polling, false, room);
    world.send(40).unwrap();
    for delivered in [16, 32, 40] {
        assert_eq!(world.get(), PollFate::Answer);
        world.deliver();
        assert_eq!(world.messages(), (40, delivered));
    }
    assert_eq!(world.get(), PollFate::Wait);
    let large = Packet::Binary(vec![0; 600_000].into());
    world.session.send(&[large.clone(), large], &mut Vec::new()).unwrap();
    let lengths = [(); 2].map(|()| {
        let body = world.session.take_body(world.now);
        world.session.written(Polling, world.now, &mut Vec::new());
        world.session.poll(world.now, &mut Vec::new());
        body.bytes.len()
    });
    assert_eq!(lengths, [800_001, 800_001]);
}

#[test]
fn an_old_client_gets_binary_as_it_says_that_it_takes_it() {
    for (base64, binary, body) in [
        (true, false, &b"9:42[\"\xc3\xa9\",0]9:42[\"\xc3\xa9\",1]10:b4AAAAAg=="[..]),
        (
            false,
            true,
            b"\0\x01\x00\xff42[\"\xc3\xa9\",0]\0\x01\x00\xff42[\"\xc3\xa9\",1]\x01\x05\xff\x04\0\0\0\x02",
        ),
    ] {
        let mut world = SessionWorld::open(V3_DIALECT, Polling, base64, usual_options());
        let messages = [message(0), message(1), message(2)];
        world.session.send(&messages, &mut Vec::new()).unwrap();
        world.session.poll(world.now, &mut Vec::new());
        let got = world.session.take_body(world.now);
        assert_eq!((got.binary, &*got.bytes), (binary, body), "{got:?}");
    }
    // Text alone is text: a binary body is for binary.
    let mut world = SessionWorld::open(V3_DIALECT, Polling, false, usual_options());
    world.session.send(&[message(0)], &mut Vec::new()).unwrap();
    world.session.poll(world.now, &mut Vec::new());
    let got = world.session.take_body(world.now);
    assert_eq!((got.binary, &*got.bytes), (false, &b"9:42[\"\xc3\xa9\",0]"[..]));
}

#[test]
fn a_client_that_closes_has_its_get_answered() {
    let mut world = polling();
    world.get();
    world.post(Packet::Close);
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportClose);
    assert!(cause.contains("the client closed the session"), "{cause}");
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Noop]);
}

#[test]
fn a_session_on_a_websocket_takes_no_requests() {
    let mut world = websocket();
    assert_eq!(world.get(), PollFate::Refuse);
    assert!(!world.begin_post());
    assert_eq!(world.reason(), None);
}

#[test]
fn what_comes_by_a_way_that_is_not_the_sessions_is_for_nobody() {
    let mut orders = Vec::new();
    // A POST that was never begun, and a WebSocket that it has left.
    for (mut world, by) in [(polling(), Polling), (polling(), WebSocket), (websocket(), Polling)] {
        assert!(world.session.is_open() && !world.session.takes_posts());
        world.session.received(by, message(0), world.now, &mut orders);
        world.session.received(by, Packet::Close, world.now, &mut orders);
        assert!(orders.is_empty() && world.session.is_open(), "{orders:?}");
    }
    let mut world = polling();
    for cause in [None, Some(Error::new(ErrorKind::Transport, "reset"))] {
        world.session.websocket_lost(cause, &mut orders);
        assert!(orders.is_empty() && world.session.is_open(), "{orders:?}");
    }
}

#[test]
fn a_second_try_that_begins_behind_a_ping_is_no_third_one_for_its_last_packet() {
    let room = SessionOptions { send_packets: 100, ..usual_options() };
    let mut world = fetched(SessionWorld::open(V4_DIALECT, Polling, false, room));
    world.send(16).unwrap();
    world.get();
    world.lose_get();
    world.advance(25 * SECOND);
    // The ping has the place of the last one, which comes for the second time alone.
    world.get();
    world.deliver();
    assert_eq!((world.take_got(), world.messages()), (vec![PING], (16, 15)));
    world.get();
    assert_eq!(world.reason(), None);
    world.lose_get();
    assert_eq!(world.reason(), Some(DisconnectReason::TransportError));
}
