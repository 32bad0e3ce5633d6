//! All deadlines of a server. The thread that serves its connections keeps them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, Weak};

use mio::{Token, Waker};

use super::peer::Peer;
use super::served_socket::ServedSocket;
use crate::core::time::Timestamp;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, role};

/// What has come to its time. Whoever it was for may be gone.
pub(super) enum Due {
    Peer(Weak<Peer>),
    Answers(Weak<ServedSocket>),
    /// A connection that speaks HTTP, or that is only left to be closed.
    Connection(Token),
    /// What was gathered for a turn that still lasts.
    Deferred,
    /// The listeners rest no longer.
    Accept,
}

/// The deadlines, of which the nearest comes first.
pub(super) struct Deadlines {
    heap: Mutex<Heap>,
    waker: Arc<Waker>,
}

#[derive(Default)]
struct Heap {
    entries: BinaryHeap<Reverse<Entry>>,
    next_number: u64,
}

struct Entry {
    at: Timestamp,
    number: u64,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Deadlines {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { heap: Mutex::default(), waker }
    }

    pub(super) fn arm_peer(&self, at: Timestamp, peer: &Weak<Peer>) {
        self.arm(at, Due::Peer(peer.clone()));
    }

    pub(super) fn arm_answers(&self, at: Timestamp, socket: &Weak<ServedSocket>) {
        self.arm(at, Due::Answers(socket.clone()));
    }

    pub(super) fn arm(&self, at: Timestamp, due: Due) {
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

    /// TakesTurns one that is due.
    pub(super) fn take(&self, now: Timestamp) -> Option<Due> {
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
