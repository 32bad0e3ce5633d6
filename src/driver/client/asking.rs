//! Asking the user's functions for credentials, on threads of their own: they may take their time, and
//! must hold up neither heartbeats nor callbacks.

use std::sync::{Arc, Weak};

use super::{AuthFunction, Driver};
use crate::core::ids::NamespaceId;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

/// What a function that runs was asked.
pub(super) struct Question {
    /// The number of the last question that it is to answer.
    asked: u32,
    /// Weak, so that the end of a function, which is the user's code, is never here.
    function: Weak<dyn Fn() -> Result<Payload> + Send + Sync>,
}

impl Driver {
    /// Asks for the credentials of a namespace.
    ///
    /// A function that takes longer than the attempt to connect is not called again beside
    /// itself: its answer is for the attempt that there is then. One that was replaced meanwhile does not
    /// hold up the one that has taken its place, and its answer is of no use.
    pub(super) fn ask_auth(&self, namespace: NamespaceId, asked: u32) {
        let mut monitor = self.lock();
        let entry = monitor.namespaces.get_mut(namespace);
        let asked_one = entry.and_then(|entry| Some((Arc::downgrade(entry.auth.as_ref()?), entry)));
        let Some((function, entry)) = asked_one else {
            drop(monitor);
            let what = "there is no auth function: the manager was closed for good";
            return self.answer(namespace, asked, Err(Error::new(ErrorKind::Disconnected, what)));
        };
        let question = Question { asked, function: Weak::clone(&function) };
        let before = entry.asking.replace(question);
        if before.is_some_and(|before| Weak::ptr_eq(&before.function, &function)) {
            return;
        }
        let Some(function) = function.upgrade() else { return };
        drop(monitor);
        let (driver, stack_size) = (self.this.clone(), Some(self.limits.stack_size));
        let speaker = self.speaker.id();
        let asking = spawn(Role::Auth, stack_size, move || {
            let _speaking = speaker.speak();
            let auth = survive(|| function()).unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Payload, "the auth function panicked"))
            });
            if let Some(driver) = driver.upgrade() {
                driver.answer_auth(namespace, &function, auth);
            }
            // It may be the last that holds the function: its end is the user's code.
            if survive(|| drop(function)).is_none() {
                log_later!(Error, "the end of an auth function panicked; the connection goes on");
            }
        });
        if let Err(error) = asking {
            if let Some(entry) = self.lock().namespaces.get_mut(namespace) {
                entry.asking = None;
            }
            self.answer(namespace, asked, Err(error));
        }
    }

    /// Brings what a function has given, unless another has taken its place.
    fn answer_auth(&self, namespace: NamespaceId, function: &AuthFunction, auth: Result<Payload>) {
        let mut monitor = self.lock();
        let is_current =
            |question: &mut Question| Weak::ptr_eq(&question.function, &Arc::downgrade(function));
        let entry = monitor.namespaces.get_mut(namespace);
        let question = entry.and_then(|entry| entry.asking.take_if(is_current));
        drop(monitor);
        // Whoever set the credentials meanwhile has changed the number that is waited for.
        if let Some(Question { asked, .. }) = question {
            self.answer(namespace, asked, auth);
        }
    }

    fn answer(&self, namespace: NamespaceId, asked: u32, auth: Result<Payload>) {
        self.run(|core, now| core.auth(namespace, asked, auth, now));
    }
}
