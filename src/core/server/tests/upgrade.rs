//! The move from polling to a WebSocket.

use super::*;

/// A session whose WebSocket is under test, and whose GET waits.
fn moving() -> SessionWorld {
    let mut world = polling();
    assert_eq!(world.get(), PollFate::Wait);
    world.begin_upgrade().unwrap();
    world
}

/// The same, when the client has probed it and has the answers.
fn probed() -> SessionWorld {
    let mut world = moving();
    world.say(WebSocket, PROBE);
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Noop, ANSWER]);
    world
}

#[test]
fn a_session_moves_and_what_waited_moves_with_it() {
    for dialect in [V4_DIALECT, V3_DIALECT] {
        let mut world = fetched(SessionWorld::open(dialect, Polling, false, usual_options()));
        world.get();
        world.begin_upgrade().unwrap();
        assert!(world.has_get(), "before the probe a GET may wait");
        world.say(WebSocket, PROBE);
        world.deliver();
        assert_eq!(world.take_got(), [Packet::Noop, ANSWER]);
        world.send(3).unwrap();
        assert_eq!(world.session.queued().packets, 3);
        world.say(WebSocket, Packet::Upgrade);
        assert!(world.upgraded);
        assert_eq!(world.session.transport(), WebSocket);
        world.deliver();
        assert_eq!(world.messages(), (3, 3));
        world.utter(WebSocket);
        // The requests are things of the past.
        assert_eq!(world.get(), PollFate::Refuse);
        assert!(!world.begin_post());
        assert_eq!(world.reason(), None);
        world.lose_websocket(None);
        assert_eq!(world.reason(), Some(DisconnectReason::TransportClose));
    }
}

#[test]
fn each_get_is_answered_at_once_while_a_session_moves() {
    let mut world = probed();
    for _ in 0..15 {
        assert_eq!(world.get(), PollFate::Answer);
        world.deliver();
        assert_eq!(world.take_got(), [Packet::Noop]);
    }
    // What waits is not held back either.
    world.send(1).unwrap();
    assert_eq!(world.get(), PollFate::Answer);
    world.deliver();
    assert_eq!((world.take_got(), world.messages()), (vec![], (1, 1)));
}

#[test]
fn a_client_that_goes_on_polling_while_it_moves_is_made_to_pause() {
    let mut world = probed();
    let begin = world.now;
    let mut gets = 0;
    while world.session.is_upgrading() {
        gets += 1;
        let fate = world.get();
        world.advance(Duration::from_millis(if fate == PollFate::Wait { 50 } else { 0 }));
        world.deliver();
        assert!(!world.has_get(), "answered within 50 ms");
    }
    assert_eq!(world.now.since(begin), 10 * SECOND);
    assert_eq!(gets, 16 + 200);
    // What comes is not kept waiting, nor is the move.
    let mut world = probed();
    (0..17).for_each(|_| {
        world.deliver();
        world.get();
    });
    world.send(1).unwrap();
    world.deliver();
    world.get();
    assert!(world.has_get());
    world.say(WebSocket, Packet::Upgrade);
    world.deliver();
    assert_eq!((world.reason(), world.messages()), (None, (1, 1)));
}

#[test]
fn a_second_probe_is_answered_too() {
    let mut world = probed();
    for _ in 0..1000 {
        world.say(WebSocket, PROBE);
    }
    world.deliver();
    assert!(world.take_got().iter().all(|packet| *packet == ANSWER));
    world.say(WebSocket, Packet::Upgrade);
    assert!(world.upgraded);
}

#[test]
fn a_websocket_that_says_anything_else_is_closed_and_polling_goes_on() {
    for packet in [PING, PONG, ANSWER, Packet::Noop, Packet::Close, message(0)] {
        for mut world in [moving(), probed()] {
            world.say(WebSocket, packet.clone());
            assert!(!world.has_websocket, "{packet:?}");
            assert_goes_on_by_polling(world);
        }
    }
    let mut world = probed();
    world.garble(WebSocket);
    assert_goes_on_by_polling(world);
    for cause in [None, Some(Error::new(ErrorKind::Transport, "reset"))] {
        let mut world = probed();
        world.lose_websocket(cause);
        assert_goes_on_by_polling(world);
    }
}

#[test]
fn a_websocket_that_is_not_done_in_time_is_closed_and_polling_goes_on() {
    for mut world in [moving(), probed()] {
        world.advance((10 * SECOND).checked_sub(Duration::from_millis(1)).unwrap());
        assert!(world.has_websocket);
        world.advance(Duration::from_millis(1));
        assert!(!world.has_websocket);
        assert_goes_on_by_polling(world);
    }
}

fn assert_goes_on_by_polling(mut world: SessionWorld) {
    assert_eq!((world.reason(), world.upgraded), (None, false));
    world.deliver();
    world.take_got();
    if !world.has_get() {
        assert_eq!(world.get(), PollFate::Wait);
    }
    world.send(1).unwrap();
    world.deliver();
    assert_eq!(world.messages(), (1, 1));
    // And another one may try.
    world.get();
    world.begin_upgrade().unwrap();
    world.say(WebSocket, PROBE);
    world.deliver();
    world.say(WebSocket, Packet::Upgrade);
    assert!(world.upgraded);
}

