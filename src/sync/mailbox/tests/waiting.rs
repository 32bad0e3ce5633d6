//! Threads that wait: who is woken, what counts as waiting, and a reader that holds still.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::*;

#[test]
fn one_who_waits_is_woken_by_what_comes_and_by_the_end() {
    let mailbox = mailbox(10, WhenFull::Wait);
    let waiter = Arc::clone(&mailbox);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        while let Ok(item) = waiter.take(None) {
            sender.send(item.number).unwrap();
        }
    });
    for number in 0..1000 {
        bring(&mailbox, ONLY, item(number));
        assert_eq!(receiver.recv_timeout(LIMIT), Ok(number));
    }
    mailbox.close();
    assert!(receiver.recv_timeout(LIMIT).is_err());
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let mailbox = mailbox(10, WhenFull::Wait);
    let deadline = Instant::now() + Duration::from_millis(20);
    assert_eq!(mailbox.take(Some(deadline)), Err(Nothing::Late));
    assert!(Instant::now() >= deadline);
}

#[test]
fn one_wake_up_is_asked_for_however_much_comes_at_once() {
    let mailbox = mailbox(100, WhenFull::Wait);
    let waiter = Arc::clone(&mailbox);
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(waiter.take(None).unwrap().number).unwrap());
    let deadline = Instant::now() + LIMIT;
    while lock(&mailbox.state).ledger.count_waiting() == 0 && Instant::now() < deadline {
        thread::yield_now();
    }
    let brought: Vec<Vec<Wakeup>> =
        (0..50).map(|number| mailbox.bring(ONLY, item(number)).waiters).collect();
    assert_eq!(brought.iter().flatten().count(), 1);
    brought.into_iter().flatten().for_each(|waiter| waiter.wake());
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(0));
}

#[test]
fn as_many_are_woken_as_come_together() {
    let mailbox = mailbox(100, WhenFull::Wait);
    let (sender, receiver) = channel();
    for _ in 0..3 {
        let (waiter, sender) = (Arc::clone(&mailbox), sender.clone());
        thread::spawn(move || sender.send(waiter.take(None).unwrap().number).unwrap());
    }
    let deadline = Instant::now() + LIMIT;
    while lock(&mailbox.state).ledger.count_waiting() < 3 && Instant::now() < deadline {
        thread::yield_now();
    }
    let brought = mailbox.bring_all(ONLY, &mut (0..2).map(item));
    assert_eq!(brought.waiters.len(), 2);
    brought.waiters.iter().for_each(Wakeup::wake);
    let mut taken = [0; 2].map(|_| receiver.recv_timeout(LIMIT).unwrap());
    taken.sort_unstable();
    assert_eq!(taken, [0, 1]);
    assert_eq!(lock(&mailbox.state).ledger.count_waiting(), 1);
    mailbox.close();
}

#[test]
fn one_who_waits_counts_while_nothing_is_there() {
    let gate = Arc::new(Gate::open());
    let mailbox: Arc<Mailbox<Item>> = Mailbox::with_account(bounds(9, WhenFull::Wait), &gate);
    mailbox.set_may_hunger(true);
    assert!(!gate.is_awaited(), "nobody reads");
    let waiter = Arc::clone(&mailbox);
    let (sender, receiver) = channel();
    let (go, may_go) = channel();
    thread::spawn(move || {
        while let Ok(item) = waiter.take(None) {
            sender.send(item.number).unwrap();
            if may_go.recv().is_err() {
                return;
            }
        }
    });
    let until = |awaited: bool| {
        let deadline = Instant::now() + LIMIT;
        while gate.is_awaited() != awaited {
            assert!(Instant::now() < deadline, "awaited: {}", !awaited);
            thread::yield_now();
        }
    };
    until(true);
    bring(&mailbox, ONLY, item(1));
    assert!(!gate.is_awaited(), "it has something");
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(1));
    assert!(!gate.is_awaited(), "it is busy");
    go.send(()).unwrap();
    until(true);
    mailbox.close();
    assert!(!gate.is_awaited());
}

/// A reader and its consumers, as threads: it holds still while one of them is full.
#[test]
fn no_wake_up_is_lost_between_a_reader_and_consumers_of_different_speed() {
    const EVENTS: usize = 20_000;
    for round in 0..5 {
        let reader = thread::current();
        let resumed = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&resumed);
        let gate = Arc::new(Gate::new(usize::MAX, usize::MAX, move || {
            note.store(true, Ordering::SeqCst);
            reader.unpark();
        }));
        let mailboxes: Vec<Arc<Mailbox<Item>>> = (0..3)
            .map(|n| Mailbox::with_account(bounds(1 + n * 4 + round, WhenFull::Wait), &gate))
            .collect();
        let most = Arc::new(AtomicUsize::new(0));
        let consumers: Vec<_> = mailboxes
            .iter()
            .enumerate()
            .map(|(n, mailbox)| {
                let mailbox = Arc::clone(mailbox);
                let most = Arc::clone(&most);
                thread::spawn(move || {
                    for number in 0..EVENTS {
                        let item = mailbox.take(Some(Instant::now() + LIMIT));
                        assert_eq!(item.map(|item| item.number), Ok(number));
                        let beyond = mailbox.len().saturating_sub(1 + n * 4 + round);
                        most.fetch_max(beyond, Ordering::Relaxed);
                        if number % (64 << n) == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let full = || mailboxes.iter().any(|m| m.look(ONLY, Account::pushes_back) == Some(true));
        for number in 0..EVENTS {
            while full() {
                gate.hold();
                if !full() {
                    gate.release();
                    break;
                }
                let deadline = Instant::now() + LIMIT;
                while !resumed.swap(false, Ordering::SeqCst) {
                    assert!(Instant::now() < deadline, "the reader was not woken");
                    thread::park_timeout(LIMIT);
                }
            }
            for mailbox in &mailboxes {
                bring(mailbox, ONLY, item(number));
            }
        }
        for consumer in consumers {
            consumer.join().unwrap();
        }
        assert_eq!(most.load(Ordering::Relaxed), 0, "more waited than the bounds permit");
    }
}
