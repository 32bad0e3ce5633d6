//! The queues and their accounts: bounds, order and policies against a model, and threads of
//! different speed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::options::WhenFull;
use crate::sync::account::ONLY;

const LIMIT: Duration = Duration::from_secs(60);

/// Something of a size, with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    number: usize,
    size: usize,
}

impl Deliver for Item {
    fn size(&self) -> usize {
        self.size
    }
}

fn item(number: usize) -> Item {
    Item { number, size: 10 }
}

fn bounds(events: usize, when_full: WhenFull) -> Bounds {
    Bounds { events, bytes: usize::MAX, when_full }
}

fn mailbox(events: usize, when_full: WhenFull) -> Arc<Mailbox<Item>> {
    Mailbox::with_account(bounds(events, when_full), &Arc::new(Gate::open()))
}

/// Brings one, and wakes who waits for it; whether the reader has to hold still.
fn bring(mailbox: &Mailbox<Item>, account: AccountId, item: Item) -> bool {
    let brought = mailbox.bring(account, item);
    brought.waiters.iter().for_each(Wakeup::wake);
    brought.pushes_back
}

fn numbers(mailbox: &Mailbox<Item>) -> Vec<usize> {
    std::iter::from_fn(|| mailbox.try_take()).map(|item| item.number).collect()
}

#[test]
fn drop_oldest_keeps_the_newest_and_counts_the_others() {
    let mailbox = mailbox(10, WhenFull::DropOldest);
    for number in 0..100 {
        assert!(!bring(&mailbox, ONLY, item(number)));
    }
    assert_eq!(mailbox.look(ONLY, Account::lost), Some(90));
    assert_eq!(numbers(&mailbox), (90..100).collect::<Vec<_>>());
}

#[test]
fn drop_newest_keeps_the_oldest_and_counts_the_others() {
    let mailbox = mailbox(10, WhenFull::DropNewest);
    for number in 0..100 {
        assert!(!bring(&mailbox, ONLY, item(number)));
    }
    assert_eq!(mailbox.look(ONLY, Account::lost), Some(90));
    assert_eq!(numbers(&mailbox), (0..10).collect::<Vec<_>>());
}

#[test]
fn waiting_pushes_back_with_the_last_that_fits_and_loses_nothing() {
    let mailbox = mailbox(10, WhenFull::Wait);
    for number in 0..9 {
        assert!(!bring(&mailbox, ONLY, item(number)));
    }
    assert!(bring(&mailbox, ONLY, item(9)));
    assert!(bring(&mailbox, ONLY, item(10)));
    assert_eq!(mailbox.look(ONLY, Account::lost), Some(0));
    assert_eq!(numbers(&mailbox), (0..11).collect::<Vec<_>>());
    assert_eq!(mailbox.look(ONLY, Account::pushes_back), Some(false));
}

#[test]
fn bytes_are_bounds_too_and_one_always_fits_where_nothing_is() {
    let bounds = Bounds { events: 100, bytes: 25, when_full: WhenFull::DropOldest };
    let mailbox = Mailbox::with_account(bounds, &Arc::new(Gate::open()));
    for number in 0..5 {
        bring(&mailbox, ONLY, item(number));
    }
    assert_eq!(numbers(&mailbox), [3, 4]);
    bring(&mailbox, ONLY, Item { number: 7, size: 1000 });
    assert_eq!(numbers(&mailbox), [7]);
}

#[test]
fn what_is_beyond_the_bounds_takes_from_the_reserve_until_it_moves_up() {
    let gate = Arc::new(Gate::new(1000, 1000, || ()));
    let mailbox = Mailbox::with_account(bounds(2, WhenFull::Wait), &gate);
    for number in 0..6 {
        bring(&mailbox, ONLY, item(number));
    }
    assert!(!gate.has_reserve(), "four of them, each with its overhead");
    mailbox.try_take();
    assert!(gate.has_reserve());
    assert_eq!(numbers(&mailbox), (1..6).collect::<Vec<_>>());
    assert!(gate.has_room(1000), "all is given back");
}

