//! When calls return, and with what.

use std::sync::{Arc, mpsc};
use std::thread;

use super::*;
use crate::driver::client::testing::{LIMIT, Played, driver, emit, eventually};
use crate::driver::listeners::Scope;
use crate::options::{Buffer, Limits, WhenFull};
use crate::sync::threads::play;

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(20);

fn lost(what: &str) -> Error {
    Error::new(ErrorKind::Transport, what.to_owned())
}

/// What `wait` gives in a thread of its own, which waits already.
fn begun<T: Send + 'static>(
    played: &Played,
    wait: impl FnOnce(&Driver) -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (end, ended) = mpsc::channel();
    let driver = Arc::clone(&played.driver);
    thread::spawn(move || end.send(wait(&driver)));
    eventually(|| !played.driver.lock().awaited.is_empty());
    ended
}

#[test]
fn a_wait_to_be_connected_ends_when_the_namespace_is_joined() {
    let mut played = Played::connecting(Limits::new());
    let namespace = played.namespace;
    let joined = begun(&played, move |driver| driver.wait_joined(namespace, LIMIT));
    let open = begun(&played, |driver| driver.wait_open(LIMIT));
    played.open_session();
    assert_eq!(open.recv_timeout(LIMIT).unwrap().map_err(|it| it.to_string()), Ok(()));
    assert!(joined.recv_timeout(WHILE).is_err(), "CONNECT is not answered");
    played.receive("0{\"sid\":\"n\"}");
    assert_eq!(joined.recv_timeout(LIMIT).unwrap().map_err(|it| it.to_string()), Ok(()));
    assert!(played.driver.lock().awaited.is_empty());
}

#[test]
fn where_nothing_tries_to_connect_there_is_nothing_to_wait_for() {
    let driver = driver(9, Limits::new());
    let namespace = driver.register_namespace("/");
    for error in [driver.wait_joined(namespace, LIMIT), driver.wait_open(LIMIT)] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.hint().is_some_and(|hint| hint.starts_with("call ")), "{error:?}");
    }
    let refused = Error::new(ErrorKind::Transport, "refused");
    driver.run_with(|monitor, _| {
        monitor.last_error = Some(refused.clone());
        monitor.namespaces.get_mut(namespace).unwrap().last_error = Some(refused.clone());
    });
    for error in [driver.wait_joined(namespace, LIMIT), driver.wait_open(LIMIT)] {
        assert_eq!(error.unwrap_err().message(), "refused");
    }
    driver.run_with(|monitor, _| monitor.namespaces.get_mut(namespace).unwrap().losses = 1);
    let error = driver.wait_joined(namespace, LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.message().contains("since the session was lost: "), "{error}");
    driver.shut_down();
    for error in [driver.wait_joined(namespace, LIMIT), driver.wait_open(LIMIT)] {
        assert!(error.unwrap_err().message().contains("closed for good"));
    }
}

