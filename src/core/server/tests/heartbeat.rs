//! The heartbeat of both revisions, and clients that take nothing.

use super::*;

#[test]
fn the_server_pings_and_a_client_that_answers_stays() {
    let mut world = websocket();
    for _ in 0..100 {
        world.advance((25 * SECOND).checked_sub(Duration::from_millis(1)).unwrap());
        world.deliver();
        assert_eq!(world.take_got(), []);
        world.advance(Duration::from_millis(1));
        world.deliver();
        assert_eq!(world.take_got(), [PING]);
        world.advance(19 * SECOND);
        world.say(WebSocket, PONG);
    }
    world.advance(25 * SECOND);
    world.deliver();
    world.advance(19 * SECOND);
    assert_eq!(world.reason(), None);
    world.advance(SECOND);
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::PingTimeout);
    assert!(cause.contains("did not answer a ping within 20 s"), "{cause}");
    assert!(world.ending.unwrap().cause.unwrap().is_timeout());
}

#[test]
fn a_session_that_is_never_polled_again_ends_by_its_heartbeat() {
    for (dialect, words) in
        [(V4_DIALECT, "did not answer a ping"), (V3_DIALECT, "sent nothing for 45 s")]
    {
        let mut world = SessionWorld::open(dialect, Polling, false, usual_options());
        world.advance((45 * SECOND).checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(world.reason(), None);
        world.advance(Duration::from_millis(1));
        let (reason, cause) = ending(&world);
        assert_eq!(reason, DisconnectReason::PingTimeout);
        assert!(cause.contains(words), "{cause}");
        // Nor if the very first answer is never fetched.
        let mut world = SessionWorld::opening(dialect, Polling, false, usual_options());
        world.advance(45 * SECOND);
        assert!(world.session.is_over());
    }
}

#[test]
fn an_old_client_pings_and_each_answer_may_be_for_many() {
    let mut world = old_websocket();
    for _ in 0..10 {
        world.advance(44 * SECOND);
        world.say(WebSocket, PING);
        // Nothing is written meanwhile: what is owed does not grow.
        for _ in 0..1000 {
            world.say(WebSocket, PING);
        }
        world.deliver();
        world.deliver();
        assert_eq!(world.take_got(), [PONG, PONG]);
    }
    // Whatever comes is a sign of life.
    world.advance(44 * SECOND);
    world.utter(WebSocket);
    world.advance(44 * SECOND);
    world.session.heard(WebSocket, world.now);
    world.advance(44 * SECOND);
    assert_eq!(world.reason(), None);
    world.advance(SECOND);
    assert_eq!(world.reason(), Some(DisconnectReason::PingTimeout));
}

#[test]
fn a_heartbeat_in_the_wrong_direction_ends_the_session() {
    for (mut world, packet) in [(websocket(), PING), (old_websocket(), PONG)] {
        world.say(WebSocket, packet);
        let (reason, cause) = ending(&world);
        assert_eq!(reason, DisconnectReason::TransportError);
        assert!(cause.contains("wrong direction"), "{cause}");
    }
}

#[test]
fn pongs_that_nobody_asked_for_change_nothing() {
    let mut world = websocket();
    world.advance(10 * SECOND);
    let before = world.session.deadline();
    for _ in 0..100_000 {
        world.say(WebSocket, PONG);
    }
    assert_eq!(world.session.deadline(), before);
    assert!(!world.session.has_frames());
}

#[test]
fn a_pong_has_its_time_from_when_the_ping_was_written() {
    let mut world = websocket();
    world.advance(24 * SECOND);
    for _ in 0..3 {
        world.send(3).unwrap();
    }
    // They are on their way, slowly. The ping has to wait behind them.
    world.advance(31 * SECOND);
    world.progress();
    world.progress();
    world.advance(40 * SECOND);
    assert_eq!(world.reason(), None);
    world.deliver();
    world.deliver();
    world.deliver();
    assert_eq!(world.take_got(), [PING]);
    world.advance(19 * SECOND);
    assert_eq!(world.reason(), None);
    world.advance(SECOND);
    assert_eq!(world.reason(), Some(DisconnectReason::PingTimeout));
}

#[test]
fn what_does_not_move_at_all_ends_the_session() {
    for mut world in [websocket(), old_websocket()] {
        world.send(3).unwrap();
        world.advance(44 * SECOND);
        world.say(WebSocket, message(0));
        world.progress();
        world.advance(44 * SECOND);
        assert_eq!(world.reason(), None);
        // It speaks, but reads nothing.
        world.session.heard(WebSocket, world.now);
        world.advance(SECOND);
        let (reason, cause) = ending(&world);
        assert_eq!(reason, DisconnectReason::TransportError);
        assert!(cause.contains("no byte could be written for 45 s (packets: 3"), "{cause}");
        assert_eq!(world.ending.unwrap().unsent.packets, 3);
    }
    let mut world = polling();
    world.send(3).unwrap();
    world.get();
    world.advance(45 * SECOND);
    let (reason, cause) = ending(&world);
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(cause.contains("does not read the answer to its GET for 45 s"), "{cause}");
}

#[test]
fn what_lies_behind_a_reader_that_holds_still_is_not_missed() {
    for (mut world, sign, time) in
        [(websocket(), PONG, 19 * SECOND), (old_websocket(), PING, 44 * SECOND)]
    {
        world.advance(25 * SECOND);
        world.deliver();
        world.hold();
        for _ in 0..100 {
            world.advance(10 * SECOND);
            world.deliver();
        }
        world.resume();
        world.advance(time.checked_sub(SECOND).unwrap());
        world.say(WebSocket, sign);
        world.deliver();
        world.advance(time.checked_sub(SECOND).unwrap());
        assert_eq!(world.reason(), None);
        // Another time nothing has come.
        for _ in 0..60 {
            world.advance(SECOND);
            world.deliver();
        }
        assert_eq!(world.reason(), Some(DisconnectReason::PingTimeout));
    }
}

#[test]
fn a_client_gets_signs_of_life_while_its_reader_holds_still() {
    for (mut world, sign, patience) in
        [(websocket(), PING, 25 * SECOND), (old_websocket(), PONG, 20 * SECOND)]
    {
        world.hold();
        world.take_got();
        for _ in 0..40 {
            world.advance(patience);
            world.deliver();
            let got = world.take_got();
            assert!(!got.is_empty() && got.iter().all(|packet| *packet == sign), "{got:?}");
        }
        world.resume();
        // Who has been pinged forty times may answer as often.
        (0..40).for_each(|_| world.say(WebSocket, if sign == PING { PONG } else { PING }));
        assert_eq!(world.reason(), None);
    }
}

#[test]
fn a_ping_waits_for_a_get_and_a_get_for_a_ping() {
    let mut world = polling();
    assert_eq!(world.get(), PollFate::Wait);
    world.advance(25 * SECOND);
    world.deliver();
    assert_eq!(world.take_got(), [PING]);
    assert!(world.post(PONG));
    world.advance(26 * SECOND);
    assert_eq!(world.get(), PollFate::Answer);
    world.deliver();
    assert_eq!(world.take_got(), [PING]);
}
