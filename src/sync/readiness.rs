//! A descriptor that is readable while something waits, for programs with a loop of their own.
//!
//! Who changes a mailbox first notes whether something waits there, under the lock of the mailbox, and makes
//! the descriptor follow afterwards ([`Readiness::follow`]), when no lock of the connection is held. Those
//! who do so take turns, and each looks at what is noted by then: so whoever comes last leaves the
//! descriptor as the mailboxes are, and none is forgotten whatever the order.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;

use super::eventfd::EventFd;
use super::lock::lock;
use crate::error::Result;

/// What is shared by the mailboxes that it tells of, and those who poll.
#[derive(Debug)]
pub(crate) struct Readiness {
    fd: EventFd,
    /// In how many mailboxes something waits.
    mailboxes: AtomicUsize,
    /// Nothing comes any more.
    over: AtomicBool,
    /// Whether the descriptor is readable.
    raised: Mutex<bool>,
    /// It ends with its mailbox, which is the only one.
    is_of_one: bool,
}

/// Who is to be told that something came, once the locks are released.
pub(crate) enum Wakeup {
    Thread(Thread),
    Poller(Arc<Readiness>),
}

impl Wakeup {
    pub(crate) fn wake(&self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Poller(readiness) => readiness.follow(),
        }
    }
}

impl Readiness {
    /// That of one mailbox.
    pub(super) fn of_one() -> Result<Arc<Self>> {
        Self::new(true)
    }

    /// That of all mailboxes that are added to it.
    pub(crate) fn of_many() -> Result<Arc<Self>> {
        Self::new(false)
    }

    fn new(is_of_one: bool) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            fd: EventFd::new()?,
            mailboxes: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            raised: Mutex::new(false),
            is_of_one,
        }))
    }

    /// Makes the descriptor readable, or not, as is noted.
    pub(crate) fn follow(&self) {
        let mut raised = lock(&self.raised);
        let is_due = self.mailboxes.load(Ordering::SeqCst) > 0 || self.over.load(Ordering::SeqCst);
        if is_due != *raised {
            *raised = is_due;
            if is_due { self.fd.raise() } else { self.fd.lower() }
        }
    }

    /// Nothing comes any more: it is readable from now on.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.follow();
    }
}

/// Those who poll for what comes to a mailbox. It belongs to its state, and so is under its lock.
#[derive(Default)]
pub(super) struct Pollers {
    all: Vec<Weak<Readiness>>,
    /// They were told that something waits.
    told: bool,
}

impl Pollers {
    /// Those that belong to this mailbox alone.
    pub(super) fn own(&self) -> impl Iterator<Item = Arc<Readiness>> + '_ {
        self.live().filter(|poller| poller.is_of_one)
    }

    /// Whether somebody polls.
    pub(super) fn is_any(&self) -> bool {
        // Mostly nobody ever has.
        !self.all.is_empty() && self.live().next().is_some()
    }

    /// Adds one; `waits`: whether something waits. Gives those who have to follow when the locks are released:
    /// the others were told of what waited before, where it was taken from the channel.
    pub(super) fn add(&mut self, poller: &Arc<Readiness>, waits: bool) -> Vec<Arc<Readiness>> {
        self.all.retain(|other| other.strong_count() > 0);
        let mut behind = self.note(|| waits);
        if !self.live().any(|other| Arc::ptr_eq(&other, poller)) {
            self.all.push(Arc::downgrade(poller));
            self.told = waits;
            if self.told {
                poller.mailboxes.fetch_add(1, Ordering::SeqCst);
            }
            behind.push(Arc::clone(poller));
        }
        behind
    }

    /// Notes whether something waits; gives those who have to follow when the locks are released.
    pub(super) fn note(&mut self, waits: impl FnOnce() -> bool) -> Vec<Arc<Readiness>> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let waits = waits();
        if std::mem::replace(&mut self.told, waits) == waits {
            return Vec::new();
        }
        let pollers: Vec<_> = self.live().collect();
        for poller in &pollers {
            if waits {
                poller.mailboxes.fetch_add(1, Ordering::SeqCst);
            } else {
                poller.mailboxes.fetch_sub(1, Ordering::SeqCst);
            }
        }
        pollers
    }

    /// All of them.
    pub(super) fn live(&self) -> impl Iterator<Item = Arc<Readiness>> + '_ {
        self.all.iter().filter_map(Weak::upgrade)
    }
}

/// A descriptor to wait for in `poll(2)`, `epoll`, `mio` or the like: readable while something waits; see
/// [`Subscription::ready_fd`](crate::Subscription::ready_fd), [`Manager::ready_fd`](crate::Manager::ready_fd) and
/// [`Ack::ready_fd`](crate::Ack::ready_fd).
///
/// It is level-triggered: it becomes readable when something comes, and stays so until all is taken. It is
/// readable as well, and stays so, when nothing can come any more, as a socket is at its end. It is never to be
/// read from, written to, or closed: what waits is taken from the subscription or the acknowledgement.
///
/// It keeps nothing alive but itself, and may be sent to another thread. With its last clone the descriptor is
/// closed.
#[derive(Clone, Debug)]
pub struct ReadyFd(Arc<Readiness>);

impl ReadyFd {
    pub(crate) fn new(readiness: Arc<Readiness>) -> Self {
        Self(readiness)
    }
}

impl AsFd for ReadyFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl AsRawFd for ReadyFd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
