//! How long one stands in for the thread, and what it leaves.

use std::thread;

use tungstenite::Message;

use super::*;
use crate::driver::ack_slot::AckHandle;
use crate::driver::client::testing::live::{Stepped, said};
use crate::driver::client::testing::{LIMIT, emit, eventually, is_woken};
use crate::driver::listeners::Scope;
use crate::error::{Error, ErrorKind};
use crate::options::{Buffer, Limits};

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(20);

fn stand_in(stepped: &Stepped) -> StandIn<'_> {
    let mut lookout = None;
    while lookout.is_none() {
        stepped.turn();
        lookout = stepped.wire.take_over();
    }
    StandIn {
        driver: &stepped.driver,
        wire: &stepped.wire,
        waker: &stepped.waker,
        lookout: lookout.unwrap(),
        deadline: None,
        remaining: Remaining::Nothing,
    }
}

#[test]
fn who_stands_in_goes_on_until_its_answer_is_here_whatever_else_comes() {
    let (stepped, mut peer) = Stepped::joined(Limits::new());
    let (driver, namespace) = (Arc::clone(&stepped.driver), stepped.namespace);
    let (_, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    let slot = Arc::new(AckSlot::default());
    driver.emit(namespace, emit(Some(AckHandle::Slot(Arc::clone(&slot)))), None).unwrap();
    let mut stand_in = stand_in(&stepped);
    let answering = thread::spawn(move || {
        assert_eq!(said(&mut peer), Message::text(r#"420["q"]"#));
        peer.send(Message::text(r#"42["e"]"#)).unwrap();
        assert!(events.take(Some(Instant::now() + LIMIT)).is_ok());
        // What has to be answered is more to do.
        peer.send(Message::text("2")).unwrap();
        assert_eq!(said(&mut peer), Message::text("3"));
        peer.send(Message::text("430[]")).unwrap();
        peer
    });
    stand_in.run(&slot);
    assert!(slot.is_here());
    drop(answering.join().unwrap());
}

#[test]
fn who_stands_in_goes_when_its_answer_comes_from_elsewhere() {
    let (stepped, _peer) = Stepped::joined(Limits::new());
    let slot = AckSlot::default();
    let mut stand_in = stand_in(&stepped);
    thread::scope(|scope| {
        let standing = scope.spawn(|| stand_in.run(&slot));
        let end = Instant::now() + WHILE;
        while Instant::now() < end {
            assert!(!standing.is_finished());
        }
        slot.resolve(Err(Error::new(ErrorKind::Timeout, "late")));
        eventually(|| standing.is_finished());
    });
}

#[test]
fn the_thread_is_woken_for_what_is_left() {
    let (stepped, _peer) = Stepped::joined(Limits::new());
    for (remaining, is_left) in [(Remaining::Nothing, false), (Remaining::OfThread, true)] {
        let mut stand_in = stand_in(&stepped);
        stand_in.remaining = remaining;
        drop(stand_in);
        let limit = if is_left { LIMIT } else { WHILE };
        assert_eq!(is_woken(&stepped.waker, limit), is_left, "{remaining:?}");
    }
}
