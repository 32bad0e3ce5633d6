//! The turns at a WebSocket one by one.

use std::net::TcpListener;
use std::sync::atomic::Ordering;

use tungstenite::Message;

use super::*;
use crate::core::client::Emit;
use crate::core::time::Timestamp;
use crate::driver::client::testing::live::{Peer, Stepped, said};
use crate::driver::client::testing::{LIMIT, OPEN, driver, emit, eventually};
use crate::driver::listeners::Scope;
use crate::event::Event;
use crate::options::{Buffer, Limits};
use crate::payload::Payload;
use crate::sync::mailbox::Mailbox;

fn subscribe(stepped: &Stepped, buffer: Buffer) -> Arc<Mailbox<Event>> {
    stepped.driver.subscribe(stepped.namespace, Scope::Event("e"), buffer).1
}

/// Traffic that was dense so far, and a nap has just been.
fn dense() -> Density {
    let mut density = Density::default();
    for micros in 1..9 {
        let batch = Batch { packets: 1, bytes: 100, may_be_answer: false };
        density.note(batch, Timestamp(Duration::from_micros(micros)));
    }
    density.begin_nap();
    density
}

fn pump<R>(stepped: &Stepped, look: impl FnOnce(&mut Pump, &mut Wire) -> R) -> R {
    stepped.wire.with(|served| look(&mut served.pump, &mut served.wire)).unwrap()
}

/// Waits until there is something to read.
fn wait_to_read(stepped: &Stepped) {
    let interest = pump(stepped, |_, wire| wire.interest(true, true));
    assert!(interest.wait_for(&stepped.waker, LIMIT).unwrap().is_some_and(|ready| ready.readable));
}