#[test]
fn the_sum_of_all_consumers_is_bounded() {
    let gate = Arc::new(Gate::new(50, 1000, || ()));
    let hog = Mailbox::with_account(bounds(100, WhenFull::Wait), &gate);
    let other = Mailbox::with_account(bounds(100, WhenFull::DropNewest), &gate);
    for number in 0..4 {
        assert!(!bring(&hog, ONLY, item(number)));
    }
    bring(&other, ONLY, item(0));
    assert!(bring(&hog, ONLY, item(4)), "the sum is used up");
    bring(&other, ONLY, item(1));
    assert_eq!(other.look(ONLY, Account::lost), Some(1));
    assert_eq!(numbers(&other), [0]);
    bring(&other, ONLY, item(2));
    assert_eq!(numbers(&other), [2], "one always fits where nothing is");
}

#[test]
fn what_is_in_the_reserve_moves_up_when_others_make_room() {
    let gate = Arc::new(Gate::new(50, 1000, || ()));
    let hog = Mailbox::with_account(bounds(100, WhenFull::Wait), &gate);
    let other = Mailbox::with_account(bounds(100, WhenFull::Wait), &gate);
    for number in 0..5 {
        bring(&hog, ONLY, item(number));
    }
    for number in 0..3 {
        bring(&other, ONLY, item(number));
    }
    assert!(other.recheck(ONLY));
    assert_eq!(numbers(&hog).len(), 5);
    assert!(!other.recheck(ONLY));
}

#[test]
fn consumers_of_one_mailbox_have_bounds_of_their_own() {
    let gate = Arc::new(Gate::open());
    let mailbox = Mailbox::new(&gate);
    let oldest = mailbox.open_account(bounds(2, WhenFull::DropOldest), &gate);
    let newest = mailbox.open_account(bounds(2, WhenFull::DropNewest), &gate);
    for number in 0..4 {
        bring(&mailbox, oldest, item(number));
        bring(&mailbox, newest, item(10 + number));
    }
    assert_eq!(numbers(&mailbox), [10, 11, 2, 3]);
}

#[test]
fn a_consumer_that_leaves_takes_what_waits_for_it_along() {
    let gate = Arc::new(Gate::new(100, 100, || ()));
    let mailbox = Mailbox::new(&gate);
    let (one, two) = (
        mailbox.open_account(bounds(9, WhenFull::Wait), &gate),
        mailbox.open_account(bounds(9, WhenFull::Wait), &gate),
    );
    for number in 0..3 {
        bring(&mailbox, one, item(number));
        bring(&mailbox, two, item(10 + number));
    }
    assert_eq!(mailbox.clear(two).len(), 3);
    bring(&mailbox, two, item(20));
    assert_eq!(mailbox.close_account(one), (0..3).map(item).collect::<Vec<_>>());
    assert!(!bring(&mailbox, one, item(4)), "nobody is there");
    assert_eq!(numbers(&mailbox), [20]);
    assert!(gate.has_room(100));
    assert_eq!(mailbox.open_account(bounds(1, WhenFull::Wait), &gate), one, "its place is free");
}

#[test]
fn a_consumer_that_retires_leaves_behind_what_waits_for_it() {
    let gate = Arc::new(Gate::open());
    let mailbox: Arc<Mailbox<Item>> = Mailbox::new(&gate);
    let [one, two] = [(); 2].map(|()| mailbox.open_account(bounds(9, WhenFull::Wait), &gate));
    bring(&mailbox, one, item(1));
    mailbox.retire_account(one);
    mailbox.retire_account(two);
    assert_eq!(mailbox.open_account(bounds(9, WhenFull::Wait), &gate), two, "its place is free");
    assert_eq!(mailbox.try_take(), Some(item(1)));
    assert_eq!(mailbox.open_account(bounds(9, WhenFull::Wait), &gate), one, "its place is free");
}

