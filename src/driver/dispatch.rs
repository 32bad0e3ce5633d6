//! The thread that runs the user's callbacks.
//!
//! Each callback is a consumer with bounds of its own; the calls of all of them are one queue, in the
//! order of what has happened. What a callback has captured is dropped on this thread, or on the
//! user's that removes it, and never on a thread that a connection depends on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::driver::ack_slot::AckCallback;
use crate::error::Result;
use crate::event::status::{ManagerEvent, Status};
use crate::event::{AckReply, Event};
use crate::sync::account::{Account, AccountId, Bounds};
use crate::sync::deliver::Deliver;
use crate::sync::gate::Gate;
use crate::sync::lock::lock_callback;
use crate::sync::logging::log_later;
use crate::sync::mailbox::{Brought, Mailbox};
use crate::sync::speaker::SpeakerId;
use crate::sync::threads::{Role, spawn, survive};

/// A user's function.
pub(crate) enum Function<T> {
    /// It may be called any number of times.
    Repeated(Box<dyn FnMut(T) + Send>),
    /// It may be called once; `None` when it was.
    Once(Option<Box<dyn FnOnce(T) + Send>>),
}

/// A user's function, as its listener and the calls that wait share it.
pub(crate) struct Callback<T> {
    function: Mutex<Function<T>>,
    /// No call begins any more.
    is_withdrawn: AtomicBool,
}

/// One call that waits for the dispatch thread.
pub(crate) enum Call {
    /// With what is to be done after the call.
    Event(Arc<Callback<Event>>, Event, Option<Box<dyn FnOnce() + Send>>),
    Status(Arc<Callback<Status>>, Status),
    Manager(Arc<Callback<ManagerEvent>>, ManagerEvent),
    Ack(AckCallback, Result<AckReply>),
    /// What is to be done when all calls before it have been made.
    Then(Box<dyn FnOnce() + Send>),
}

impl Deliver for Call {
    fn size(&self) -> usize {
        match self {
            Self::Event(_, event, _) => event.size(),
            Self::Ack(_, Ok(reply)) => reply.size(),
            Self::Status(..) | Self::Manager(..) | Self::Ack(_, Err(_)) | Self::Then(_) => 0,
        }
    }
}

/// The queue of calls. The thread starts with the first callback and ends behind the queue.
pub(super) struct Dispatcher {
    stack_size: usize,
    mailbox: Arc<Mailbox<Call>>,
    /// The consumer that answers to acknowledgements are for.
    acks: AccountId,
    is_running: bool,
    speaker: SpeakerId,
}

impl Dispatcher {
    /// A queue whose calls for acknowledgements have these bounds.
    pub(super) fn new(
        stack_size: usize,
        acks: Bounds,
        gate: &Arc<Gate>,
        speaker: SpeakerId,
    ) -> Self {
        let mailbox = Mailbox::new(gate);
        let acks = mailbox.open_account(acks, gate);
        Self { stack_size, mailbox, acks, is_running: false, speaker }
    }

    /// Makes sure that the thread runs.
    pub(super) fn start(&mut self) -> Result<()> {
        if self.is_running {
            return Ok(());
        }
        let calls = Arc::clone(&self.mailbox);
        let speaker = self.speaker;
        spawn(Role::Callbacks, Some(self.stack_size), move || {
            let _speaking = speaker.speak();
            while let Ok(call) = calls.take(None) {
                call.run();
            }
        })?;
        self.is_running = true;
        Ok(())
    }

    /// Adds a callback, whose share of what all may have is counted at this gate.
    pub(super) fn open_account(&self, bounds: Bounds, gate: &Arc<Gate>) -> AccountId {
        self.mailbox.open_account(bounds, gate)
    }

    /// Brings the account of a callback up to date; `true`: the reader should hold still for it.
    pub(super) fn recheck(&self, account: AccountId) -> bool {
        self.mailbox.recheck(account)
    }

    /// Whether the thread, when it has nothing to do, is a reason to read on: there are callbacks for
    /// received events.
    pub(super) fn set_may_hunger(&self, may_hunger: bool) {
        self.mailbox.set_may_hunger(may_hunger);
    }

    /// Removes a callback; gives the calls that waited, to be dropped by the caller.
    pub(super) fn close_account(&self, account: AccountId) -> VecDeque<Call> {
        self.mailbox.close_account(account)
    }

    /// Removes a callback behind the calls that wait.
    pub(super) fn retire_account(&self, account: AccountId) {
        self.mailbox.retire_account(account);
    }

    /// Withdraws the calls of a callback that wait; to be dropped by the caller.
    pub(super) fn clear(&self, account: AccountId) -> VecDeque<Call> {
        self.mailbox.clear(account)
    }

    pub(super) fn call(&self, account: AccountId, call: Call) -> Brought<Call> {
        self.mailbox.bring(account, call)
    }

    /// Makes several calls of a callback, one after the other.
    pub(super) fn call_all(
        &self,
        account: AccountId,
        calls: &mut dyn Iterator<Item = Call>,
    ) -> Brought<Call> {
        self.mailbox.bring_all(account, calls)
    }

    /// Calls with an answer, or with the error that stands for it.
    pub(super) fn answer(&self, callback: AckCallback, result: Result<AckReply>) -> Brought<Call> {
        self.call(self.acks, Call::Ack(callback, result))
    }

    /// Does something behind the calls that wait.
    pub(super) fn then(&self, what: Box<dyn FnOnce() + Send>) -> Brought<Call> {
        self.call(self.acks, Call::Then(what))
    }

    /// The consumer that answers are for.
    pub(super) fn acks(&self) -> AccountId {
        self.acks
    }

    pub(super) fn look<R>(
        &self,
        account: AccountId,
        look: impl FnOnce(&Account) -> R,
    ) -> Option<R> {
        self.mailbox.look(account, look)
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

impl Call {
    /// A call with a received event, after which nothing is to be done.
    pub(super) fn event(callback: &Arc<Callback<Event>>, event: Event) -> Self {
        Self::Event(Arc::clone(callback), event, None)
    }

    fn run(self) {
        // The end of what was captured is the user's code too.
        let done = match self {
            Self::Event(callback, event, after) => {
                let done = survive(|| callback.call(event)).and(survive(|| drop(callback)));
                if let Some(after) = after {
                    after();
                }
                done
            }
            Self::Status(callback, status) => survive(move || callback.call(status)),
            Self::Manager(callback, event) => survive(move || callback.call(event)),
            Self::Then(what) => survive(what),
            Self::Ack(callback, result) => survive(move || {
                let callback = lock_callback(&callback).take();
                if let Some(callback) = callback {
                    callback(result);
                }
            }),
        };
        if done.is_none() {
            log_later!(Error, "a callback panicked; the connection goes on");
        }
    }
}

impl<T> Callback<T> {
    pub(super) fn new(function: Function<T>) -> Arc<Self> {
        Arc::new(Self { function: Mutex::new(function), is_withdrawn: AtomicBool::new(false) })
    }

    /// No call begins any more.
    pub(super) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::SeqCst);
    }

    pub(super) fn call(&self, argument: T) {
        let mut function = lock_callback(&self.function);
        // The call was taken from the queue, and may have been withdrawn since.
        if self.is_withdrawn.load(Ordering::SeqCst) {
            return;
        }
        let once = match &mut *function {
            Function::Repeated(function) => {
                function(argument);
                return;
            }
            Function::Once(function) => function.take(),
        };
        drop(function);
        if let Some(function) = once {
            function(argument);
        }
    }
}

#[cfg(test)]
mod tests;
