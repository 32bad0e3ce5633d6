//! The queues and their accounts: bounds, order and policies.

mod model;
mod waiting;

use std::time::{Duration, Instant};

use super::*;
use crate::options::WhenFull;
use crate::sync::account::{ONLY, SECOND};

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

    /// Numbers of four digits are for the second of two consumers.
    fn account(&self) -> AccountId {
        if self.number < 1000 { ONLY } else { SECOND }
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

/// A mailbox with room for two of the second consumer, the oldest of which give way; the first loses nothing.
fn of_two() -> Arc<Mailbox<Item>> {
    let mailbox = mailbox(10, WhenFull::Wait);
    let second = mailbox.open_account(bounds(2, WhenFull::DropOldest), &Arc::new(Gate::open()));
    assert_eq!(second, SECOND);
    mailbox
}

fn bring_in_turn(mailbox: &Mailbox<Item>, numbers: &[usize]) {
    for number in numbers {
        let item = item(*number);
        bring(mailbox, item.account(), item);
    }
}

#[test]
fn in_a_queue_for_two_only_the_own_gives_way() {
    let mailbox = of_two();
    bring_in_turn(&mailbox, &[1000, 1, 1001, 2, 1002, 3, 1003]);
    assert_eq!((numbers(&mailbox), mailbox.lost()), (vec![1, 2, 1002, 3, 1003], 2));
}

#[test]
fn in_a_channel_for_two_what_lies_before_the_oldest_is_lost_with_it() {
    let mailbox = of_two();
    bring_in_turn(&mailbox, &[1, 1000]);
    let receiver = mailbox.receiver().clone();
    bring_in_turn(&mailbox, &[2, 1001, 3, 1002, 4]);
    assert_eq!(
        receiver.try_iter().map(|item| item.number).collect::<Vec<_>>(),
        [2, 1001, 3, 1002, 4]
    );
    assert_eq!(mailbox.lost(), 2);
    // What the program took itself is noticed: there is room for as many as before, of each.
    bring_in_turn(&mailbox, &[1003, 5, 1004, 6]);
    assert_eq!((numbers(&mailbox), mailbox.lost()), (vec![1003, 5, 1004, 6], 2));
    assert_eq!(mailbox.look(ONLY, Account::len), Some(0));
    assert_eq!(mailbox.look(SECOND, Account::len), Some(0));
}
