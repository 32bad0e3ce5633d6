//! Mailboxes that a program polls: the side of the mailbox.

use std::sync::Arc;

use super::{Mailbox, State};
use crate::error::Result;
use crate::sync::deliver::Deliver;
use crate::sync::gate::Gate;
use crate::sync::lock::{Locked, lock};
use crate::sync::readiness::Readiness;

impl<T: Deliver> Mailbox<T> {
    /// The descriptor that is readable while something waits here, or nothing can come any more.
    pub(crate) fn readiness(&self) -> Result<Arc<Readiness>> {
        let known = lock(&self.state).pollers.own().next();
        if let Some(known) = known {
            return Ok(known);
        }
        // Where two ask at the same time, each gets one.
        let readiness = Readiness::of_one()?;
        self.add_poller(&readiness);
        if !lock(&self.state).ledger.is_open() {
            readiness.end();
        }
        Ok(readiness)
    }

    /// Adds a descriptor that is to be readable while something waits here.
    pub(crate) fn add_poller(&self, readiness: &Arc<Readiness>) {
        let mut state = lock(&self.state);
        state.settle();
        let waits = state.store.len() > 0;
        let behind = state.pollers.add(readiness, waits);
        let hungry = state.hunger_of_pollers(&self.gate);
        drop(state);
        follow(&behind);
        if hungry {
            self.gate.reopen();
        }
    }
}

impl<T> State<T> {
    /// Releases the lock, and makes those who poll see what has changed.
    pub(super) fn release(mut state: Locked<'_, Self>) {
        let pollers = state.note_readiness();
        drop(state);
        follow(&pollers);
    }

    /// Notes whether something waits; gives those who have to follow when the locks are released.
    pub(super) fn note_readiness(&mut self) -> Vec<Arc<Readiness>> {
        let Self { store, pollers, .. } = self;
        pollers.note(|| store.len() > 0)
    }

    /// Nobody can tell whether those who poll wait: where it is empty, they count. `true`: they begin to.
    pub(super) fn hunger_of_pollers(&mut self, gate: &Gate) -> bool {
        self.pollers.is_any() && self.ledger.begin_hunger(self.store.len() == 0, gate)
    }
}

pub(super) fn follow(pollers: &[Arc<Readiness>]) {
    for poller in pollers {
        poller.follow();
    }
}
