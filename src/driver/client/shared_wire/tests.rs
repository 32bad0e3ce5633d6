//! Who uses a WebSocket when: its thread, who emits, and who waits for an answer.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::Message;

use super::*;
use crate::driver::ack_slot::{AckHandle, AckSlot, AwaitAnswer};
use crate::driver::client::testing::live::{Live, Peer, Stepped, said};
use crate::driver::client::testing::{LIMIT, emit, eventually, is_woken};
use crate::driver::listeners::Scope;
use crate::error::ErrorKind;
use crate::event::AckReply;
use crate::options::{Buffer, Limits};
use crate::sync::threads::{Role, play};

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(20);

fn wire(live: &Live) -> SharedWire {
    let monitor = live.driver.lock();
    let link = monitor.core.engine().unwrap().main_link();
    monitor.links.get(link).unwrap().shared().unwrap().0
}

fn relief(rests: bool, has_begun: bool) -> Relief {
    let mut relief = Relief::default();
    if rests {
        relief.thread_rests();
    }
    if has_begun {
        relief.begin();
    }
    relief
}

fn is(wire: &SharedWire, expected: Relief) -> bool {
    wire.with(|served| served.relief == expected).unwrap()
}

/// Asks the peer something, and reads the question.
fn ask(live: &Live, peer: &mut Peer) -> (Arc<AckSlot>, String) {
    let slot = Arc::new(AckSlot::default());
    let ack = Some(AckHandle::Slot(Arc::clone(&slot)));
    live.driver.emit(live.namespace, emit(ack), None).unwrap();
    let question = said(peer).into_text().unwrap();
    let number = question.strip_prefix("42").unwrap().strip_suffix(r#"["q"]"#).unwrap();
    (slot, format!("43{number}[7]"))
}

/// Waits for an answer in a thread of its own; again and again, since the thread may just have a turn.
fn wait(live: &Live, slot: &Arc<AckSlot>) -> Receiver<Result<AckReply>> {
    let (driver, slot) = (Arc::clone(&live.driver), Arc::clone(slot));
    let (end, ended) = channel();
    thread::spawn(move || {
        let try_again = || driver.await_answer(&slot, Some(Instant::now() + WHILE));
        end.send(std::iter::repeat_with(try_again).find_map(|answer| answer).unwrap())
    });
    ended
}

/// A connection whose thread waits by the lookout.
fn resting() -> (Live, Peer, SharedWire) {
    let (live, mut peer) = Live::joined();
    let wire = wire(&live);
    eventually(|| {
        if wire.with(|served| served.lookout.is_none()).unwrap() {
            assert!(wire.take_over().is_none(), "it is made");
        }
        // The thread has a turn, and waits by the lookout then.
        peer.send(Message::text("6")).unwrap();
        wire.with(|served| served.relief.is_possible()).unwrap()
    });
    (live, peer, wire)
}

#[test]
fn who_waits_for_an_answer_reads_in_the_stead_of_the_thread() {
    let (live, mut peer, wire) = resting();
    let (_, events) = live.driver.subscribe(live.namespace, Scope::Event("e"), Buffer::new());
    let (slot, answer) = ask(&live, &mut peer);
    let ended = wait(&live, &slot);
    // Who waits goes and comes back: under one lock it stays.
    let is_refused = |served: &mut Served| {
        (served.relief == relief(true, true)).then(|| served.take_over().is_none())
    };
    let mut refused = None;
    eventually(|| {
        refused = wire.with(is_refused).unwrap();
        refused.is_some()
    });
    assert_eq!(refused, Some(true), "there is somebody already");
    peer.send(Message::text(r#"42["e",1]"#)).unwrap();
    assert!(events.take(Some(Instant::now() + LIMIT)).is_ok());
    eventually(|| is(&wire, relief(true, true)));
    peer.send(Message::text(answer)).unwrap();
    assert!(ended.recv_timeout(LIMIT).unwrap().is_ok());
    eventually(|| is(&wire, relief(true, false)));
    peer.send(Message::text(r#"42["e",2]"#)).unwrap();
    assert!(events.take(Some(Instant::now() + LIMIT)).is_ok(), "the thread reads again");
}

#[test]
fn who_waits_goes_at_the_deadline_and_when_the_answer_comes_from_elsewhere() {
    let (live, mut peer, wire) = resting();
    let (slot, answer) = ask(&live, &mut peer);
    let soon = Instant::now() + WHILE;
    assert!(live.driver.await_answer(&slot, Some(soon)).is_none());
    assert!(Instant::now() >= soon);
    eventually(|| is(&wire, relief(true, false)));
    let ended = wait(&live, &slot);
    eventually(|| is(&wire, relief(true, true)));
    slot.resolve(Err(Error::new(ErrorKind::Timeout, "late")));
    assert!(ended.recv_timeout(LIMIT).unwrap().is_err());
    eventually(|| is(&wire, relief(true, false)));
    peer.send(Message::text(answer)).unwrap();
}

#[test]
fn threads_that_have_other_work_do_not_stand_in() {
    let (live, mut peer, wire) = resting();
    let (slot, answer) = ask(&live, &mut peer);
    let driver = Arc::clone(&live.driver);
    let waiting = thread::spawn(move || {
        let _playing = play(Role::Transport);
        driver.await_answer(&slot, None)
    });
    let end = Instant::now() + WHILE;
    while Instant::now() < end {
        assert!(!is(&wire, relief(true, true)));
    }
    peer.send(Message::text(answer)).unwrap();
    assert!(matches!(waiting.join().unwrap(), Some(Ok(_))));
}

#[test]
fn the_end_that_is_found_by_who_stands_in_is_the_threads() {
    let (live, mut peer, wire) = resting();
    let (slot, _) = ask(&live, &mut peer);
    let _ended = wait(&live, &slot);
    eventually(|| is(&wire, relief(true, true)));
    drop(peer);
    eventually(|| live.driver.stats().disconnects == 1);
    eventually(|| live.driver.lock().links.is_empty());
}

#[test]
fn a_wire_that_the_thread_has_taken_away_is_nobodys() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let wire = &stepped.wire;
    let going = thread::spawn(move || said(&mut peer).is_close());
    wire.end(true);
    assert!(going.join().unwrap(), "the peer is told");
    assert!(wire.take_over().is_none() && wire.with(|_| ()).is_none());
    assert!(wire.give_back(Remaining::OfThread), "there is no thread to wake");
}

#[test]
fn who_gives_back_says_whether_the_thread_has_to_go_on() {
    let (stepped, _peer) = Stepped::joined(Limits::new());
    let wire = &stepped.wire;
    assert!(wire.take_over().is_none(), "the lookout is made");
    assert!(wire.take_over().is_none(), "the thread does not rest by it");
    while !is(wire, relief(true, false)) {
        stepped.turn();
    }
    for (remaining, is_done) in [(Remaining::Nothing, true), (Remaining::OfThread, false)] {
        assert!(wire.take_over().is_some());
        assert_eq!(wire.give_back(remaining), is_done);
    }
}

#[test]
fn what_one_emits_is_written_or_the_thread_is_woken_for_it() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let (driver, waker) = (&stepped.driver, &stepped.waker);
    stepped.emit();
    driver.write_or_wake(&stepped.wire, waker);
    assert_eq!(said(&mut peer), Message::text(r#"42["q"]"#));
    assert!(!is_woken(waker, WHILE));
    stepped.wire.with(|_| driver.write_or_wake(&stepped.wire, waker));
    assert!(is_woken(waker, LIMIT), "another has the wire");
}

#[test]
fn the_thread_rests_by_the_lookout_only_to_read() {
    let (stepped, mut peer) = Stepped::joined(Limits::new().receive_reserve(0));
    let (driver, wire) = (&stepped.driver, &stepped.wire);
    let buffer = Buffer::new().events(1);
    let (_, events) = driver.subscribe(stepped.namespace, Scope::Event("e"), buffer);
    assert!(wire.take_over().is_none(), "the lookout is made");
    while !matches!(stepped.turn(), NextStep::Rest(_)) {}
    let another = || {
        let turn =
            |served: &mut Served| served.turn_of_another(driver, Ready::default(), &mut Vec::new());
        wire.with(turn).unwrap()
    };
    assert_eq!(another(), Remaining::Nothing);
    for _ in 0..2 {
        peer.send(Message::text(r#"42["e"]"#)).unwrap();
    }
    eventually(|| matches!(stepped.turn(), NextStep::Wait(..)));
    assert_eq!((another(), events.len()), (Remaining::OfThread, 1));
    wire.with(|served| served.end_by(Error::new(ErrorKind::Transport, "a fault")));
    assert_eq!(another(), Remaining::OfThread);
    let next = wire.with(|it| it.turn_of_thread(driver, Ready::default(), &mut Vec::new()));
    assert_eq!(next.unwrap().unwrap_err().message(), "a fault");
}
