//! What is handed to a WebSocket, what comes of it, and what the state machines are told.

use std::time::Duration;

use tungstenite::Message;

use super::*;
use crate::core::client::{Client, Emit};
use crate::driver::client::testing::live::{Stepped, said};
use crate::driver::client::testing::{emit, eventually};
use crate::options::{Buffer, Limits};
use crate::payload::Payload;

fn exchange(stepped: &Stepped, wire: &mut Wire) -> Work {
    let work = stepped.driver.exchange(wire, None, false, &mut Vec::new());
    work.expect("nothing accumulates")
}

/// One turn of writing.
fn write(stepped: &Stepped, wire: &mut Wire) -> Turn {
    let work = exchange(stepped, wire);
    wire.write(&stepped.driver, work).unwrap()
}

fn load(stepped: &Stepped) -> usize {
    stepped.driver.look(|core| core.session_load().packets)
}

#[test]
fn what_is_written_is_told_once_and_what_the_peer_says_of_it_too() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    stepped.wire.with(|served| {
        let wire = &mut served.wire;
        wire.take_wrote();
        assert!(!wire.is_confirmed());
        assert!(!wire.is_confirmed() && !wire.take_confirmed());
        stepped.emit();
        assert_eq!(write(&stepped, wire), Turn::Written);
        assert!(wire.take_wrote() && !wire.take_wrote());
        assert_eq!(load(&stepped), 1, "it is yet to be told");
        assert_eq!(write(&stepped, wire), Turn::Idle);
        assert_eq!(load(&stepped), 0);
        assert_eq!(wire.write(&stepped.driver, Work::Confirm).unwrap(), Turn::Written);
        assert!(!wire.is_confirmed() && !wire.take_confirmed());
    });
    assert_eq!(peer.read().unwrap(), Message::text(r#"42["q"]"#));
    assert!(peer.read().unwrap().is_ping());
    peer.flush().unwrap();
    let read = |served: &mut super::super::shared_wire::Served| {
        served.wire.socket.read().unwrap();
        served.wire.is_confirmed()
    };
    eventually(|| stepped.wire.with(read).unwrap());
    stepped.wire.with(|served| {
        assert!(served.wire.take_confirmed() && !served.wire.take_confirmed());
    });
}

#[test]
fn what_does_not_fit_into_the_socket_is_not_told_to_be_written() {
    const SIZE: usize = 900_000;
    let limits = Limits::new().send_bytes(64 * SIZE);
    let (stepped, mut peer) = Stepped::joined(limits);
    let mut count = 0;
    let payload = Payload::event("q", &"x".repeat(SIZE)).unwrap();
    stepped.wire.with(|served| {
        let wire = &mut served.wire;
        wire.take_progress();
        loop {
            let large = Emit { payload: payload.clone(), ..emit(None) };
            stepped.driver.emit(stepped.namespace, large, Some(Duration::ZERO)).unwrap();
            count += 1;
            match write(&stepped, wire) {
                Turn::Full => break,
                turn => assert_eq!(turn, Turn::Written),
            }
        }
        assert!(!wire.take_progress(), "that was noted");
        assert_eq!(write(&stepped, wire), Turn::Full);
        assert_eq!(load(&stepped), 1);
        assert!(!stepped.driver.write_for_caller(wire, &mut Vec::new()), "the thread has to go on");
    });
    let reading = std::thread::spawn(move || {
        while count > 0 {
            count -= usize::from(said(&mut peer).is_text());
        }
    });
    eventually(|| {
        stepped.wire.with(|served| write(&stepped, &mut served.wire)) != Some(Turn::Full)
    });
    stepped.wire.with(|served| {
        assert!(served.wire.take_progress() && !served.wire.take_progress());
        while write(&stepped, &mut served.wire) != Turn::Idle {}
    });
    assert_eq!(load(&stepped), 0);
    reading.join().unwrap();
}

#[test]
fn bytes_that_have_come_are_noted_once() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    stepped.wire.with(|served| {
        served.wire.take_heard();
        assert!(!served.wire.take_heard());
    });
    peer.send(Message::Pong(bytes::Bytes::new())).unwrap();
    eventually(|| {
        let heard = stepped.wire.with(|served| {
            served.wire.socket.read().unwrap();
            served.wire.take_heard()
        });
        heard.unwrap()
    });
    stepped.wire.with(|served| assert!(!served.wire.take_heard()));
}

#[test]
fn who_writes_hears_nothing_and_who_reads_only_what_has_come() {
    let (stepped, _peer) = Stepped::joined(Limits::new());
    let silence = || stepped.driver.stats().last_received.unwrap();
    let before = silence();
    eventually(|| silence() > before);
    let before = silence();
    stepped.turn();
    stepped.wire.with(|served| {
        // As if something had come that is not read yet.
        served.wire.heard = 0;
        exchange(&stepped, &mut served.wire);
    });
    assert!(silence() >= before);
}

#[test]
fn a_caller_writes_and_leaves_to_the_thread_what_that_has_to_see_to() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let driver = &stepped.driver;
    stepped.wire.with(|served| {
        let wire = &mut served.wire;
        let write = |wire: &mut Wire| driver.write_for_caller(wire, &mut Vec::new());
        assert!(write(wire), "there is nothing");
        stepped.emit();
        assert!(write(wire));
        wire.set_napping(true);
        assert!(!write(wire), "an answer will come");
        wire.set_napping(false);
        assert!(write(wire));
        driver.run(Client::close);
        assert!(!write(wire), "the end is the thread's");
        assert!(matches!(wire.write(driver, Work::Wait), Ok(Turn::Finish | Turn::Stop)));
    });
    assert_eq!(said(&mut peer), Message::text(r#"42["q"]"#));
}

#[test]
fn the_thread_hears_once_that_callers_have_written_while_events_accumulated() {
    // One is too much to let it accumulate.
    let (stepped, _peer) = Stepped::joined(Limits::new().send_events(2));
    stepped.wire.with(|served| {
        let wire = &mut served.wire;
        assert!(!wire.is_accumulating());
        wire.begin_accumulating();
        assert!(wire.is_accumulating());
        let relieved = wire.relieved();
        stepped.emit();
        assert!(stepped.driver.write_for_caller(wire, &mut Vec::new()));
        assert!(relieved.load(Ordering::Relaxed));
        assert!(wire.end_accumulating() && !wire.is_accumulating());
        assert!(!wire.end_accumulating());
        stepped.emit();
        assert!(stepped.driver.write_for_caller(wire, &mut Vec::new()));
        assert!(!wire.end_accumulating(), "the thread does not count on it");
    });
}

#[test]
fn what_is_written_is_shown_while_somebody_looks() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let write_one = || {
        stepped.emit();
        stepped.wire.with(|served| assert_eq!(write(&stepped, &mut served.wire), Turn::Written));
    };
    write_one();
    let (id, packets) = stepped.driver.observe(Buffer::new());
    write_one();
    assert_eq!(packets.len(), 1);
    assert!(stepped.driver.unobserve(id));
    write_one();
    for _ in 0..3 {
        assert_eq!(said(&mut peer), Message::text(r#"42["q"]"#));
    }
}
