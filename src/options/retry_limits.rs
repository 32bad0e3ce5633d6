//! How often, how long, and how many at a time events are sent that are to be acknowledged.

use std::time::Duration;

/// The most reliable events that can be under way at a time.
pub(crate) const LARGEST_WINDOW: usize = 1024;

/// The bounds of sending events again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryLimits {
    /// How many reliable events may be under way at a time.
    pub(crate) window: usize,
    /// How long a try of a reliable event waits for its acknowledgement.
    pub(crate) try_limit: Duration,
    /// How often the connection may end while an event is the first under way.
    pub(crate) interruptions: u32,
}

impl RetryLimits {
    /// How long a try waits where nothing else is said.
    pub(crate) const TRY_LIMIT: Duration = Duration::from_secs(10);
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self { window: 8, try_limit: Self::TRY_LIMIT, interruptions: 10 }
    }
}
