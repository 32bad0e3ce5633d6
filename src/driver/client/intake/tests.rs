use std::time::Duration;

use super::*;
use crate::core::engine::Loss;
use crate::driver::client::testing::{LIMIT, Played, is_woken};
use crate::driver::listeners::Scope;
use crate::event::Event;
use crate::options::Buffer;
use crate::sync::mailbox::Mailbox;

fn readers() -> [Arc<Waker>; 2] {
    [(); 2].map(|()| Arc::new(Waker::new().unwrap()))
}

#[test]
fn a_reader_that_goes_on_wakes_the_other_one() {
    let intake = Intake::new(&Limits::new());
    let [old, new] = readers();
    intake.hold(&old);
    intake.hold(&new);
    intake.go_on(&new);
    assert!(is_woken(&old, LIMIT));
    // Also where that one alone held still.
    intake.hold(&old);
    intake.go_on(&new);
    assert!(is_woken(&old, LIMIT));
}

#[test]
fn a_reader_that_goes_on_is_not_woken_itself() {
    let intake = Intake::new(&Limits::new());
    let [old, new] = readers();
    intake.hold(&old);
    intake.hold(&new);
    intake.go_on(&new);
    intake.gate.reopen();
    assert!(!is_woken(&new, Duration::from_millis(20)));
}

#[test]
fn readers_that_have_ended_are_forgotten() {
    let intake = Intake::new(&Limits::new());
    let [old, new] = readers();
    intake.hold(&old);
    assert_eq!(intake.others(&new).len(), 1);
    drop(old);
    assert_eq!(intake.others(&new).len(), 0);
}

/// A connection whose subscription to `e` has room for one event, and has it.
fn full(reserve: usize) -> (Played, Arc<Mailbox<Event>>) {
    let mut played = Played::joined(Limits::new().receive_events(1).receive_reserve(reserve));
    let scope = Scope::Event("e");
    let (_, events) = played.driver.subscribe(played.namespace, scope, Buffer::new());
    played.receive(r#"2["e",1]"#);
    assert_eq!(events.len(), 1);
    assert!(played.driver.lock().hold.is_none(), "there was room");
    (played, events)
}

/// A reader that holds still before an event for the subscription, whose place is `events`.
fn held(reserve: usize) -> (Played, Arc<Mailbox<Event>>) {
    let (mut played, events) = full(reserve);
    played.receive(r#"2["e",2]"#);
    assert_eq!(played.packets.len(), 1);
    assert_eq!(played.driver.lock().holder, Some(played.link));
    (played, events)
}

#[test]
fn a_reader_holds_still_before_what_is_for_a_full_consumer_and_nothing_else() {
    let (mut played, events) = full(1 << 20);
    for passes in [r#"2["f"]"#, r#"2/b,["e"]"#, "35[]"] {
        played.receive(passes);
        assert!(played.packets.is_empty(), "{passes}");
    }
    assert!(played.driver.lock().hold.is_none());
    played.receive(r#"2["e",2]"#);
    assert_eq!((played.packets.len(), events.len()), (1, 1));
    assert!(played.driver.lock().hold.is_some());
}

#[test]
fn room_lets_a_reader_go_on() {
    let (mut played, events) = held(1 << 20);
    drop(events.try_take());
    assert!(is_woken(&played.reader, LIMIT));
    played.hand_in(false);
    assert_eq!((played.packets.len(), events.len()), (0, 1));
    let monitor = played.driver.lock();
    assert!(monitor.hold.is_none() && monitor.holder.is_none());
}

#[test]
fn who_begins_to_wait_for_an_answer_lets_a_reader_go_on_into_the_reserve() {
    let (mut played, events) = held(1 << 20);
    let answer = played.ask();
    assert!(is_woken(&played.reader, LIMIT));
    played.receive("30[]");
    assert_eq!((played.packets.len(), events.len()), (0, 2));
    assert!(answer.is_here());
}

#[test]
fn the_end_of_the_session_lets_a_reader_go_on() {
    let (played, _events) = held(1 << 20);
    let loss = Loss::Failed(Error::new(ErrorKind::Transport, "lost"));
    played.driver.run(|core, now| core.lost(played.link, loss, now));
    assert!(is_woken(&played.reader, LIMIT));
}

#[test]
fn what_the_peer_said_last_waits_for_nobody() {
    let (mut played, events) = held(0);
    played.hand_in(true);
    assert_eq!((played.packets.len(), events.len()), (0, 2));
}

#[test]
fn without_a_reserve_a_wait_ends_and_is_told_who_is_behind() {
    let (mut played, events) = full(0);
    let answer = played.ask();
    played.receive(r#"2["e",2]"#);
    assert_eq!(played.packets.len(), 1);
    let error = played.driver.look(|core| core.stalled().cloned()).expect("an error");
    // It is kept as it came.
    let bytes = r#"42["e",1]"#.len();
    let words =
        format!(r#"the subscription to "e" in "/" is behind: 1 events of {bytes} bytes wait"#);
    assert_eq!(error.message(), words);
    assert!(answer.is_here(), "its wait has ended");
    drop(events.try_take());
    assert!(is_woken(&played.reader, LIMIT));
}

#[test]
fn before_a_namespace_is_joined_nothing_holds_a_reader() {
    let (mut played, _events) = full(0);
    played.lose(Error::new(ErrorKind::Transport, "lost"));
    played.open_session();
    // What it belongs to is not known: it might be for the consumer, if there were a membership.
    played.packets.push_back(Packet::Binary(bytes::Bytes::from_static(b"x")));
    played.hand_in(false);
    assert!(played.packets.is_empty());
}

#[test]
fn what_has_come_is_heard_and_nothing_else() {
    let mut played = Played::connecting(Limits::new());
    played.hand_in(false);
    assert_eq!(played.driver.stats().last_received, None);
    played.open_session();
    assert!(played.driver.stats().last_received.is_some());
}

#[test]
fn a_reader_holds_still_before_what_may_be_a_part_of_anything() {
    let (mut played, _events) = full(1 << 20);
    played.packets.push_back(Packet::Binary(bytes::Bytes::from_static(b"x")));
    played.hand_in(false);
    assert_eq!(played.packets.len(), 1);
}

#[test]
fn who_begins_to_wait_when_the_reserve_is_used_up_is_told_at_once() {
    let (mut played, _events) = full(0);
    let first = played.ask();
    played.receive(r#"2["e",2]"#);
    assert!(first.is_here());
    assert!(played.ask().is_here());
}

#[test]
fn a_reader_goes_on_where_only_others_are_full_than_the_one_that_it_held_still_for() {
    let (mut played, events) = full(1 << 20);
    let scope = Scope::Event("f");
    let (_, others) = played.driver.subscribe(played.namespace, scope, Buffer::new());
    played.receive(r#"2["f"]"#);
    assert_eq!(others.len(), 1);
    played.receive(r#"2["e",2]"#);
    assert!(played.driver.lock().hold.is_some());
    drop(events.try_take());
    played.hand_in(false);
    assert_eq!((played.packets.len(), events.len(), others.len()), (0, 1, 1));
    assert!(played.driver.lock().hold.is_none());
}
