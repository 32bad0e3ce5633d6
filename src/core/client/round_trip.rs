//! How long answers take.

use std::time::Duration;

/// How long answers took in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// The last one.
    pub(crate) last: Option<Duration>,
    /// All of them, of which each counts for an eighth of what came before.
    pub(crate) smoothed: Option<Duration>,
}

impl RoundTrip {
    /// An answer took so long.
    pub(super) fn note(&mut self, took: Duration) {
        self.last = Some(took);
        self.smoothed = Some(self.smoothed.map_or(took, |before| (before * 7 + took) / 8));
    }
}
