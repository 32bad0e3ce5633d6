//! What goes out, and what it takes of the memory.

use super::*;
use crate::proto::dialect::Frame;

#[test]
fn messages_are_queued_together_or_not_at_all() {
    let mut world = polling();
    world.send(3).unwrap();
    world.send(6).unwrap();
    assert_eq!(world.send(2), Err(NotQueued::Full));
    assert_eq!(world.session.queued().packets, 9);
    world.send(1).unwrap();
    assert_eq!(world.send(1), Err(NotQueued::Full));
    // What is being written counts.
    world.get();
    assert_eq!(world.send(1), Err(NotQueued::Full));
    world.deliver();
    world.send(10).unwrap();
}

#[test]
fn bytes_are_bounded_and_one_message_of_any_size_has_room() {
    let options = || SessionOptions { send_bytes: 100, ..usual_options() };
    let mut world = SessionWorld::open(V4_DIALECT, WebSocket, false, options());
    let large = Packet::Binary(vec![0; 5000].into());
    world.session.send(std::slice::from_ref(&large), &mut Vec::new()).unwrap();
    assert_eq!(world.session.send(&[message(0)], &mut Vec::new()), Err(NotQueued::Full));
    world.session.take_frames(world.now, &mut Vec::new());
    assert_eq!(world.session.send(&[message(0)], &mut Vec::new()), Err(NotQueued::Full));
    world.session.written(WebSocket, world.now, &mut Vec::new());
    world.session.send(&[message(0)], &mut Vec::new()).unwrap();
    assert_eq!(world.session.send(&[large], &mut Vec::new()), Err(NotQueued::Full));
}

#[test]
fn frames_share_the_memory_of_what_was_sent() {
    let mut world = websocket();
    let (Packet::Text(text), Packet::Binary(bytes)) = (message(0), message(2)) else { panic!() };
    let sent = [Packet::Text(text.clone()), Packet::Binary(bytes.clone())];
    world.session.send(&sent, &mut Vec::new()).unwrap();
    let mut frames = Vec::new();
    world.session.take_frames(world.now, &mut frames);
    let [Frame::Text(first), Frame::Binary(second)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(first.as_ptr(), text.as_frame().as_ptr());
    assert_eq!(second.as_ptr(), bytes.as_ptr());
}

#[test]
fn nothing_more_is_handed_out_before_all_is_written() {
    let mut world = websocket();
    assert!(world.session.is_writable());
    world.send(3).unwrap();
    assert!(!world.session.is_writable());
    world.send(3).unwrap();
    world.progress();
    world.progress();
    assert_eq!(world.messages(), (6, 2));
    world.progress();
    world.progress();
    assert_eq!(world.messages(), (6, 4));
    world.deliver();
    assert_eq!(world.messages(), (6, 6));
    assert!(world.session.is_writable());
}

#[test]
fn a_client_without_binary_frames_gets_base64() {
    for (dialect, expected) in [(V4_DIALECT, "bAAAAAg=="), (V3_DIALECT, "b4AAAAAg==")] {
        let mut world = SessionWorld::open(dialect, WebSocket, true, usual_options());
        world.session.send(&[message(2)], &mut Vec::new()).unwrap();
        let mut frames = Vec::new();
        world.session.take_frames(world.now, &mut frames);
        assert_eq!(frames, [Frame::Text(expected.into())]);
    }
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 304, "{}", size_of::<Session>());
    for mut world in [polling(), websocket()] {
        for _ in 0..10 {
            world.send(10).unwrap();
            world.drain();
        }
        assert_eq!(world.session.heap(), 0);
    }
}

#[test]
fn as_many_bytes_may_wait_as_are_allowed() {
    let one = Packet::Binary(vec![0; 50].into());
    let two = [one.clone(), one.clone()];
    for (send_bytes, result) in [(150, Ok(())), (149, Err(NotQueued::Full))] {
        let options = SessionOptions { send_bytes, ..usual_options() };
        let mut world = SessionWorld::open(V4_DIALECT, WebSocket, false, options);
        world.session.send(std::slice::from_ref(&one), &mut Vec::new()).unwrap();
        assert_eq!(world.session.send(&two, &mut Vec::new()), result);
    }
}

#[test]
fn there_is_something_to_write_once_a_message_or_the_answer_to_a_probe_waits() {
    let mut world = websocket();
    assert!(!world.session.has_frames());
    world.session.send(&[message(0)], &mut Vec::new()).unwrap();
    assert!(world.session.has_frames());
    world.session.take_frames(world.now, &mut Vec::new());
    assert!(!world.session.has_frames());
    let mut world = polling();
    world.begin_upgrade().unwrap();
    assert!(!world.session.has_frames());
    world.session.received(WebSocket, PROBE, world.now, &mut Vec::new());
    assert!(world.session.has_frames());
    world.session.take_frames(world.now, &mut Vec::new());
    assert!(!world.session.has_frames());
}
