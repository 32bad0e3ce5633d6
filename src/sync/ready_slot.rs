//! A descriptor that is made when somebody wants to poll it.

use std::sync::{Arc, Mutex, Weak};

use super::lock::lock;
use super::readiness::Readiness;
use crate::error::Result;

/// A descriptor that is there while somebody polls it.
#[derive(Default)]
pub(crate) struct ReadySlot(Mutex<Weak<Readiness>>);

impl ReadySlot {
    /// The one that somebody polls.
    pub(crate) fn get(&self) -> Option<Arc<Readiness>> {
        lock(&self.0).upgrade()
    }

    /// The same, for one more who polls.
    pub(crate) fn get_or_make(&self) -> Result<Arc<Readiness>> {
        let mut slot = lock(&self.0);
        if let Some(readiness) = slot.upgrade() {
            return Ok(readiness);
        }
        let readiness = Readiness::of_many()?;
        *slot = Arc::downgrade(&readiness);
        Ok(readiness)
    }

    /// Nothing comes any more.
    pub(crate) fn end(&self) {
        if let Some(readiness) = self.get() {
            readiness.end();
        }
    }
}
