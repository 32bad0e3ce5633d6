//! Asking the user's functions for credentials, on threads of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Driver;
use crate::core::ids::NamespaceId;
use crate::driver::dispatch::AuthFunction;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::sync::threads::{Role, spawn};

impl Driver {
    /// Asks for the credentials of a namespace, on a thread of its own: the function may take its
    /// time, and must hold up neither heartbeats nor callbacks.
    ///
    /// A function that takes longer than the attempt to connect is not called again beside
    /// itself: its answer is for the attempt that there is then.
    pub(super) fn ask_auth(&self, namespace: NamespaceId, asked: u32) {
        let mut monitor = self.lock();
        let Some(function) = monitor.auth_functions.get(&namespace).cloned() else { return };
        let running = monitor.asking.insert(namespace, asked).is_some();
        drop(monitor);
        if running {
            return;
        }
        let driver = self.this.clone();
        let asking = spawn(Role::Auth, Some(self.stack_size), move || {
            let mut next = Some(function);
            while let Some(function) = next {
                let auth = catch_unwind(AssertUnwindSafe(|| function())).unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Payload, "the auth function panicked"))
                });
                let Some(driver) = driver.upgrade() else { return };
                next = driver.answer_auth(namespace, &function, auth);
            }
        });
        if let Err(error) = asking {
            self.run_with(|monitor, now| {
                monitor.asking.remove(&namespace);
                monitor.core.auth(namespace, asked, Err(error), now);
            });
        }
    }

    /// Brings what a function has given, unless it was replaced meanwhile: then the new one, which
    /// has to be asked.
    fn answer_auth(
        &self,
        namespace: NamespaceId,
        function: &AuthFunction,
        auth: Result<Payload>,
    ) -> Option<AuthFunction> {
        self.run_with(|monitor, now| {
            let current = monitor.auth_functions.get(&namespace);
            if let Some(current) = current.filter(|current| !Arc::ptr_eq(current, function)) {
                return Some(Arc::clone(current));
            }
            if let Some(asked) = monitor.asking.remove(&namespace) {
                monitor.core.auth(namespace, asked, auth, now);
            }
            None
        })
    }
}
