//! All deadlines of a server. The thread that serves its connections keeps them.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mio::Waker;

use crate::core::time::Timestamp;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, role};

thread_local! {
    /// The waker of the deadlines that the thread keeps.
    static KEPT: Cell<*const Waker> = const { Cell::new(std::ptr::null()) };
}

/// When the timer looks at something next. An entry that an earlier one has replaced stays in the heap until its time,
/// and rings for nobody: each thing has one entry that counts.
#[derive(Debug)]
pub(super) struct Alarm(AtomicU64);

/// No look is due.
const NEVER: u64 = u64::MAX;

impl Default for Alarm {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

impl Alarm {
    /// It is to be looked at by then. `true`: that is earlier than it was, and the heap has to know.
    pub(super) fn set(&self, at: Timestamp) -> bool {
        let at = nanos(at);
        self.0.fetch_min(at, Ordering::AcqRel) > at
    }

    /// The entry of that time is due. `false`: it does not count, or does no more.
    pub(super) fn rings(&self, at: Timestamp) -> bool {
        self.0.compare_exchange(nanos(at), NEVER, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// In nanoseconds, as far as there are so many.
pub(super) fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(NEVER - 1)
}

fn moment(nanos: u64) -> Timestamp {
    Timestamp(Duration::from_nanos(nanos))
}

/// The deadlines, of which the nearest comes first.
pub(super) struct TimerHeap<D> {
    heap: Mutex<BinaryHeap<Reverse<Entry<D>>>>,
    waker: Arc<Waker>,
}

/// Small, since there is one for each client.
struct Entry<D> {
    /// In nanoseconds.
    at: u64,
    due: D,
}

impl<D> PartialEq for Entry<D> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<D> Eq for Entry<D> {}

impl<D> PartialOrd for Entry<D> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<D> Ord for Entry<D> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<D> TimerHeap<D> {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { heap: Mutex::default(), waker }
    }

    pub(super) fn arm(&self, at: Timestamp, due: D) {
        let mut heap = lock(&self.heap);
        let at = nanos(at);
        let is_first = heap.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.push(Reverse(Entry { at, due }));
        drop(heap);
        if is_first && !self.is_looked_at_here() {
            let _ = self.waker.wake();
        }
    }

    /// The calling thread keeps these deadlines from now on, as often as it is at it.
    pub(super) fn are_kept_here(&self) {
        KEPT.set(Arc::as_ptr(&self.waker));
    }

    /// Whether the calling thread is the one that looks at them before it sleeps. It is another one for each server, and while
    /// it runs handlers others may look.
    pub(super) fn is_looked_at_here(&self) -> bool {
        KEPT.get() == Arc::as_ptr(&self.waker) && role() == Some(Role::Server)
    }

    /// When the nearest is due that is not over already. Those in front of it that are, are forgotten: nobody is to wake up for
    /// them, and they take no memory until their time.
    pub(super) fn next(&self, is_over: impl Fn(&D) -> bool) -> Option<Timestamp> {
        let mut heap = lock(&self.heap);
        while heap.peek().is_some_and(|Reverse(entry)| is_over(&entry.due)) {
            heap.pop();
        }
        if heap.capacity() > 4 * heap.len() + 256 {
            heap.shrink_to_fit();
        }
        heap.peek().map(|Reverse(entry)| moment(entry.at))
    }

    /// Takes one that is due, with its time.
    pub(super) fn take(&self, now: Timestamp) -> Option<(Timestamp, D)> {
        let mut heap = lock(&self.heap);
        if heap.peek().is_none_or(|Reverse(first)| first.at > nanos(now)) {
            return None;
        }
        heap.pop().map(|Reverse(entry)| (moment(entry.at), entry.due))
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let entries = std::mem::take(&mut *lock(&self.heap));
        drop(entries);
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll, Token};

    use super::*;
    use crate::sync::threads::play;

    /// Short deadlines that come and go before a long one.
    #[test]
    fn each_thing_has_one_entry_that_counts() {
        let poll = Poll::new().unwrap();
        let heap = TimerHeap::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let second = |number| Timestamp(Duration::from_secs(number));
        let alarm = Alarm::default();
        let set = |at| {
            if alarm.set(second(at)) {
                heap.arm(second(at), ());
            }
        };
        for short in 1..100 {
            set(100);
            set(short);
            let mut rung = 0;
            while let Some((at, ())) = heap.take(second(short)) {
                rung += u32::from(alarm.rings(at));
            }
            assert_eq!(rung, 1, "{short}");
        }
        set(100);
        let mut rung = 0;
        while let Some((at, ())) = heap.take(second(100)) {
            if alarm.rings(at) {
                rung += 1;
                set(200);
            }
        }
        assert_eq!((rung, heap.next(|()| false)), (1, Some(second(200))));
        assert!(heap.take(second(200)).is_some() && heap.next(|()| false).is_none());
    }

    /// A thousand connections that became WebSockets long before their first deadline.
    #[test]
    fn what_is_over_is_not_waited_for_and_takes_no_memory() {
        let poll = Poll::new().unwrap();
        let heap = TimerHeap::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let second = |number| Timestamp(Duration::from_secs(number));
        for number in 0..1000 {
            heap.arm(second(number), number);
        }
        assert_eq!(heap.next(|number| *number < 999), Some(second(999)));
        assert!(lock(&heap.heap).capacity() < 256);
        assert_eq!(heap.take(second(1000)), Some((second(999), 999)));
    }

    #[test]
    fn the_thread_is_woken_for_what_comes_before_all_else_and_for_nothing_more() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let heap = TimerHeap::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let wakes = [10, 20, 10, 5].map(|second| {
            heap.arm(Timestamp(Duration::from_secs(second)), ());
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count()
        });
        assert_eq!(wakes, [1, 0, 0, 1]);
        heap.clear();
        assert!(heap.next(|()| false).is_none());
    }

    #[test]
    fn the_thread_that_keeps_them_looks_by_itself_but_not_while_it_runs_handlers_nor_at_those_of_others()
     {
        let mut polls = [(); 2].map(|()| Poll::new().unwrap());
        let heaps = polls
            .each_ref()
            .map(|poll| TimerHeap::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap())));
        let mut events = Events::with_capacity(8);
        let mut woken = |second| {
            for heap in &heaps {
                heap.arm(Timestamp(Duration::from_secs(second)), ());
            }
            polls.each_mut().map(|poll| {
                poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
                !events.is_empty()
            })
        };
        heaps[0].are_kept_here();
        let _serves = play(Role::Server);
        assert_eq!(woken(20), [false, true]);
        let _handles = play(Role::Worker);
        assert_eq!(woken(10), [true, true]);
    }

    #[test]
    fn what_is_due_at_the_end_of_time_is_due() {
        let alarm = Alarm::default();
        let end = Timestamp(Duration::MAX);
        assert!(alarm.set(end) && !alarm.set(end));
        assert!(alarm.rings(end) && !alarm.rings(end));
    }
}
