//! What an end waits for, and what it gives back.

use std::sync::{Arc, mpsc};
use std::thread;

use super::*;
use crate::driver::client::testing::{LIMIT, Played, driver, emit, eventually};
use crate::options::Limits;

/// It outlasts the test.
const LONG: Duration = Duration::from_secs(3600);

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(20);

/// What an end gives in a thread of its own, which waits already.
fn begun<T: Send + 'static>(
    played: &Played,
    end: impl FnOnce(&Driver) -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (tell, told) = mpsc::channel();
    let driver = Arc::clone(&played.driver);
    thread::spawn(move || tell.send(end(&driver)));
    eventually(|| !played.driver.lock().awaited.is_empty());
    told
}

fn emit_one(driver: &Driver, namespace: NamespaceId) {
    driver.emit(namespace, emit(None), None).unwrap();
}

#[test]
fn a_flush_waits_until_all_is_written() {
    let played = Played::joined(Limits::new());
    assert!(played.driver.flush(None, LONG).is_ok(), "there is nothing");
    emit_one(&played.driver, played.namespace);
    let error = played.driver.flush(None, Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let flushed = begun(&played, |driver| driver.flush(None, LONG));
    assert!(flushed.recv_timeout(WHILE).is_err());
    played.write();
    assert!(flushed.recv_timeout(LIMIT).unwrap().is_ok());
}

#[test]
fn a_flush_waits_for_nothing_where_nobody_connects_and_for_nobody_who_is_stuck() {
    let idle = driver(9, Limits::new());
    let namespace = idle.register_namespace("/");
    emit_one(&idle, namespace);
    assert_eq!(idle.flush(None, LONG).unwrap_err().kind(), ErrorKind::Disconnected);
    let played = Played::joined(Limits::new());
    emit_one(&played.driver, played.namespace);
    let flushed = begun(&played, |driver| driver.flush(None, LONG));
    let why = Error::new(ErrorKind::BufferFull, "a consumer is behind");
    played.driver.run_acting(|monitor, _, actions| {
        monitor.core.stall(&why);
        monitor.notify(actions);
    });
    let error = flushed.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!(error.message(), "a consumer is behind");
}

#[test]
fn a_close_waits_until_all_is_delivered() {
    let played = Played::joined(Limits::new());
    emit_one(&played.driver, played.namespace);
    let closed = begun(&played, |driver| driver.close(LONG));
    assert!(closed.recv_timeout(WHILE).is_err());
    assert!(!played.driver.is_over());
    played.write();
    assert!(closed.recv_timeout(LIMIT).is_ok());
    assert!(played.driver.is_over());
}

#[test]
fn a_close_gives_back_what_nobody_takes() {
    let idle = driver(9, Limits::new());
    let namespace = idle.register_namespace("/");
    emit_one(&idle, namespace);
    assert_eq!(idle.close(LONG).len(), 1);
}

#[test]
fn most_of_a_limit_is_for_the_delivery_and_some_for_the_farewell() {
    for limit in [1, 100, 1000, 4000, 60_000].map(Duration::from_millis) {
        let farewell = limit.checked_sub(for_delivery(limit)).unwrap();
        assert!(farewell >= limit / 60 && farewell <= limit / 4, "{limit:?}: {farewell:?}");
    }
}
