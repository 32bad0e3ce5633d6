//! The thread that runs the user's callbacks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::driver::ack_slot::AckCallback;
use crate::error::Result;
use crate::event::status::{ManagerEvent, Status};
use crate::event::{AckReply, Event};
use crate::payload::Payload;
use crate::sync::lock::{lock, lock_callback, log_later};
use crate::sync::threads::{Role, spawn};

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
        spawn(Role::Callbacks, Some(self.stack_size), move || {
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
            Self::Event(callback, event) => lock_callback(&callback)(event.received()),
            Self::Status(callback, status) => lock_callback(&callback)(status),
            Self::Manager(callback, event) => lock_callback(&callback)(event),
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
