//! All deadlines of a server. The thread that serves its connections keeps them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mio::Waker;

use crate::core::time::Timestamp;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, role};

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

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(NEVER - 1)
}

/// The deadlines, of which the nearest comes first.
pub(super) struct TimerHeap<D> {
    heap: Mutex<Heap<D>>,
    waker: Arc<Waker>,
}

struct Heap<D> {
    entries: BinaryHeap<Reverse<Entry<D>>>,
    next_number: u64,
}

struct Entry<D> {
    at: Timestamp,
    number: u64,
    due: D,
}

impl<D> PartialEq for Entry<D> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
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
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<D> TimerHeap<D> {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { heap: Mutex::new(Heap { entries: BinaryHeap::new(), next_number: 0 }), waker }
    }

    pub(super) fn arm(&self, at: Timestamp, due: D) {
        let mut heap = lock(&self.heap);
        let number = heap.next_number;
        heap.next_number += 1;
        let is_first = heap.entries.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.entries.push(Reverse(Entry { at, number, due }));
        drop(heap);
        // The thread itself looks before it sleeps.
        if is_first && role() != Some(Role::Server) {
            let _ = self.waker.wake();
        }
    }

    /// When the nearest is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        lock(&self.heap).entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes one that is due, with its time.
    pub(super) fn take(&self, now: Timestamp) -> Option<(Timestamp, D)> {
        let mut heap = lock(&self.heap);
        if heap.entries.peek().is_none_or(|Reverse(first)| first.at > now) {
            return None;
        }
        heap.entries.pop().map(|Reverse(entry)| (entry.at, entry.due))
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let entries = std::mem::take(&mut lock(&self.heap).entries);
        drop(entries);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Poll, Token};

    use super::*;

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
        assert_eq!((rung, heap.next()), (1, Some(second(200))));
        assert!(heap.take(second(200)).is_some() && heap.next().is_none());
    }
}
