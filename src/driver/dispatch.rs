//! The thread that runs the user's callbacks, and the threads that ask for credentials.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Driver;
use crate::core::namespace::NamespaceId;
use crate::driver::ack_slot::AckCallback;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AckReply, Event};
use crate::lock::log_later;
use crate::news::{ManagerEvent, Status};
use crate::payload::Payload;

/// A callback for events.
pub(crate) type EventCallback = Arc<Mutex<dyn FnMut(Event) + Send>>;
/// A callback for news of the connection.
pub(crate) type StatusCallback = Arc<Mutex<dyn FnMut(Status) + Send>>;
/// A callback for news of a manager's connection.
pub(crate) type ManagerCallback = Arc<Mutex<dyn FnMut(ManagerEvent) + Send>>;
/// Gives the credentials of a namespace, at each connection.
pub(crate) type AuthFunction = Arc<dyn Fn() -> Result<Payload> + Send + Sync>;

/// One call that waits for the dispatch thread.
pub(super) enum Call {
    Event(EventCallback, Event),
    Status(StatusCallback, Status),
    Manager(ManagerCallback, ManagerEvent),
    Ack(AckCallback, Result<AckReply>),
}

/// The queue of calls. The thread starts with the first callback and ends with the queue.
pub(super) struct Dispatcher {
    stack_size: usize,
    queue: Option<(Sender<Call>, Receiver<Call>)>,
}

impl Dispatcher {
    pub(super) fn new(stack_size: usize) -> Self {
        Self { stack_size, queue: None }
    }

    /// Makes sure that the thread runs.
    pub(super) fn start(&mut self) -> Result<()> {
        if self.queue.is_some() {
            return Ok(());
        }
        let (sender, receiver): (_, Receiver<Call>) = unbounded();
        let calls = receiver.clone();
        spawn("siot-call", self.stack_size, move || {
            for call in calls {
                call.run();
            }
        })?;
        self.queue = Some((sender, receiver));
        Ok(())
    }

    pub(super) fn call(&self, call: Call) {
        if let Some((queue, _)) = &self.queue {
            // The receiver lives as long as the sender: here.
            let _ = queue.send(call);
        }
    }
}

impl Call {
    fn run(self) {
        let call = AssertUnwindSafe(|| match self {
            // The event's place in the receive buffer is free as soon as its callback runs.
            Self::Event(callback, event) => lock(&callback)(event.received()),
            Self::Status(callback, status) => lock(&callback)(status),
            Self::Manager(callback, event) => lock(&callback)(event),
            Self::Ack(callback, result) => {
                let callback = lock(&callback).take();
                if let Some(callback) = callback {
                    callback(result);
                }
            }
        });
        if catch_unwind(call).is_err() {
            log_later!(Error, "a callback panicked; the connection goes on");
        }
    }
}

/// A callback that panicked is called again all the same.
fn lock<T: ?Sized>(callback: &Mutex<T>) -> MutexGuard<'_, T> {
    callback.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        let asking = spawn("siot-auth", self.stack_size, move || {
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

/// Starts a thread. That the system has none to give is an error like any other.
pub(super) fn spawn(
    name: &str,
    stack_size: usize,
    body: impl FnOnce() + Send + 'static,
) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack_size)
        .spawn(body)
        .map(drop)
        .map_err(|error| {
            Error::new(ErrorKind::Resource, format!("cannot start the thread {name}"))
                .with_source(error)
        })
}
