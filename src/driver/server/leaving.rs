//! Sockets that are gone, of which the program has yet to hear.

use std::sync::Arc;

/// Who counts them.
pub(crate) trait CountsLeaving: Send + Sync {
    /// The program has heard of one.
    fn has_left(&self);
}

/// One of them. It counts as long as this is there.
pub(crate) struct Leaving(Arc<dyn CountsLeaving>);

impl Leaving {
    /// One that was counted.
    pub(super) fn of(counter: Arc<dyn CountsLeaving>) -> Self {
        Self(counter)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.has_left();
    }
}