#[test]
fn a_closed_mailbox_ends_behind_what_is_in_it() {
    for by_channel in [false, true] {
        let mailbox = mailbox(10, WhenFull::Wait);
        bring(&mailbox, ONLY, item(1));
        if by_channel {
            mailbox.receiver();
        }
        bring(&mailbox, ONLY, item(2));
        mailbox.close();
        bring(&mailbox, ONLY, item(3));
        assert_eq!(mailbox.take(None), Ok(item(1)));
        assert_eq!(mailbox.take(None), Ok(item(2)));
        assert_eq!(mailbox.take(None), Err(Nothing::Closed));
    }
}

#[test]
fn a_channel_that_is_asked_for_late_has_what_is_left() {
    let mailbox = mailbox(10, WhenFull::Wait);
    (0..4).for_each(|number| _ = bring(&mailbox, ONLY, item(number)));
    mailbox.close();
    mailbox.try_take();
    let left: Vec<usize> = mailbox.receiver().iter().map(|item| item.number).collect();
    assert_eq!(left, [1, 2, 3]);
    assert_eq!(mailbox.take(None), Err(Nothing::Closed));
}

#[test]
fn policies_hold_for_a_channel_too() {
    for (policy, kept) in [(WhenFull::DropOldest, 97..100), (WhenFull::DropNewest, 0..3)] {
        let mailbox = mailbox(3, policy);
        let receiver = mailbox.receiver().clone();
        for number in 0..100 {
            bring(&mailbox, ONLY, item(number));
        }
        assert_eq!(mailbox.look(ONLY, Account::lost), Some(97));
        let got: Vec<usize> = receiver.try_iter().map(|item| item.number).collect();
        assert_eq!(got, kept.collect::<Vec<_>>());
        assert_eq!(mailbox.look(ONLY, Account::len), Some(0));
    }
}

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
fn the_memory_of_a_burst_is_given_back_when_little_comes_again() {
    let mailbox = mailbox(10_000, WhenFull::Wait);
    let capacity = || match &lock(&mailbox.state).store {
        Store::Queue(queue) => queue.capacity(),
        Store::Channel(..) => panic!("a queue"),
    };
    let pass = |count: usize| {
        for number in 0..count {
            assert!(!bring(&mailbox, ONLY, item(number)));
        }
        assert_eq!(numbers(&mailbox).len(), count);
    };
    pass(1000);
    // More bursts may follow, for which it is kept.
    let burst = capacity();
    assert!(burst >= 1000);
    pass(1000);
    assert_eq!(capacity(), burst);
    pass(1);
    assert!(capacity() < 100);
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

/// What a user does to two consumers of one mailbox.
#[derive(Clone, Debug)]
enum Act {
    Bring(usize, usize),
    /// So many of this size.
    BringAll(usize, usize, usize),
    Take,
    Clear(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2_usize, 0..40_usize).prop_map(|(account, size)| Act::Bring(account, size)),
        2 => (0..2_usize, 0..5_usize, 0..20_usize).prop_map(|(account, count, size)| {
            Act::BringAll(account, count, size)
        }),
        6 => Just(Act::Take),
        1 => (0..2_usize).prop_map(Act::Clear),
    ]
}

fn policy() -> impl Strategy<Value = WhenFull> {
    prop_oneof![Just(WhenFull::Wait), Just(WhenFull::DropOldest), Just(WhenFull::DropNewest)]
}

/// The same, as simple as it can be said.
struct Model {
    queue: Vec<(usize, Item)>,
    bounds: [Bounds; 2],
    lost: [usize; 2],
}

impl Model {
    fn of(&self, account: usize) -> Vec<&Item> {
        self.queue.iter().filter(|(of, _)| *of == account).map(|(_, item)| item).collect()
    }

    fn fits(&self, account: usize, size: usize) -> bool {
        let waiting = self.of(account);
        let bytes: usize = waiting.iter().map(|item| item.size).sum();
        let bounds = self.bounds[account];
        waiting.is_empty() || (waiting.len() < bounds.events && bytes + size <= bounds.bytes)
    }

