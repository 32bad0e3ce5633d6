//! A descriptor for all subscriptions of a connection together.

use std::sync::{Arc, Mutex, Weak};

use super::Driver;
use crate::driver::listeners::Listeners;
use crate::error::Result;
use crate::sync::deliver::Deliver;
use crate::sync::lock::lock;
use crate::sync::mailbox::Mailbox;
use crate::sync::readiness::Readiness;

/// It is there while somebody polls it.
#[derive(Default)]
pub(super) struct ReadySlot(Mutex<Weak<Readiness>>);

impl ReadySlot {
    fn get(&self) -> Option<Arc<Readiness>> {
        lock(&self.0).upgrade()
    }

    fn get_or_make(&self) -> Result<Arc<Readiness>> {
        let mut slot = lock(&self.0);
        if let Some(readiness) = slot.upgrade() {
            return Ok(readiness);
        }
        let readiness = Readiness::of_many()?;
        *slot = Arc::downgrade(&readiness);
        Ok(readiness)
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        if let Some(readiness) = self.get() {
            readiness.end();
        }
    }
}

impl Driver {
    /// The descriptor that is readable while something waits in a subscription.
    pub(crate) fn readiness(&self) -> Result<Arc<Readiness>> {
        let readiness = self.ready.get_or_make()?;
        // Those that are made later find it in its slot.
        let mut monitor = self.lock();
        let entries = monitor.namespaces.things_mut();
        entries.for_each(|entry| Listeners::add_poller(&entry.listeners, &readiness));
        monitor.manager_listeners.iter().for_each(|listener| listener.add_poller(&readiness));
        drop(monitor);
        self.observers.add_poller(&readiness);
        if self.is_over() {
            readiness.end();
        }
        Ok(readiness)
    }

    /// Somebody has subscribed.
    pub(crate) fn subscribed<T: Deliver>(&self, mailbox: &Mailbox<T>) {
        if let Some(readiness) = self.ready.get() {
            mailbox.add_poller(&readiness);
        }
    }
}
