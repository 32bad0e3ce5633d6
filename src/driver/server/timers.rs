//! All deadlines of a server. The thread that serves its connections keeps them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};

use mio::Waker;

use crate::core::time::Timestamp;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, role};

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

    /// Takes one that is due.
    pub(super) fn take(&self, now: Timestamp) -> Option<D> {
        let mut heap = lock(&self.heap);
        if heap.entries.peek().is_none_or(|Reverse(first)| first.at > now) {
            return None;
        }
        heap.entries.pop().map(|Reverse(entry)| entry.due)
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let entries = std::mem::take(&mut lock(&self.heap).entries);
        drop(entries);
    }
}
