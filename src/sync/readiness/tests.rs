//! The descriptor is readable while something waits: by one thread, and under the stress of many.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::options::WhenFull;
use crate::sync::account::{Bounds, ONLY};
use crate::sync::deliver::Deliver;
use crate::sync::gate::Gate;
use crate::sync::mailbox::Mailbox;

const LIMIT: Duration = Duration::from_secs(60);

struct Item;

impl Deliver for Item {
    fn size(&self) -> usize {
        1
    }
}

fn mailbox(when_full: WhenFull) -> Arc<Mailbox<Item>> {
    mailbox_at(&Arc::new(Gate::open()), when_full)
}

fn mailbox_at(gate: &Arc<Gate>, when_full: WhenFull) -> Arc<Mailbox<Item>> {
    Mailbox::with_account(Bounds { events: 10, bytes: 1000, when_full }, gate)
}

fn bring(mailbox: &Mailbox<Item>) {
    mailbox.bring(ONLY, Item).waiters.iter().for_each(Wakeup::wake);
}

fn take_one(mailbox: &Mailbox<Item>) {
    assert!(mailbox.try_take().is_some());
}

/// Polls for so long at most, and only once.
fn poll_for(readiness: &Readiness, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap();
    let mut fds = [PollFd::new(&readiness.fd, PollFlags::IN)];
    loop {
        match poll(&mut fds, Some(&limit)) {
            Ok(ready) => return ready > 0,
            Err(error) => assert_eq!(error, rustix::io::Errno::INTR),
        }
    }
}

fn is_readable(readiness: &Readiness) -> bool {
    poll_for(readiness, Duration::ZERO)
}

#[test]
fn one_that_comes_late_leaves_none_readable_for_what_a_channel_has_given() {
    let mailbox = mailbox(WhenFull::Wait);
    let early = mailbox.readiness().unwrap();
    let channel = mailbox.receiver().clone();
    bring(&mailbox);
    assert!(is_readable(&early));
    channel.recv().unwrap();
    let late = Readiness::of_many().unwrap();
    mailbox.add_poller(&late);
    assert!(mailbox.try_take().is_none());
    assert!(!is_readable(&early) && !is_readable(&late));
    bring(&mailbox);
    assert!(is_readable(&early) && is_readable(&late));
    take_one(&mailbox);
    assert!(!is_readable(&early) && !is_readable(&late));
}

#[test]
fn it_is_readable_exactly_while_something_waits() {
    let mailbox = mailbox(WhenFull::Wait);
    bring(&mailbox);
    let readiness = mailbox.readiness().unwrap();
    assert!(is_readable(&readiness) && is_readable(&readiness));
    bring(&mailbox);
    take_one(&mailbox);
    assert!(is_readable(&readiness));
    assert!(mailbox.take(None).is_ok());
    assert!(!is_readable(&readiness));
    assert!(mailbox.try_take().is_none());
    assert!(!is_readable(&readiness));
    bring(&mailbox);
    assert!(is_readable(&readiness));
    drop(mailbox.clear(ONLY));
    assert!(!is_readable(&readiness));
}

#[test]
fn what_is_taken_before_it_is_told_leaves_nothing_readable() {
    let mailbox = mailbox(WhenFull::Wait);
    let readiness = mailbox.readiness().unwrap();
    let brought = mailbox.bring(ONLY, Item);
    take_one(&mailbox);
    brought.waiters.iter().for_each(Wakeup::wake);
    assert!(!is_readable(&readiness));
}

#[test]
fn what_gives_way_is_no_reason_to_stay_readable() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let mailbox = mailbox(when_full);
        let readiness = mailbox.readiness().unwrap();
        (0..30).for_each(|_| bring(&mailbox));
        (0..10).for_each(|_| take_one(&mailbox));
        assert!(!is_readable(&readiness));
    }
}

#[test]
fn it_is_readable_once_nothing_can_come_any_more() {
    let mailbox = mailbox(WhenFull::Wait);
    let before = mailbox.readiness().unwrap();
    mailbox.close();
    let after = mailbox.readiness().unwrap();
    assert!(mailbox.try_take().is_none() && mailbox.is_closed());
    assert!(is_readable(&before) && is_readable(&after));
    drop(mailbox);
    assert!(is_readable(&before));
}

