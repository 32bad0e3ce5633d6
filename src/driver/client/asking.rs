//! Asking the user's functions, on threads of their own: they may take their time, and must hold up
//! neither heartbeats nor callbacks.

use std::sync::{Arc, Weak};

use super::{Driver, Monitor};
use crate::core::ids::NamespaceId;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

/// Gives the credentials of a namespace, at each connection.
pub(crate) type AuthFunction = Arc<AskForAuth>;

type AskForAuth = dyn Fn() -> Result<Payload> + Send + Sync;

/// A function of the user's that is asked now and then, and what it was asked last.
pub(super) struct Asked<F: ?Sized> {
    pub(super) function: Option<Arc<F>>,
    /// The question that it is to answer, while it runs.
    question: Option<Question<F>>,
}

/// What a function that runs was asked.
struct Question<F: ?Sized> {
    /// The number of the last one that it is to answer.
    number: u32,
    /// Weak, so that the end of a function, which is the user's code, is never here.
    function: Weak<F>,
}

/// How a question has begun.
enum Begun<F: ?Sized> {
    /// There is no function to answer it.
    NoFunction,
    /// The function runs, and will answer this question too.
    Runs,
    /// The function is to be called.
    Call(Arc<F>),
}

impl<F: ?Sized> Default for Asked<F> {
    fn default() -> Self {
        Self::of(None)
    }
}

impl<F: ?Sized> Asked<F> {
    pub(super) fn of(function: Option<Arc<F>>) -> Self {
        Self { function, question: None }
    }

    fn begin(&mut self, number: u32) -> Begun<F> {
        let Some(function) = &self.function else { return Begun::NoFunction };
        let question = Question { number, function: Arc::downgrade(function) };
        let before = self.question.replace(question);
        let runs =
            before.is_some_and(|before| Weak::ptr_eq(&before.function, &Arc::downgrade(function)));
        if runs { Begun::Runs } else { Begun::Call(Arc::clone(function)) }
    }

    /// The number of the question that this function has answered, unless another has taken its place.
    fn end(&mut self, function: &Arc<F>) -> Option<u32> {
        let is_current = |question: &mut Question<F>| {
            Weak::ptr_eq(&question.function, &Arc::downgrade(function))
        };
        Some(self.question.take_if(is_current)?.number)
    }
}

impl Driver {
    /// Asks a function, which is found there in the monitor, and brings its answer.
    ///
    /// A function that takes longer than the attempt to connect is not called again beside
    /// itself: its answer is for the attempt that there is then. One that was replaced meanwhile does not
    /// hold up the one that has taken its place, and its answer is of no use.
    pub(super) fn ask<F: ?Sized + Send + Sync + 'static, T>(
        &self,
        question: u32,
        find: impl Fn(&mut Monitor) -> Option<&mut Asked<F>> + Copy + Send + 'static,
        call: impl FnOnce(&F) -> Result<T> + Send + 'static,
        panicked: fn() -> Error,
        bring: impl Fn(&Self, u32, Result<T>) + Copy + Send + 'static,
    ) {
        let begun = find(&mut self.lock()).map(|it| it.begin(question));
        let function = match begun {
            Some(Begun::Call(function)) => function,
            Some(Begun::Runs) => return,
            Some(Begun::NoFunction) | None => {
                let what = "there is no function to ask: the manager was closed for good";
                return bring(self, question, Err(Error::new(ErrorKind::Disconnected, what)));
            }
        };
        let (driver, stack_size) = (self.this.clone(), Some(self.limits.stack_size));
        let speaker = self.speaker.id();
        let asking = spawn(Role::Auth, stack_size, move || {
            let _speaking = speaker.speak();
            let answer = survive(|| call(&function)).unwrap_or_else(|| Err(panicked()));
            if let Some(driver) = driver.upgrade() {
                let question = find(&mut driver.lock()).and_then(|it| it.end(&function));
                // Whoever answered it meanwhile has changed the number that is waited for.
                if let Some(question) = question {
                    bring(&driver, question, answer);
                }
            }
            // It may be the last that holds the function: its end is the user's code.
            if survive(|| drop(function)).is_none() {
                log_later!(Error, "the end of a function panicked; the connection goes on");
            }
        });
        if let Err(error) = asking {
            if let Some(it) = find(&mut self.lock()) {
                it.question = None;
            }
            bring(self, question, Err(error));
        }
    }

    /// Asks for the credentials of a namespace.
    pub(super) fn ask_auth(&self, namespace: NamespaceId, question: u32) {
        self.ask(
            question,
            move |monitor| Some(&mut monitor.namespaces.get_mut(namespace)?.auth),
            |auth: &AskForAuth| auth(),
            || Error::new(ErrorKind::Payload, "the auth function panicked"),
            move |driver, question, auth| {
                driver.run(|core, now| core.auth(namespace, question, auth, now));
            },
        );
    }
}

#[cfg(test)]
mod tests;
