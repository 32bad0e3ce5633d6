//! Until when some of what is being written has to move.

use std::time::Duration;

use crate::core::time::Timestamp;

/// Whether something is being written, and when some of it has moved the last time.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    moved: Option<Timestamp>,
}

impl Delivery {
    /// Something is being written from now on, or some of it has moved.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.moved = Some(now);
    }

    /// All of it is written.
    pub(crate) fn end(&mut self) {
        self.moved = None;
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.moved.is_some()
    }

    /// Until when some of it has to move, for one who waits so long.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Timestamp> {
        Some(self.moved? + patience)
    }
}