#[test]
fn what_a_server_speaks_is_known_by_its_first_words_or_by_what_it_says_behind_a_ping() {
    let knows =
        |stepped: &Stepped| pump(stepped, |pump, _| matches!(pump.language, Language::Known(_)));
    for (open, is_known) in [
        (OPEN, true),
        (r#"{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#, false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let driver = driver(listener.local_addr().unwrap().port(), Limits::new());
        let (stepped, mut peer) = Stepped::new(driver, listener);
        peer.send(Message::text(format!("0{open}"))).unwrap();
        wait_to_read(&stepped);
        stepped.turn();
        assert_eq!(knows(&stepped), is_known);
        if !is_known {
            assert!(peer.read().unwrap().is_ping());
            stepped.turn();
            assert!(!knows(&stepped), "it has not answered");
            peer.flush().unwrap();
        }
        eventually(|| {
            stepped.turn();
            knows(&stepped)
        });
        assert_eq!(said(&mut peer), Message::text("40"));
    }
}

#[test]
fn what_was_read_before_a_failure_is_handed_in() {
    let (stepped, mut peer) = Stepped::joined(Limits::new().receive_reserve(0));
    let events = subscribe(&stepped, Buffer::new().events(1));
    for _ in 0..3 {
        peer.write(Message::text(r#"42["e"]"#)).unwrap();
    }
    peer.flush().unwrap();
    eventually(|| {
        stepped.turn();
        pump(&stepped, |pump, _| !pump.packets.is_empty())
    });
    assert_eq!(events.len(), 1);
    let rest = pump(&stepped, |pump, _| {
        pump.hand_in_rest(&stepped.driver, &mut Vec::new());
        pump.packets.len()
    });
    assert_eq!(rest, 0);
    assert!(events.len() > 1);
}

#[test]
fn a_turn_reads_so_much_and_no_more() {
    const COUNT: usize = 2 * BATCH_PACKETS;
    let (least, most) = (*BATCH.start(), *BATCH.end());
    for (receive_bytes, padding, packets) in [
        (usize::MAX, 0, BATCH_PACKETS),
        (usize::MAX, 400, most / 400),
        (2 * least, 400, 2 * least / 400),
        (1, 400, least / 400),
    ] {
        let limits = Limits::new().receive_bytes(receive_bytes);
        let (stepped, mut peer) = Stepped::joined(limits);
        let events = subscribe(&stepped, Buffer::new().events(COUNT).bytes(usize::MAX));
        let event = Message::text(format!(r#"42["e","{}"]"#, "x".repeat(padding)));
        let sending = std::thread::spawn(move || {
            for _ in 0..COUNT {
                peer.write(event.clone()).unwrap();
            }
            peer.flush().unwrap();
            peer
        });
        wait_to_read(&stepped);
        let mut largest = 0;
        eventually(|| {
            let before = events.len();
            let next = stepped.turn();
            let turn = events.len() - before;
            largest = largest.max(turn);
            assert!(turn < BATCH_PACKETS || matches!(next, NextStep::Turn), "there may be more");
            events.len() == COUNT
        });
        assert!(largest <= packets, "{largest} of {padding} bytes with {receive_bytes}");
        drop(sending.join().unwrap());
    }
}

#[test]
fn a_flood_of_control_frames_ends_a_turn() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let events = subscribe(&stepped, Buffer::new());
    for _ in 0..=BATCH.end() / CONTROL {
        peer.write(Message::Pong(bytes::Bytes::new())).unwrap();
    }
    peer.write(Message::text(r#"42["e"]"#)).unwrap();
    peer.flush().unwrap();
    wait_to_read(&stepped);
    stepped.turn();
    assert_eq!(events.len(), 0);
    eventually(|| {
        stepped.turn();
        events.len() == 1
    });
}

#[test]
fn a_burst_is_what_is_written_densely_and_goes_on_where_much_has_gathered() {
    let (stepped, _peer) = Stepped::joined(Limits::new());
    let in_burst = |stepped: &Stepped| pump(stepped, |pump, _| pump.in_burst);
    stepped.emit();
    stepped.turn();
    assert!(!in_burst(&stepped), "one is none");
    while !matches!(stepped.turn(), NextStep::Wait(..)) {}
    let payload = Payload::event("q", &"x".repeat(20_000)).unwrap();
    let large = Emit { payload, ..emit(None) };
    assert!(stepped.driver.emit(stepped.namespace, large, None).is_ok());
    stepped.turn();
    assert!(!in_burst(&stepped), "a large batch alone is none");
    while !matches!(stepped.turn(), NextStep::Wait(..)) {}
    pump(&stepped, |pump, _| pump.burst = dense());
    for _ in 0..2 {
        stepped.emit();
    }
    assert!(matches!(stepped.turn(), NextStep::Turn));
    assert!(in_burst(&stepped));
}

/// A connection whose thread lets events accumulate.
fn accumulating() -> (Stepped, Peer) {
    let (stepped, peer) = Stepped::joined(Limits::new());
    pump(&stepped, |pump, _| pump.burst = dense());
    for _ in 0..2 {
        stepped.emit();
    }
    assert!(matches!(stepped.turn(), NextStep::Turn));
    stepped.emit();
    let NextStep::Wait(interest, Some(_)) = stepped.turn() else { panic!("no pause") };
    assert!(format!("{interest:?}").contains("hang_up: true"), "an end is noticed");
    assert!(pump(&stepped, |_, wire| wire.is_accumulating()));
    (stepped, peer)
}

#[test]
fn what_has_accumulated_is_written_at_the_next_look() {
    let (stepped, _peer) = accumulating();
    assert!(matches!(stepped.turn(), NextStep::Turn));
    assert!(pump(&stepped, |_, wire| !wire.is_accumulating()));
}

#[test]
fn where_callers_write_what_accumulates_the_thread_looks_less_often() {
    let (stepped, _peer) = accumulating();
    pump(&stepped, |_, wire| wire.relieved().store(true, Ordering::Relaxed));
    assert!(matches!(stepped.turn(), NextStep::Leave(..)));
}

#[test]
fn an_answer_that_was_asked_for_in_a_burst_does_not_end_it() {
    let (stepped, mut peer) = accumulating();
    pump(&stepped, |_, wire| wire.write(&stepped.driver, Work::Confirm).unwrap());
    while !peer.read().unwrap().is_ping() {}
    peer.flush().unwrap();
    eventually(|| {
        pump(&stepped, |_, wire| {
            wire.socket.read().unwrap();
            wire.is_confirmed()
        })
    });
    assert!(matches!(stepped.turn(), NextStep::Wait(_, Some(_))));
}

#[test]
fn there_is_a_nap_in_dense_traffic_and_none_behind_what_this_side_writes() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let mut send_two = || {
        for _ in 0..2 {
            peer.write(Message::text(r#"42["f"]"#)).unwrap();
        }
        peer.flush().unwrap();
        wait_to_read(&stepped);
    };
    pump(&stepped, |pump, wire| {
        pump.density = dense();
        wire.take_wrote();
    });
    send_two();
    assert!(matches!(stepped.turn(), NextStep::Nap(_)));
    stepped.emit();
    send_two();
    assert!(matches!(stepped.turn(), NextStep::Turn));
    assert!(pump(&stepped, |_, wire| wire.take_wrote()), "what comes next may be an answer");
}
