//! What comes before an attempt to connect: those who hear of it are told, and the user's function is
//! asked what it is to be made with.

use std::sync::Arc;

use super::outputs::Action;
use super::{Driver, Monitor};
use crate::core::client::Prepared;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::event::attempt_info::AttemptInfo;
use crate::net::{Address, CacheBuster};
use crate::options::ManagerOptions;

/// Changes of a connection's options, which are made one and all.
pub(crate) trait Changes: Send {
    /// Refuses what cannot work. These are the options that they are laid over.
    fn check(&self, options: &ManagerOptions, buster: &CacheBuster) -> Result<()>;

    fn change_options(&self, options: &mut ManagerOptions);

    fn change_address(&self, address: &mut Address);
}

/// Says what an attempt is to be made with.
pub(crate) type PrepareFunction = Arc<AskBefore>;

pub(super) type AskBefore = dyn Fn(&AttemptInfo) -> Result<Box<dyn Changes>> + Send + Sync;

impl Driver {
    /// Sees to it that an attempt goes on when the callbacks that hear of it have been called: what they
    /// change is to be in it.
    pub(super) fn tell_attempt(
        &self,
        monitor: &mut Monitor,
        question: u32,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if monitor.manager_listeners.iter().all(|listener| listener.account().is_none()) {
            return monitor.core.told(question, now);
        }
        let this = self.this.clone();
        let brought = monitor.dispatcher.then(Box::new(move || {
            if let Some(driver) = this.upgrade() {
                driver.run(|core, now| core.told(question, now));
            }
        }));
        actions.extend(brought.waiters.into_iter().map(Action::Rouse));
    }

    /// Asks what an attempt is to be made with.
    pub(super) fn ask_before(&self, question: u32, attempt: u32) {
        let monitor = self.lock();
        let address = monitor.address_in_turn();
        let info = AttemptInfo::new(attempt, &address.server.endpoint, monitor.last_error.clone());
        drop(monitor);
        self.ask(
            question,
            |monitor| Some(&mut monitor.before_attempt),
            move |prepare: &AskBefore| prepare(&info),
            || {
                Error::new(
                    ErrorKind::Connect(Stage::Prepare),
                    "the function of before_attempt panicked",
                )
            },
            |driver, question, changes| {
                driver.run_with(|monitor, now| monitor.prepared(question, changes.map(Some), now));
            },
        );
    }

    /// Changes the options of the connection for good: all of them, or with an error none.
    pub(crate) fn change(&self, changes: &dyn Changes) -> Result<()> {
        self.run_with(|monitor, _| {
            changes.check(monitor.core.options(), &monitor.address.cache_buster)?;
            monitor.core.change_options(|options| changes.change_options(options));
            let before = monitor.address.server.endpoint.clone();
            changes.change_address(Arc::make_mut(&mut monitor.address));
            if monitor.address.server.endpoint == before {
                monitor.change_current_address(changes);
            } else {
                // What is for the new server is nothing for the one that there is a session with.
                monitor.core.return_to_first_address();
            }
            Ok(())
        })
    }
}

impl Monitor {
    /// The address of the attempt that is prepared, before the user's function has changed it.
    fn address_in_turn(&self) -> Arc<Address> {
        match self.core.place() {
            0 => Arc::clone(&self.address),
            place => Arc::new(self.address.at(place)),
        }
    }

    /// It is known what an attempt is made with; `None`: with nothing else than usual.
    pub(super) fn prepared(
        &mut self,
        question: u32,
        changes: Result<Option<Box<dyn Changes>>>,
        now: Timestamp,
    ) {
        if !self.core.is_preparing(question) {
            return;
        }
        let prepared = changes.and_then(|changes| self.lay_over(changes.as_deref()));
        self.core.prepared(question, prepared, now);
    }

    fn lay_over(&mut self, changes: Option<&dyn Changes>) -> Result<Prepared> {
        let mut address = self.address_in_turn();
        let mut options = None;
        if let Some(changes) = changes {
            changes.check(self.core.options(), &address.cache_buster).map_err(unusable)?;
            changes.change_options(options.insert(self.core.options().clone()));
            changes.change_address(Arc::make_mut(&mut address));
        }
        let is_elsewhere = address.server.endpoint != self.current_address.server.endpoint;
        if is_elsewhere {
            self.speaker.rename(address.server.endpoint.authority());
        }
        self.current_address = address;
        Ok(Prepared { options, is_elsewhere })
    }

    /// Changes what the requests of the current session carry.
    fn change_current_address(&mut self, changes: &dyn Changes) {
        let before = Arc::clone(&self.current_address);
        let mut address = (*before).clone();
        changes.change_address(&mut address);
        address.server = before.server.clone();
        self.current_address = Arc::new(address);
        for link in self.links.things_mut().filter(|link| link.leads_to(&before)) {
            link.set_address(&self.current_address);
        }
    }
}

/// The error of an attempt whose function gave what cannot be used.
fn unusable(error: Error) -> Error {
    let what = "the function of before_attempt gave an update that cannot be used";
    Error::new(ErrorKind::Connect(Stage::Prepare), what).with_source(error)
}

/// The error of an attempt whose function failed; the user's own error is its cause.
pub(crate) fn refused_by_user(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let what = "the function of before_attempt failed";
    Error::new(ErrorKind::Connect(Stage::Prepare), what).with_source(error)
}

#[cfg(test)]
mod tests;