#[test]
fn an_upgrade_is_refused_where_there_cannot_be_one_and_nothing_changes() {
    assert_eq!(websocket().begin_upgrade(), Err(UpgradeRefusal::Done));
    assert_eq!(probed().begin_upgrade(), Err(UpgradeRefusal::UnderWay));
    let options = SessionOptions { allow_upgrades: false, ..usual_options() };
    let mut world = SessionWorld::open(V4_DIALECT, Polling, false, options);
    let got = world.take_got();
    assert!(matches!(&got[..], [Packet::Open(json)] if json.contains("\"upgrades\":[]")));
    assert_eq!(world.begin_upgrade(), Err(UpgradeRefusal::NotAllowed));
    let mut world = polling();
    world.end();
    assert_eq!(world.begin_upgrade(), Err(UpgradeRefusal::Over));
}

#[test]
fn a_websocket_of_another_revision_is_refused_and_nothing_changes() {
    for (own, other) in [(V4_DIALECT, V3_DIALECT), (V3_DIALECT, V4_DIALECT)] {
        let mut world = SessionWorld::open(own, Polling, false, usual_options());
        world.get();
        let before = world.session.deadline();
        let refused = world.session.begin_upgrade(other, false, world.now);
        assert_eq!(refused, Err(UpgradeRefusal::OtherRevision));
        assert!(!world.session.speaks(other) && world.session.speaks(own));
        assert_eq!((world.session.deadline(), world.session.is_upgrading()), (before, false));
        assert_eq!(world.begin_upgrade(), Ok(()));
    }
}

#[test]
fn a_get_that_waits_when_the_client_has_moved_is_answered_with_nothing() {
    let mut world = moving();
    world.say(WebSocket, Packet::Upgrade);
    assert!(world.upgraded);
    world.send(1).unwrap();
    world.deliver();
    assert_eq!((world.take_got(), world.messages()), (vec![Packet::Noop], (1, 1)));
}

#[test]
fn nothing_overtakes_an_answer_that_is_being_written_when_the_client_has_moved() {
    for is_lost in [false, true] {
        let mut world = probed();
        world.send(2).unwrap();
        world.get();
        world.say(WebSocket, Packet::Upgrade);
        world.send(2).unwrap();
        assert!(!world.session.has_frames());
        if is_lost {
            world.lose_get();
        }
        world.drain();
        assert_eq!(world.messages(), (4, 4));
        assert_eq!(world.reason(), None);
    }
    // However often it was lost before: by the WebSocket it comes once.
    let mut world = probed();
    world.send(2).unwrap();
    world.get();
    world.lose_get();
    world.get();
    world.say(WebSocket, Packet::Upgrade);
    world.lose_get();
    world.drain();
    assert_eq!((world.messages(), world.reason()), ((2, 2), None));
}

#[test]
fn a_post_that_was_begun_is_read_to_its_end_when_the_client_has_moved() {
    let mut world = probed();
    world.begin_post();
    world.utter(Polling);
    world.say(WebSocket, Packet::Upgrade);
    world.utter(Polling);
    world.end_post();
    world.utter(WebSocket);
    // One that breaks is no end of the session, which is elsewhere.
    let mut world = probed();
    world.begin_post();
    world.say(WebSocket, Packet::Upgrade);
    world.garble(Polling);
    world.lose_post();
    assert_eq!(world.reason(), None);
}

#[test]
fn a_session_that_is_closed_while_it_moves_ends_on_either_way() {
    // The client moves, gets what is left there, and the WebSocket is closed.
    let mut world = probed();
    world.send(2).unwrap();
    world.close();
    assert_eq!(world.reason(), None);
    world.say(WebSocket, Packet::Upgrade);
    world.deliver();
    assert_eq!((world.messages(), world.reason()), ((2, 2), Some(DisconnectReason::ForcedClose)));
    // It polls: it gets all and then the end, and the WebSocket is closed too.
    let mut world = probed();
    world.send(2).unwrap();
    world.close();
    assert_eq!(world.get(), PollFate::Answer);
    world.deliver();
    assert_eq!((world.messages(), world.reason()), ((2, 2), None));
    assert_eq!(world.get(), PollFate::Answer);
    assert!(world.has_websocket);
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Close]);
    assert!(!world.has_websocket);
    assert_eq!(world.reason(), Some(DisconnectReason::ForcedClose));
    // It does neither.
    let mut world = probed();
    world.close();
    world.advance(30 * SECOND);
    assert_eq!(world.reason(), Some(DisconnectReason::ForcedClose));
}

#[test]
fn a_pong_that_is_awaited_may_come_by_the_websocket() {
    let mut world = polling();
    world.get();
    world.advance(25 * SECOND);
    world.deliver();
    world.begin_upgrade().unwrap();
    world.say(WebSocket, PROBE);
    world.advance(9 * SECOND);
    world.say(WebSocket, Packet::Upgrade);
    world.advance(19 * SECOND);
    world.say(WebSocket, PONG);
    world.advance(24 * SECOND);
    assert_eq!(world.reason(), None);
}