#[test]
fn all_who_ask_for_that_of_one_mailbox_share_it() {
    let mailbox = mailbox(WhenFull::Wait);
    let (one, other) = (mailbox.readiness().unwrap(), mailbox.readiness().unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    drop((one, other));
    // Nothing is left of it.
    let brought = mailbox.bring(ONLY, Item);
    assert!(brought.waiters.is_empty());
    assert!(is_readable(&mailbox.readiness().unwrap()));
}

#[test]
fn that_of_many_is_readable_while_something_waits_in_one_of_them() {
    let [one, other] = [(); 2].map(|()| mailbox(WhenFull::Wait));
    bring(&other);
    let readiness = Readiness::of_many().unwrap();
    one.add_poller(&readiness);
    other.add_poller(&readiness);
    other.add_poller(&readiness);
    assert!(is_readable(&readiness));
    bring(&one);
    take_one(&other);
    assert!(is_readable(&readiness));
    take_one(&one);
    assert!(!is_readable(&readiness));
    // What ends with something in it is no reason to stay readable, nor is the end of one.
    bring(&one);
    other.close();
    assert!(is_readable(&readiness));
    drop((one, other));
    assert!(!is_readable(&readiness));
    readiness.end();
    assert!(is_readable(&readiness));
}

#[test]
fn that_of_a_channel_follows_where_the_mailbox_is_asked() {
    let mailbox = mailbox(WhenFull::Wait);
    let readiness = mailbox.readiness().unwrap();
    let receiver = mailbox.receiver();
    bring(&mailbox);
    assert!(is_readable(&readiness));
    drop(receiver.try_recv());
    assert!(mailbox.try_take().is_none());
    assert!(!is_readable(&readiness));
}

#[test]
fn an_empty_mailbox_that_is_polled_is_a_reason_to_read_on() {
    let gate = Arc::new(Gate::new(1000, 1000, || ()));
    let mailbox = mailbox_at(&gate, WhenFull::Wait);
    mailbox.set_may_hunger(true);
    assert!(!gate.is_awaited());
    let readiness = mailbox.readiness().unwrap();
    assert!(gate.is_awaited());
    bring(&mailbox);
    assert!(!gate.is_awaited());
    take_one(&mailbox);
    assert!(gate.is_awaited());
    assert!(mailbox.take(Some(Instant::now())).is_err());
    assert!(gate.is_awaited());
    drop(readiness);
    drop(mailbox);
    assert!(!gate.is_awaited());
}

#[test]
fn whoever_polls_misses_nothing_and_does_not_spin() {
    const EACH: usize = 20_000;
    const BRINGERS: usize = 3;
    let mailboxes = [(); 3].map(|()| mailbox_at(&Arc::new(Gate::open()), WhenFull::Wait));
    let readiness = Readiness::of_many().unwrap();
    for mailbox in &mailboxes {
        mailbox.add_poller(&readiness);
    }
    let (taken, all) = channel();
    // What the two who poll have taken.
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for bringer in 0..BRINGERS {
            let mailboxes = &mailboxes;
            scope.spawn(move || {
                for number in 0..EACH {
                    let mailbox = &mailboxes[(number + bringer) % mailboxes.len()];
                    let brought = mailbox.bring(ONLY, Item);
                    // Somebody may take it before it is told, or tell of something later first.
                    if number % 7 == 0 {
                        thread::yield_now();
                    }
                    brought.waiters.iter().for_each(Wakeup::wake);
                }
            });
        }
        for _ in 0..2 {
            let (mailboxes, readiness, done) = (&mailboxes, &readiness, &done);
            let taken = taken.clone();
            scope.spawn(move || {
                let (mut count, mut in_vain) = (0, 0);
                while done.load(Ordering::SeqCst) < EACH * BRINGERS {
                    assert!(poll_for(readiness, LIMIT), "a wake-up was lost");
                    let before = count;
                    for mailbox in mailboxes {
                        while mailbox.try_take().is_some() {
                            count += 1;
                            if done.fetch_add(1, Ordering::SeqCst) + 1 == EACH * BRINGERS {
                                // The other one may wait.
                                readiness.end();
                            }
                        }
                    }
                    in_vain += usize::from(count == before);
                }
                taken.send((count, in_vain)).unwrap();
            });
        }
    });
    drop(taken);
    let (count, in_vain) =
        all.iter().fold((0, 0), |sum, one: (usize, usize)| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(count, EACH * BRINGERS);
    // Each of the two, once for each that the other one has taken, and at the end.
    assert!(in_vain <= 2 * (count + 1), "{in_vain}");
    assert!(mailboxes.iter().all(|mailbox| mailbox.len() == 0));
    readiness.over.store(false, Ordering::SeqCst);
    readiness.follow();
    assert!(!is_readable(&readiness));
}
