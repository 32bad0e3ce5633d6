//! The bounds of callbacks, and the ends of their calls.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::error::{Error, ErrorKind};
use crate::options::WhenFull;
use crate::payload::Payload;
use crate::sync::speaker::Speaker;

const LIMIT: Duration = Duration::from_secs(60);

/// A queue whose callbacks may have `events` calls waiting each.
fn dispatcher(events: usize) -> (Dispatcher, AccountId) {
    let gate = Arc::new(Gate::new(1 << 20, 1 << 20, || ()));
    let bounds = || Bounds { events, bytes: 1000, when_full: WhenFull::Wait };
    let speaker = Speaker::new("test".to_owned());
    let dispatcher = Dispatcher::new(1 << 18, bounds(), &gate, speaker.id());
    let account = dispatcher.open_account(bounds(), &gate);
    (dispatcher, account)
}

fn event() -> Event {
    Event::outgoing("/", Payload::event("e", &()).unwrap())
}

fn call(function: impl FnMut(Event) + Send + 'static) -> Call {
    Call::Event(Callback::new(Function::Repeated(Box::new(function))), event(), None)
}

#[test]
fn a_call_counts_for_what_it_hands_over() {
    assert_eq!(call(|_| ()).size(), event().size());
    let none = Err(Error::new(ErrorKind::Timeout, "no answer"));
    assert_eq!(Call::Ack(Arc::default(), none).size(), 0);
    assert_eq!(Call::Then(Box::new(|| ())).size(), 0);
}

#[test]
fn a_callback_pushes_back_while_it_is_full() {
    let (dispatcher, account) = dispatcher(2);
    assert!(!dispatcher.call(account, call(|_| ())).pushes_back);
    assert!(!dispatcher.recheck(account));
    assert!(dispatcher.call(account, call(|_| ())).pushes_back);
    assert!(dispatcher.recheck(account));
    assert_eq!(dispatcher.clear(account).len(), 2);
    assert!(!dispatcher.recheck(account));
}

#[test]
fn a_callback_that_is_retired_gets_no_further_calls() {
    let (dispatcher, account) = dispatcher(2);
    drop(dispatcher.call(account, call(|_| ())));
    dispatcher.retire_account(account);
    assert_eq!(dispatcher.look(account, Account::len), Some(1), "that one is made");
    drop(dispatcher.mailbox.try_take());
    assert_eq!(dispatcher.look(account, Account::len), None);
}

#[test]
fn no_call_begins_once_it_is_withdrawn() {
    let (tell, told) = channel();
    let callback = Callback::new(Function::Repeated(Box::new(move |_| tell.send(()).unwrap())));
    callback.call(event());
    callback.withdraw();
    callback.call(event());
    assert_eq!(told.try_iter().count(), 1);
}

#[test]
fn the_thread_makes_the_calls_that_wait_also_behind_a_panic_and_ends_with_the_queue() {
    let (mut dispatcher, account) = dispatcher(10);
    let (tell, told) = channel();
    let act = |dispatcher: &Dispatcher, call| {
        let brought = dispatcher.call(account, call);
        brought.waiters.into_iter().for_each(|waiter| waiter.wake());
    };
    dispatcher.start().unwrap();
    dispatcher.start().unwrap();
    let queue = Arc::downgrade(&dispatcher.mailbox);
    act(&dispatcher, call(|_| std::panic::panic_any(())));
    let tell_again = tell.clone();
    act(&dispatcher, call(move |_| tell.send(1).unwrap()));
    act(&dispatcher, Call::Then(Box::new(move || tell_again.send(2).unwrap())));
    assert_eq!([(); 2].map(|()| told.recv_timeout(LIMIT)), [Ok(1), Ok(2)]);
    drop(dispatcher);
    let start = Instant::now();
    while queue.strong_count() > 0 {
        assert!(start.elapsed() < LIMIT, "the thread goes on");
        thread::sleep(Duration::from_millis(1));
    }
}
