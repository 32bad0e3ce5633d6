//! Handlers for which the reader of a client holds still.

use std::time::Duration;

use crate::core::time::Timestamp;

/// Since when they have done nothing, as far as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    /// When it is to be looked at.
    pub(super) until: Timestamp,
    /// How much they had done then.
    done: u64,
}

impl Stall {
    /// The reader begins to hold still. `done`: how much the handlers have done so far.
    pub(super) fn new(done: u64, now: Timestamp, limit: Duration) -> Self {
        Self { until: now + limit, done }
    }

    /// Looks at it: whether the handlers have done nothing for as long as they may.
    pub(super) fn is_over(&mut self, done: u64, now: Timestamp, limit: Duration) -> bool {
        if done != self.done {
            *self = Self::new(done, now, limit);
        }
        self.until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_that_do_something_have_their_time_anew() {
        let second = |count| Timestamp(Duration::from_secs(count));
        let limit = Duration::from_secs(60);
        let mut stall = Stall::new(7, second(0), limit);
        assert!(!stall.is_over(7, second(59), limit));
        assert!(!stall.is_over(8, second(60), limit));
        assert!(!stall.is_over(8, second(119), limit));
        assert!(stall.is_over(8, second(120), limit));
    }
}
