//! Who is added and removed, and what is left of it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::driver::client::testing::{LIMIT, Played, emit, eventually};
use crate::event::incoming::Incoming;
use crate::event::status::Status;
use crate::options::Limits;
use crate::sync::mailbox::Nothing;

fn idle() -> Function<Event> {
    Function::Repeated(Box::new(|_| ()))
}

/// A callback that tells of each call, and returns when it is let.
fn blocking() -> (Function<Event>, Receiver<i32>, Sender<()>) {
    let (tell, told) = channel();
    let (permit, permitted) = channel::<()>();
    let function = move |event: Event| {
        let _ = tell.send(event.arg(0).unwrap_or_default());
        let _ = permitted.recv();
    };
    (Function::Repeated(Box::new(function)), told, permit)
}

fn on(played: &Played, scope: Scope<'_>, function: Function<Event>) -> ListenerId {
    let (namespace, buffer) = (played.namespace, Buffer::new());
    played.driver.call_on(namespace, scope, Order::Last, function, buffer).unwrap()
}

fn counts(played: &Played) -> [usize; 3] {
    [Scope::Event("e"), Scope::Any, Scope::Outgoing]
        .map(|scope| played.driver.count_listeners(played.namespace, scope))
}

#[test]
fn a_listener_is_removed_once_and_the_others_stay() {
    let played = Played::joined(Limits::new());
    let (driver, namespace) = (&played.driver, played.namespace);
    let ids = [Scope::Event("e"), Scope::Any, Scope::Outgoing].map(|it| on(&played, it, idle()));
    let (of_events, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    let (of_status, statuses) = driver.subscribe_status(namespace);
    assert_eq!(counts(&played), [2, 1, 1]);
    assert!(driver.unlisten(namespace, ids[1]) && !driver.unlisten(namespace, ids[1]));
    assert_eq!(counts(&played), [2, 0, 1]);
    assert!(driver.unlisten(namespace, of_events));
    assert!(matches!(events.take(None), Err(Nothing::Closed)));
    assert!(driver.unlisten(namespace, ids[2]) && driver.unlisten(namespace, ids[0]));
    assert_eq!(counts(&played), [0; 3]);
    assert_eq!(statuses.len(), 1, "how it stands");
    assert!(driver.unlisten(namespace, of_status) && !driver.unlisten(namespace, of_status));
    assert!(matches!(statuses.take(None), Err(Nothing::Closed)));
}

#[test]
fn callbacks_are_removed_by_their_scope_and_subscriptions_are_not() {
    let played = Played::joined(Limits::new());
    let (driver, namespace) = (&played.driver, played.namespace);
    let (_, _events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    for scope in [Scope::Event("e"), Scope::Event("f"), Scope::Any, Scope::Outgoing] {
        on(&played, scope, idle());
    }
    assert_eq!(driver.remove_callbacks(namespace, Some(Scope::Event("e"))), 1);
    assert_eq!(counts(&played), [1; 3]);
    on(&played, Scope::Event("e"), idle());
    assert_eq!(driver.remove_callbacks(namespace, None), 2, "those of all names");
    assert_eq!(counts(&played), [1; 3]);
    for scope in [Scope::Any, Scope::Outgoing] {
        assert_eq!(driver.remove_callbacks(namespace, Some(scope)), 1);
    }
    assert_eq!(counts(&played), [1, 0, 0]);
    let names = driver.change_listeners(namespace, |listeners, _| listeners.names());
    assert_eq!(names, 1, "nothing is kept for a name that nobody listens to");
}

#[test]
fn callbacks_that_wait_for_events_are_a_reason_to_read_and_no_others() {
    let played = Played::joined(Limits::new());
    let (driver, namespace) = (&played.driver, played.namespace);
    let (gate, other) = (&driver.intake.gate, driver.register_namespace("/other"));
    let callbacks = || driver.lock().callbacks;
    on(&played, Scope::Outgoing, idle());
    assert!(callbacks() == 0 && !gate.is_awaited());
    let first = on(&played, Scope::Event("e"), idle());
    let buffer = Buffer::new();
    driver.call_on(other, Scope::Any, Order::Last, idle(), buffer).unwrap();
    assert_eq!(callbacks(), 2);
    eventually(|| gate.is_awaited());
    assert!(driver.unlisten(namespace, first));
    assert_eq!(callbacks(), 1);
    assert!(gate.is_awaited());
    on(&played, Scope::Any, idle());
    drop(driver.forget(other));
    assert_eq!(callbacks(), 1);
    assert!(gate.is_awaited());
    drop(driver.forget(namespace));
    assert!(callbacks() == 0 && !gate.is_awaited());
}

#[test]
fn who_looks_for_received_events_is_a_reason_to_read_and_who_looks_for_others_is_not() {
    let played = Played::joined(Limits::new());
    let (driver, intake) = (&played.driver, &played.driver.intake);
    let subscribe = |scope| driver.subscribe(played.namespace, scope, Buffer::new()).1;
    intake.gate.hold();
    intake.aside.hold();
    assert!(subscribe(Scope::Outgoing).try_take().is_none());
    assert!(!intake.gate.take_glance() && !intake.aside.take_glance());
    assert!(subscribe(Scope::Any).try_take().is_none());
    assert!(intake.gate.take_glance());
}

#[test]
fn what_is_sent_is_shown_while_somebody_watches() {
    let played = Played::joined(Limits::new());
    let (driver, namespace) = (&played.driver, played.namespace);
    let shows = || driver.look(|core| core.namespace(namespace).shows_outgoing);
    let emit_one = || driver.emit(namespace, emit(None), None).unwrap();
    emit_one();
    assert!(!shows());
    let (id, watched) = driver.subscribe(namespace, Scope::Outgoing, Buffer::new());
    assert!(shows());
    emit_one();
    assert!(driver.unlisten(namespace, id));
    assert!(!shows());
    let (_, events) = driver.subscribe(namespace, Scope::Outgoing, Buffer::new());
    emit_one();
    let event = events.take(None).unwrap();
    assert_eq!((event.name(), event.namespace(), events.len()), ("q", "/", 0));
    assert!(watched.try_take().is_none(), "nobody has it any more");
}

#[test]
fn a_callback_that_is_called_once_is_removed_by_its_call() {
    let mut played = Played::joined(Limits::new());
    let (tell, told) = channel();
    let function = move |event: Event| tell.send(event.arg::<i32>(0).unwrap()).unwrap();
    on(&played, Scope::Event("e"), Function::Once(Some(Box::new(function))));
    assert_eq!(counts(&played), [1, 0, 0]);
    played.receive(r#"2["e",1]"#);
    assert_eq!(counts(&played), [0; 3], "from when the event is for it");
    played.receive(r#"2["e",2]"#);
    assert_eq!(told.recv_timeout(LIMIT), Ok(1));
    assert!(told.recv_timeout(LIMIT).is_err(), "what it has captured is dropped");
    let names = || played.driver.change_listeners(played.namespace, |it, _| it.names());
    eventually(|| names() == 0);
}

#[test]
fn the_calls_that_wait_are_withdrawn_by_who_leaves_and_a_callback_has_its_turn_again() {
    let mut played = Played::joined(Limits::new());
    let (function, told, permit) = blocking();
    on(&played, Scope::Event("e"), function);
    let (tell, once) = channel();
    let function = move |event: Event| tell.send(event.arg::<i32>(0).unwrap()).unwrap();
    on(&played, Scope::Event("once"), Function::Once(Some(Box::new(function))));
    let (tell_gone, gone) = channel();
    let function = move |_: Event| tell_gone.send(()).unwrap();
    on(&played, Scope::Event("gone"), Function::Once(Some(Box::new(function))));
    played.receive(r#"2["gone"]"#);
    gone.recv_timeout(LIMIT).unwrap();
    played.receive(r#"2["e",1]"#);
    assert_eq!(told.recv_timeout(LIMIT), Ok(1), "the thread is busy");
    played.receive(r#"2["e",2]"#);
    played.receive(r#"2["once",3]"#);
    let withdrawn = played.driver.change_listeners(played.namespace, Listeners::withdraw_calls);
    assert_eq!(withdrawn.iter().map(VecDeque::len).sum::<usize>(), 2);
    drop(withdrawn);
    played.receive(r#"2["once",4]"#);
    played.receive(r#"2["e",5]"#);
    permit.send(()).unwrap();
    assert_eq!(once.recv_timeout(LIMIT), Ok(4));
    for number in 5..7 {
        assert_eq!(told.recv_timeout(LIMIT), Ok(number), "it is called as often as before");
        permit.send(()).unwrap();
        played.receive(&format!(r#"2["e",{}]"#, number + 1));
    }
    assert_eq!(told.recv_timeout(LIMIT), Ok(7));
    drop(permit);
    assert!(told.try_recv().is_err());
}

#[test]
fn calls_that_wait_are_given_back_by_a_namespace_that_is_forgotten() {
    let mut played = Played::joined(Limits::new());
    let (function, told, permit) = blocking();
    on(&played, Scope::Event("e"), function);
    played.receive(r#"2["e",1]"#);
    assert_eq!(told.recv_timeout(LIMIT), Ok(1));
    played.receive(r#"2["e",2]"#);
    let removed = played.driver.forget(played.namespace);
    assert_eq!(removed.calls.iter().map(VecDeque::len).sum::<usize>(), 1);
    drop((removed, permit));
    assert!(told.recv_timeout(LIMIT).is_err(), "it is dropped, and not called again");
}

#[test]
fn closing_ends_subscriptions_behind_what_is_in_them() {
    let mut played = Played::joined(Limits::new());
    let (driver, namespace) = (Arc::clone(&played.driver), played.namespace);
    let (_, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    let (_, sent) = driver.subscribe(namespace, Scope::Outgoing, Buffer::new());
    let (_, all) = driver.subscribe_all(namespace, Buffer::new());
    let (_, statuses) = driver.subscribe_status(namespace);
    let (_, news) = driver.subscribe_manager();
    let (_, packets) = driver.observe(Buffer::new());
    on(&played, Scope::Event("e"), idle());
    played.receive(r#"2["e",1]"#);
    driver.unlisten_all();
    assert_eq!(counts(&played), [0; 3]);
    assert!(driver.lock().callbacks == 0 && !driver.intake.gate.is_awaited());
    assert!(events.take(None).is_ok() && events.take(None).is_err());
    assert!(all.take(None).is_ok() && all.take(None).is_ok() && all.take(None).is_err());
    assert!(statuses.take(None).is_ok() && statuses.take(None).is_err());
    assert!(sent.take(None).is_err() && news.take(None).is_err() && packets.take(None).is_err());
}

#[test]
fn who_leaves_a_namespace_hears_that_it_is_left_and_nothing_further() {
    let mut played = Played::joined(Limits::new());
    let (driver, namespace) = (Arc::clone(&played.driver), played.namespace);
    let (_, statuses) = driver.subscribe_status(namespace);
    let (_, all) = driver.subscribe_all(namespace, Buffer::new());
    drop((statuses.take(None), all.take(None)));
    let (function, told, permit) = blocking();
    on(&played, Scope::Event("e"), function);
    for number in 1..=2 {
        played.receive(&format!(r#"2["e",{number}]"#));
    }
    assert_eq!(told.recv_timeout(LIMIT), Ok(1));
    drop((all.take(None), all.take(None)));
    driver.disconnect(namespace);
    assert!(matches!(statuses.try_take(), Some(Status::Disconnected { .. })));
    assert!(matches!(all.try_take(), Some(Incoming::Status(Status::Disconnected { .. }))));
    permit.send(()).unwrap();
    drop(driver.forget(namespace));
    assert!(told.recv_timeout(LIMIT).is_err(), "the call that waited is withdrawn");
}

#[test]
fn a_callback_for_statuses_goes_with_its_namespace() {
    let played = Played::joined(Limits::new());
    let driver = &played.driver;
    let (tell, told) = channel();
    let function = move |status: Status| tell.send(status).unwrap();
    driver.call_on_status(played.namespace, Function::Repeated(Box::new(function))).unwrap();
    assert!(matches!(told.recv_timeout(LIMIT), Ok(Status::Connected { .. })));
    let account = driver.change_listeners(played.namespace, |listeners, _| {
        listeners.status_accounts().next().expect("an account")
    });
    let is_known = || driver.lock().dispatcher.look(account, |_| ()).is_some();
    assert!(is_known());
    drop(driver.forget(played.namespace));
    assert!(told.recv_timeout(LIMIT).is_err(), "what it has captured is dropped");
    eventually(|| !is_known());
}

#[test]
fn who_gets_everything_has_one_account_of_what_waits_and_of_what_is_lost() {
    let mut played = Played::joined(Limits::new());
    let (driver, namespace) = (Arc::clone(&played.driver), played.namespace);
    let buffer = Buffer::new().events(2).when_full(WhenFull::DropOldest);
    let (id, all) = driver.subscribe_all(namespace, buffer);
    for number in 1..=5 {
        played.receive(&format!(r#"2["e",{number}]"#));
    }
    assert_eq!(driver.lost(namespace, id), Some(3));
    let stats = driver.stats();
    assert_eq!((stats.receive_queue.events, stats.counters.receive_dropped), (2, 3));
    assert!(driver.unlisten(namespace, id));
    assert!(all.is_closed() && all.len() == 0, "nobody can read it any more");
}

#[test]
fn who_watches_what_is_sent_is_woken_for_it() {
    let played = Played::joined(Limits::new());
    let (driver, namespace) = (&played.driver, played.namespace);
    let (_, sent) = driver.subscribe(namespace, Scope::Outgoing, Buffer::new());
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(sent.take(None).is_ok()));
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "nothing was sent");
    driver.emit(namespace, emit(None), None).unwrap();
    assert_eq!(told.recv_timeout(LIMIT), Ok(true));
}
