//! The account of received events that no consumer has taken yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the events, and their bytes, that wait in the queues of one connection's consumers.
pub(crate) struct Budget {
    max_events: usize,
    max_bytes: usize,
    events: AtomicUsize,
    bytes: AtomicUsize,
    waiting: AtomicBool,
    /// Called when somebody waits and half of the budget is free again.
    resume: Box<dyn Fn() + Send + Sync>,
}

impl Budget {
    /// An empty account with its limits. `resume` must be quick and must not block: it runs on the
    /// consumers' threads.
    pub(crate) fn new(
        max_events: usize,
        max_bytes: usize,
        resume: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            max_events,
            max_bytes,
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            resume: Box::new(resume),
        }
    }

    /// Whether the budget is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.events.load(Ordering::SeqCst) >= self.max_events
            || self.bytes.load(Ordering::SeqCst) >= self.max_bytes
    }

    /// Whether the caller has to wait for `resume`, which is then sure to be called.
    pub(crate) fn must_wait(&self) -> bool {
        if !self.is_full() {
            return false;
        }
        self.waiting.store(true, Ordering::SeqCst);
        // A consumer may have made room between the look and the note.
        self.is_full()
    }

    /// Enters one event.
    pub(crate) fn enter(self: &Arc<Self>, bytes: usize) -> Permit {
        self.events.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        Permit { budget: Arc::clone(self), bytes }
    }

    fn has_room(&self) -> bool {
        self.events.load(Ordering::SeqCst) <= self.max_events / 2
            && self.bytes.load(Ordering::SeqCst) <= self.max_bytes / 2
    }
}

/// One event's place in a [`Budget`], given back on drop.
pub(crate) struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let budget = &self.budget;
        budget.events.fetch_sub(1, Ordering::SeqCst);
        budget.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        if budget.waiting.load(Ordering::SeqCst)
            && budget.has_room()
            && budget.waiting.swap(false, Ordering::SeqCst)
        {
            (budget.resume)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_budget_resumes_once_when_half_is_free() {
        let resumed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&resumed);
        let budget = Arc::new(Budget::new(4, 1000, move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }));
        let mut permits: Vec<Permit> = (0..4).map(|_| budget.enter(10)).collect();
        assert!(budget.must_wait());
        permits.pop();
        assert_eq!(resumed.load(Ordering::SeqCst), 0);
        permits.pop();
        permits.pop();
        permits.pop();
        assert_eq!(resumed.load(Ordering::SeqCst), 1);
        assert!(!budget.must_wait());
    }

    #[test]
    fn bytes_count_as_well() {
        let budget = Arc::new(Budget::new(4, 100, || ()));
        let _permit = budget.enter(100);
        assert!(budget.is_full());
    }
}
