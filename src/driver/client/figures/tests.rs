//! What is counted, and when.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::driver::client::testing::{Played, driver};
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::Scope;
use crate::error::ErrorKind;
use crate::event::status::DisconnectReason;
use crate::options::{Buffer, Limits, WhenFull};

fn at(seconds: u64) -> Timestamp {
    Timestamp(Duration::from_secs(seconds))
}

#[test]
fn connects_and_disconnects_are_counted_and_the_last_error_is_kept() {
    let mut figures = Figures::default();
    let close = |error| ManagerEvent::Close(DisconnectReason::TransportClose, error);
    let lost = Error::new(ErrorKind::Transport, "lost");
    let news = [
        ManagerEvent::Open,
        close(Some(lost)),
        ManagerEvent::Open,
        ManagerEvent::Ping,
        close(None),
        ManagerEvent::Open,
    ];
    for (news, second) in news.iter().zip(1..) {
        figures.note_news(news, at(second));
    }
    assert_eq!((figures.connects, figures.disconnects), (3, 2));
    let (error, when) = figures.last_error.clone().unwrap();
    assert_eq!((error.message(), when), ("lost", at(2)));
    let refused = Error::new(ErrorKind::Transport, "refused");
    figures.note_news(&ManagerEvent::Error(refused), at(9));
    let (error, when) = figures.last_error.unwrap();
    assert_eq!((error.message(), when), ("refused", at(9)));
}

#[test]
fn bytes_that_have_passed_add_up() {
    let mut figures = Figures::default();
    for passed in [(3, 5), (0, 0), (10, 20)] {
        figures.note_passed(passed);
    }
    assert_eq!((figures.wire_received, figures.wire_sent), (13, 25));
}

#[test]
fn what_waits_and_what_is_dropped_is_counted() {
    let mut played = Played::joined(Limits::new());
    let oldest = Buffer::new().events(1).when_full(WhenFull::DropOldest);
    let newest = Buffer::new().events(1).when_full(WhenFull::DropNewest);
    let (driver, namespace) = (Arc::clone(&played.driver), played.namespace);
    let (of_oldest, _first) = driver.subscribe(namespace, Scope::Event("e"), oldest);
    let (of_newest, _second) = driver.subscribe(namespace, Scope::Event("e"), newest);
    let (_, _another) = driver.subscribe(namespace, Scope::Event("e"), newest);
    let (of_all, _third) = driver.subscribe(namespace, Scope::Any, Buffer::new());
    let (of_statuses, _statuses) = driver.subscribe_status(namespace);
    let lost = |id| driver.lost(namespace, id);
    played.receive(r#"2["e",1]"#);
    assert!(!driver.lock().warned_lost, "all had room");
    assert_eq!([of_oldest, of_newest, of_all].map(lost), [Some(0); 3]);
    played.receive(r#"2["e",2]"#);
    played.receive(r#"2["e",3]"#);
    assert!(driver.lock().warned_lost);
    assert_eq!([of_oldest, of_newest, of_all].map(lost), [Some(2), Some(2), Some(0)]);
    assert_eq!((lost(of_statuses), lost(ListenerId::new())), (Some(0), None));
    let counters = driver.counters();
    assert_eq!((counters.receive_gave_way, counters.receive_refused), (2, 4));
    assert_eq!(counters.receive_dropped, 6);
    let stats = driver.stats();
    // It is kept as it came.
    let size = r#"42["e",1]"#.len();
    assert_eq!((stats.receive_queue.events, stats.receive_queue.bytes), (6, 6 * size));
    assert_eq!(stats.received.events, 3);
    assert_eq!((stats.connects, stats.disconnects), (1, 0));
}

#[test]
fn before_anything_there_is_nothing() {
    let stats = driver(9, Limits::new()).stats();
    assert_eq!((stats.connects, stats.disconnects, stats.failed_attempts), (0, 0, 0));
    assert!(stats.last_error.is_none() && stats.last_received.is_none());
    assert_eq!((stats.receive_queue.events, stats.send_queue.events), (0, 0));
}
