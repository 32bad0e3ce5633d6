//! How sessions end.

use super::*;

/// Something that happens to a session, with an error.
type Happening = fn(&mut SessionWorld, Error);

#[test]
fn each_end_has_its_reason_in_the_words_of_the_reference() {
    let reset = || Error::new(ErrorKind::Transport, "connection reset");
    let by_websocket: [(&str, &str, Happening); 7] = [
        ("transport close", "", |world, _| world.lose_websocket(None)),
        ("transport error", "connection reset", |world, error| world.lose_websocket(Some(error))),
        ("transport close", "the client closed", |world, _| world.say(WebSocket, Packet::Close)),
        ("parse error", "garbage", |world, _| world.garble(WebSocket)),
        ("ping timeout", "did not answer", |world, _| {
            world.advance(25 * SECOND);
            world.deliver();
            world.advance(20 * SECOND);
        }),
        ("forced close", "", |world, _| world.close()),
        ("server shutting down", "", |world, _| world.end()),
    ];
    for (expected, words, happens) in by_websocket {
        let mut world = websocket();
        happens(&mut world, reset());
        let (reason, cause) = ending(&world);
        assert_eq!(reason.to_string(), expected);
        assert!(cause.contains(words), "{cause}");
        assert_eq!(cause.is_empty(), words.is_empty(), "{cause}");
    }
}

#[test]
fn a_session_by_polling_is_closed_when_its_client_has_all() {
    let options = SessionOptions { send_packets: 100, ..usual_options() };
    let mut world = fetched(SessionWorld::open(V4_DIALECT, Polling, false, options));
    world.send(20).unwrap();
    assert!(world.session.is_open());
    world.close();
    assert!(!world.session.is_open() && !world.session.is_over());
    assert_eq!(world.send(1), Err(NotQueued::Over));
    world.get();
    world.deliver();
    assert_eq!((world.messages(), world.reason()), ((20, 16), None));
    world.get();
    // The last answer breaks, and is asked for again.
    world.lose_get();
    assert_eq!(world.reason(), None);
    world.get();
    world.deliver();
    // What says that it is closed comes alone.
    assert_eq!((world.messages(), world.take_got(), world.reason()), ((20, 20), vec![], None));
    world.get();
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Close]);
    assert_eq!(world.ending.as_ref().unwrap().unsent.packets, 0);
    assert_eq!(world.reason(), Some(DisconnectReason::ForcedClose));
}

#[test]
fn the_end_does_not_wait_behind_a_heartbeat() {
    let mut world = polling();
    world.advance(25 * SECOND);
    world.close();
    world.get();
    world.deliver();
    assert_eq!(world.take_got(), [Packet::Close]);
    assert!(world.session.is_over());
}

#[test]
fn a_get_that_waits_hears_of_the_end() {
    for is_orderly in [true, false] {
        let mut world = polling();
        world.get();
        if is_orderly {
            world.close();
        } else {
            world.end();
        }
        world.deliver();
        assert_eq!(world.take_got(), [Packet::Close]);
        assert!(world.session.is_over());
    }
}

#[test]
fn a_client_that_does_not_fetch_what_is_left_has_half_a_minute() {
    for mut world in [polling(), websocket()] {
        world.send(3).unwrap();
        world.close();
        world.advance((30 * SECOND).checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(world.reason(), None);
        world.advance(Duration::from_millis(1));
        let (reason, cause) = ending(&world);
        assert_eq!(reason, DisconnectReason::ForcedClose);
        assert!(cause.contains("did not fetch what was left within 30 s"), "{cause}");
        assert_eq!(world.ending.unwrap().unsent.packets, 3);
    }
    // Who may not be silent for so long has not so long.
    let options = SessionOptions { ping_interval: SECOND, ping_timeout: SECOND, ..usual_options() };
    let mut world = fetched(SessionWorld::open(V4_DIALECT, Polling, false, options));
    world.close();
    world.advance(2 * SECOND);
    assert!(world.session.is_over());
}

#[test]
fn a_session_by_websocket_is_closed_when_all_is_written() {
    let mut world = websocket();
    world.send(3).unwrap();
    world.send(3).unwrap();
    world.close();
    assert!(world.has_websocket);
    world.deliver();
    world.deliver();
    assert_eq!(world.messages(), (6, 6));
    assert_eq!(world.reason(), Some(DisconnectReason::ForcedClose));
    assert!(!world.has_websocket);
}

#[test]
fn whatever_ends_a_session_that_is_being_closed_its_reason_is_that_of_the_closing() {
    let ends: [fn(&mut SessionWorld); 4] = [
        |world| world.lose_websocket(None),
        |world| world.garble(WebSocket),
        |world| world.say(WebSocket, Packet::Close),
        SessionWorld::end,
    ];
    for end in ends {
        let mut world = websocket();
        world.send(3).unwrap();
        world.close();
        // What comes now is for nobody.
        world.say(WebSocket, message(7));
        end(&mut world);
        assert_eq!(world.reason(), Some(DisconnectReason::ForcedClose));
        assert_eq!(world.ending.unwrap().unsent.packets, 3);
    }
}
