//! A connection from its making to its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tungstenite::Message;

use super::testing::live::{Live, accept, said};
use super::testing::{LIMIT, OPEN, Played, driver, emit, eventually};
use super::*;
use crate::core::client::{Cycle, Emit};
use crate::driver::ack_slot::AckSlot;
use crate::driver::listeners::Scope;
use crate::error::ErrorKind;
use crate::options::{Buffer, Transport};

fn auth() -> AuthFunction {
    Arc::new(|| Err(Error::new(ErrorKind::Payload, "none")))
}

/// The link of the session, or of the attempt to open one.
fn main_link(driver: &Driver) -> LinkId {
    driver.look(|core| core.engine().unwrap().main_link())
}

#[test]
fn a_deadline_is_kept_also_where_a_later_one_was_set_before() {
    let driver = driver(9, Limits::new());
    let namespace = driver.register_namespace("/");
    let ask = |limit| {
        let slot = Arc::new(AckSlot::default());
        let ack = Some(AckHandle::Slot(Arc::clone(&slot)));
        driver.emit(namespace, Emit { timeout: Some(limit), ..emit(ack) }, None).unwrap();
        slot
    };
    let late = ask(Duration::from_secs(3600));
    for _ in 0..2 {
        let soon = ask(Duration::from_millis(1));
        let answer = soon.wait(Some(Instant::now() + LIMIT)).expect("an answer");
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert!(!late.is_here());
}

#[test]
fn what_a_user_gave_is_dropped_when_the_connection_is_closed_for_good() {
    let driver = driver(9, Limits::new());
    let namespace = driver.register_namespace("/");
    let function = auth();
    let weak = Arc::downgrade(&function);
    assert!(driver.set_auth(namespace, NamespaceAuth::Function(function)).is_none());
    let (_, events) = driver.subscribe(namespace, Scope::Any, Buffer::new());
    assert!(!driver.is_over());
    driver.shut_down();
    assert!(driver.is_over());
    assert!(weak.upgrade().is_none());
    assert!(events.take(None).is_err());
}

#[test]
fn who_sets_credentials_gets_the_function_that_gave_them_before() {
    let driver = driver(9, Limits::new());
    let namespace = driver.register_namespace("/");
    let set = |auth| driver.set_auth(namespace, auth);
    let [first, second] = [auth(), auth()];
    assert!(set(NamespaceAuth::Function(Arc::clone(&first))).is_none());
    let before = set(NamespaceAuth::Function(Arc::clone(&second))).unwrap();
    assert!(Arc::ptr_eq(&before, &first));
    let fixed = || NamespaceAuth::Fixed(Payload::event("e", &()).unwrap());
    assert!(Arc::ptr_eq(&set(fixed()).unwrap(), &second));
    assert!(set(fixed()).is_none());
}

#[test]
fn a_session_is_opened_used_and_closed_in_good_order() {
    let (live, mut peer) = Live::joined();
    let (driver, namespace) = (&live.driver, live.namespace);
    let (_, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    driver.emit(namespace, emit(None), None).unwrap();
    assert_eq!(said(&mut peer), Message::text(r#"42["q"]"#));
    peer.send(Message::text(r#"42["e",1]"#)).unwrap();
    assert_eq!(events.take(Some(Instant::now() + LIMIT)).unwrap().arg::<i32>(0).unwrap(), 1);
    let stats = driver.stats();
    assert_eq!((stats.sent.events, stats.received.events), (1, 1));
    let closing = std::thread::spawn({
        let driver = Arc::clone(driver);
        move || driver.close(Duration::from_secs(3600))
    });
    assert_eq!(said(&mut peer), Message::text("41"));
    assert!(said(&mut peer).is_close(), "the WebSocket's own goodbye");
    eventually(|| driver.lock().awaited == [Awaited::Ended]);
    assert!(!closing.is_finished(), "the peer has not said goodbye");
    drop(peer);
    assert!(closing.join().unwrap().is_empty());
    assert!(driver.lock().links.is_empty() && driver.is_over());
}

#[test]
fn the_bytes_of_a_session_are_counted_also_when_it_is_over() {
    let (live, mut peer) = Live::joined();
    let wire = || {
        let stats = live.driver.stats();
        [stats.received.wire_bytes, stats.sent.wire_bytes]
    };
    let before = wire();
    // The frames of the handshake behind the heads, at least.
    assert!(before[0] > 100 && before[1] > 100, "{before:?}");
    peer.send(Message::text("2")).unwrap();
    assert_eq!(said(&mut peer), Message::text("3"));
    let link = main_link(&live.driver);
    drop(peer);
    eventually(|| live.driver.lock().links.get(link).is_none());
    // A header and a byte come, and with a mask they go.
    let after = wire();
    assert_eq!(after[0] - before[0], 3);
    assert!(after[1] - before[1] >= 7);
}

#[test]
fn a_session_that_is_lost_is_opened_again() {
    let (live, peer) = Live::joined();
    drop(peer);
    eventually(|| live.driver.stats().disconnects == 1);
    let error = live.driver.stats().last_error.expect("why");
    assert!(error.message().contains("close frame"), "{error}");
    live.driver.run(Client::open);
    drop(accept(&live.listener));
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up_and_says_how_far_it_has_come() {
    let live = Live::connecting(Transport::WebSocket);
    let _silent = live.listener.accept().unwrap();
    let reached = || {
        let error = live.driver.wait_open(Duration::ZERO).unwrap_err();
        error.message().to_owned()
    };
    eventually(|| reached().contains("the stage HTTP"));
    let link = main_link(&live.driver);
    let ways: Vec<_> = live.driver.lock().links.get(link).unwrap().ways().collect();
    assert_eq!(ways.len(), 1);
    assert_eq!(ways[0].1, live.listener.local_addr().unwrap());
    // As if that much time had passed.
    live.driver.run(|core, now| core.expire(now + Duration::from_secs(60)));
    assert_ne!(live.driver.look(Client::cycle), Cycle::Connecting);
    eventually(|| live.driver.lock().links.get(link).is_none());
}

#[test]
fn a_link_that_is_given_up_while_its_thread_is_on_its_way_ends_at_once() {
    let played = Played::connecting(Limits::new());
    played.add_link();
    let address = Arc::clone(&played.driver.lock().address);
    let (link, driver) = (played.link, Arc::clone(&played.driver));
    driver.run(Client::close);
    driver.dial(link, Transport::WebSocket, None, address);
    eventually(|| driver.lock().links.is_empty());
    assert!(driver.stats().last_error.is_none());
}

#[test]
fn credentials_are_asked_for_at_each_connection() {
    let live = Live::idle(Transport::WebSocket, None);
    let count = AtomicU64::new(0);
    let auth = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Payload::value(&serde_json::json!({ "number": number }))
    };
    drop(live.driver.set_auth(live.namespace, NamespaceAuth::Function(Arc::new(auth))));
    live.connect();
    for number in 0..2 {
        let mut peer = accept(&live.listener);
        peer.send(Message::text(format!("0{OPEN}"))).unwrap();
        assert_eq!(said(&mut peer), Message::text(format!(r#"40{{"number":{number}}}"#)));
        drop(peer);
        eventually(|| live.driver.stats().disconnects == number + 1);
        live.driver.run(Client::open);
    }
}
