//! A descriptor for all subscriptions of a connection together.

use std::sync::Arc;

use super::Driver;
use crate::driver::listeners::Listeners;
use crate::error::Result;
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::Mailbox;
use crate::sync::readiness::Readiness;

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
