//! A queue that is empty most of the time.

use std::collections::VecDeque;

/// A queue that gives back its memory when it is empty, unless about as much was used the last time.
pub(super) struct Spare<T> {
    pub(super) queue: VecDeque<T>,
    /// The most that has waited since it was empty.
    peak: usize,
}

impl<T> Spare<T> {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), peak: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.queue.push_back(item);
        self.peak = self.queue.len().max(self.peak);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        const SMALL: usize = 16;
        let item = self.queue.pop_front();
        if self.queue.is_empty() {
            let peak = std::mem::take(&mut self.peak);
            if self.queue.capacity() > 4 * peak.max(SMALL) {
                self.queue = VecDeque::new();
            }
        }
        item
    }
}