    fn bring(&mut self, account: usize, item: Item) {
        while !self.fits(account, item.size) {
            match self.bounds[account].when_full {
                WhenFull::Wait => break,
                WhenFull::DropNewest => {
                    self.lost[account] += 1;
                    return;
                }
                WhenFull::DropOldest => {
                    let oldest = self.queue.iter().position(|(of, _)| *of == account).unwrap();
                    self.queue.remove(oldest);
                    self.lost[account] += 1;
                }
            }
        }
        self.queue.push((account, item));
    }
}

proptest! {
    #[test]
    fn bounds_order_and_policies_are_as_the_model_has_them(
        acts in proptest::collection::vec(act(), 0..200),
        limits in proptest::array::uniform2((1..6_usize, 1..100_usize, policy())),
    ) {
        let gate = Arc::new(Gate::new(usize::MAX, usize::MAX, || ()));
        let mailbox = Mailbox::new(&gate);
        let bounds = limits.map(|(events, bytes, when_full)| Bounds { events, bytes, when_full });
        let accounts = bounds.map(|bounds| mailbox.open_account(bounds, &gate));
        let mut model = Model { queue: Vec::new(), bounds, lost: [0; 2] };
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Bring(account, size) => {
                    bring(&mailbox, accounts[account], Item { number, size });
                    model.bring(account, Item { number, size });
                }
                Act::BringAll(account, count, size) => {
                    let items = (0..count).map(|_| Item { number, size });
                    drop(mailbox.bring_all(accounts[account], &mut items.clone()));
                    items.for_each(|item| model.bring(account, item));
                }
                Act::Take => {
                    let first = (!model.queue.is_empty()).then(|| model.queue.remove(0).1);
                    prop_assert_eq!(mailbox.try_take(), first);
                }
                Act::Clear(account) => {
                    mailbox.clear(accounts[account]);
                    model.queue.retain(|(of, _)| *of != account);
                }
            }
            for (index, account) in accounts.into_iter().enumerate() {
                let waiting = model.of(index);
                let bytes: usize = waiting.iter().map(|item| item.size).sum();
                let seen = mailbox.look(account, |a| (a.len(), a.bytes(), a.lost())).unwrap();
                prop_assert_eq!(seen, (waiting.len(), bytes, model.lost[index]));
                let full = bounds[index].when_full == WhenFull::Wait
                    && (waiting.len() >= bounds[index].events || bytes >= bounds[index].bytes);
                prop_assert_eq!(mailbox.look(account, Account::pushes_back), Some(full));
                // There is room for what neither drops anything nor makes it push back.
                for size in 0..20 {
                    let mut room = mailbox.look(account, Account::room).unwrap();
                    let bounds = bounds[index];
                    let fits = waiting.len() + 1 < bounds.events && bytes + size < bounds.bytes;
                    prop_assert_eq!(room.take(size), fits);
                }
            }
        }
        while mailbox.try_take().is_some() {}
        prop_assert!(gate.has_room(usize::MAX) && gate.has_reserve());
    }
}

#[test]
fn the_oldest_give_way_as_fast_however_much_waits_for_others() {
    let gate = Arc::new(Gate::open());
    let mailbox = Mailbox::new(&gate);
    let patient = mailbox.open_account(bounds(1, WhenFull::Wait), &gate);
    let newest = mailbox.open_account(bounds(10, WhenFull::DropOldest), &gate);
    let start = Instant::now();
    let count = 100_000;
    for number in 0..count {
        bring(&mailbox, patient, item(number));
        bring(&mailbox, newest, item(number));
    }
    assert_eq!(mailbox.look(newest, Account::lost), Some(count - 10));
    // By a search it takes some minutes.
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    let expected = (0..count - 10).chain((count - 10..count).flat_map(|number| [number; 2]));
    assert!(numbers(&mailbox).into_iter().eq(expected));
}