#[test]
fn a_wait_that_is_too_long_tells_how_far_it_has_come() {
    let mut played = Played::connecting(Limits::new());
    let words = |played: &Played| {
        let error = played.driver.wait_joined(played.namespace, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        error.message().to_owned()
    };
    assert!(
        words(&played).ends_with("the attempt has come to the stage DNS"),
        "{}",
        words(&played)
    );
    assert!(played.driver.wait_open(Duration::ZERO).is_err());
    played.open_session();
    assert!(played.driver.wait_open(Duration::ZERO).is_ok());
    assert!(words(&played).contains("CONNECT is not answered; "), "{}", words(&played));
    played.driver.run_with(|monitor, _| {
        monitor.namespaces.get_mut(played.namespace).unwrap().last_error = Some(lost("gone"));
    });
    assert!(words(&played).ends_with(": gone"), "{}", words(&played));
}

#[test]
fn the_error_of_a_wait_names_what_has_failed_meanwhile() {
    let gone = lost("gone").words();
    let late = |cause, losses| too_late("open", Duration::from_secs(1), cause, losses, "so far");
    let text = |losses| late(Some(lost("gone")), losses).message().to_owned();
    assert!(late(None, 0).message().ends_with(": so far"));
    assert!(text(0).ends_with(&format!("the last attempt failed: {gone}")));
    assert!(text(1).ends_with(&format!("was lost before the namespace was joined: {gone}")));
    assert!(text(3).contains("3 sessions were lost"));
    assert_eq!(late(Some(lost("gone").with_hint("look")), 0).hint(), Some("look"));
    assert_eq!(late(Some(lost("gone")), 0).hint(), None);
    // What a server says to whom it does not know, and to whom it does.
    for (words, losses, is_elsewhere) in
        [("status 400", 1, true), ("status 400", 0, false), ("status 500", 2, false)]
    {
        let hint = late(Some(lost(words)), losses).hint().map(str::to_owned);
        assert_eq!(hint.is_some_and(|hint| hint.contains("balancer")), is_elsewhere, "{words}");
    }
}

/// A connection with room to send for one event, which is there.
fn without_room() -> Played {
    let played = Played::joined(Limits::new().send_events(1).when_send_full(WhenFull::Wait));
    played.driver.emit(played.namespace, emit(None), Some(Duration::ZERO)).unwrap();
    played
}

#[test]
fn who_emits_waits_for_room_as_long_as_it_may() {
    let played = without_room();
    let namespace = played.namespace;
    let error = played.driver.emit(namespace, emit(None), Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    let short = Some(Duration::from_millis(1));
    let error = played.driver.emit(namespace, emit(None), short).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let emitted = begun(&played, move |driver| driver.emit(namespace, emit(None), None));
    assert!(emitted.recv_timeout(WHILE).is_err());
    played.write();
    assert!(emitted.recv_timeout(LIMIT).unwrap().is_ok());
    played.write();
    assert_eq!(played.driver.stats().sent.events, 2);
}

#[test]
fn a_wait_for_room_ends_where_the_server_may_not_read_on() {
    let played = without_room();
    let namespace = played.namespace;
    let emitted = begun(&played, move |driver| driver.emit(namespace, emit(None), None));
    let why = Error::new(ErrorKind::BufferFull, "a consumer is behind");
    played.driver.run_acting(|monitor, _, actions| {
        monitor.core.stall(&why);
        monitor.notify(actions);
    });
    let error = emitted.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!(error.message(), "a consumer is behind");
}

#[test]
fn no_thread_that_keeps_connections_going_waits_for_room() {
    let played = without_room();
    let playing = play(Role::Transport);
    let error = played.driver.emit(played.namespace, emit(None), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    drop(playing);
    assert!(check_may_wait().is_ok());
    let _playing = play(Role::Callbacks);
    assert!(check_may_wait().is_ok());
}

#[test]
fn a_wait_that_is_over_whatever_comes_is_not_begun() {
    let played = Played::connecting(Limits::new());
    assert!(played.driver.wait_until(Some(Duration::ZERO), |_| true));
    assert!(!played.driver.wait_until(Some(Duration::ZERO), |_| false));
    assert!(!played.driver.wait_until(Some(Duration::from_millis(1)), |_| false));
    assert!(played.driver.lock().awaited.is_empty());
}

#[test]
fn what_a_caller_waits_for_has_come_or_not() {
    let mut played = Played::connecting(Limits::new());
    let has_come = |played: &Played| {
        let monitor = played.driver.lock();
        [Awaited::Joined(played.namespace), Awaited::Open, Awaited::Ended, Awaited::Change]
            .map(|awaited| monitor.has_come(awaited))
    };
    assert_eq!(has_come(&played), [false, false, true, true]);
    played.add_link();
    played.open_session();
    assert_eq!(has_come(&played), [false, true, false, true]);
    played.receive("0{\"sid\":\"n\"}");
    assert_eq!(has_come(&played), [true, true, false, true]);
    played.driver.run_with(|monitor, now| monitor.core.disconnect(played.namespace, now));
    assert_eq!(has_come(&played), [true, true, false, true], "nothing tries to join it");
}

#[test]
fn an_event_is_acknowledged_once() {
    let mut played = Played::joined(Limits::new());
    let scope = Scope::Event("e");
    let buffer = Buffer::new();
    let (_, events) = played.driver.subscribe(played.namespace, scope, buffer);
    played.receive(r#"27["e"]"#);
    let event = events.take(None).unwrap();
    event.ack(1).unwrap();
    assert_eq!(event.ack(2).unwrap_err().kind(), ErrorKind::InvalidOption);
    played.write();
    assert_eq!(played.driver.stats().sent.events, 1);
}

#[test]
fn most_of_the_limit_of_a_close_is_for_its_good_order() {
    for limit in [1, 100, 1000, 60_000].map(Duration::from_millis) {
        let (patience, moment) = patience(limit);
        assert_eq!(patience + moment + moment, limit);
        assert!(moment >= limit / 240 && moment <= limit / 10, "{limit:?}: {moment:?}");
    }
}

#[test]
fn a_close_waits_for_its_transports() {
    let played = Played::joined(Limits::new());
    played.add_link();
    let closed = begun(&played, |driver| driver.wait_closed(LIMIT * 60));
    assert!(closed.recv_timeout(WHILE).is_err());
    played.driver.run_acting(|monitor, _, actions| {
        monitor.links.remove(played.link);
        monitor.notify(actions);
    });
    assert!(closed.recv_timeout(LIMIT).is_ok());
}
