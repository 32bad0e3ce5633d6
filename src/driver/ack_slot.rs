//! Where the answer to one event arrives.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::event::AckReply;
use crate::net::Lookout;
use crate::sync::lock::lock;
use crate::sync::readiness::Readiness;
use crate::sync::ready_slot::ReadySlot;

/// How the threads that wait for the answers of a connection, or of a server, do so.
pub(crate) trait AwaitAnswer: Send + Sync {
    /// Blocks until the answer is here, or the deadline has passed: then `None`. It can be asked again.
    fn await_answer(&self, slot: &AckSlot, deadline: Option<Instant>) -> Option<Result<AckReply>>;
}

/// Who gets the answer to an event.
pub(crate) enum AckHandle {
    /// One who waits for it.
    Slot(Arc<AckSlot>),
    /// A callback.
    Callback(AckCallback),
}

/// A callback for the answer to an event. While the emit lasts, its caller keeps a second reference:
/// where the emit is refused under the driver's lock, the callback is then dropped by the caller,
/// without that lock, since dropping what it captured runs a user's code.
pub(crate) type AckCallback = Arc<Mutex<Option<Box<dyn FnOnce(Result<AckReply>) + Send>>>>;

/// Passes an answer on.
type Forward = Box<dyn FnOnce(Result<AckReply>) + Send>;

/// The answer to one event, from where it arrives to the one who waits for it.
#[derive(Default)]
pub(crate) struct AckSlot {
    answer: Mutex<Answer>,
    resolved: Condvar,
    ready: ReadySlot,
}

#[derive(Default)]
enum Answer {
    /// It has not come, and nobody waits for it.
    #[default]
    Pending,
    /// Somebody waits for it.
    Awaited,
    /// Somebody waits for it at a lookout.
    LookedOutFor(Arc<Lookout>),
    /// The answer is passed on when it comes. A channel would be part of every program.
    Forward(Forward),
    /// The answer is here, and stays.
    Resolved(Result<AckReply>),
    /// The answer was passed on.
    PassedOn,
}

impl AckSlot {
    /// Brings the answer. The first one counts.
    pub(crate) fn resolve(&self, result: Result<AckReply>) {
        self.hand_over(result);
        // Only now: who asks for a descriptor makes it first, and looks for the answer then.
        self.ready.end();
    }

    fn hand_over(&self, result: Result<AckReply>) {
        let mut answer = lock(&self.answer);
        match std::mem::replace(&mut *answer, Answer::PassedOn) {
            Answer::Pending => *answer = Answer::Resolved(result),
            Answer::Awaited => {
                *answer = Answer::Resolved(result);
                // Released first, so that the one who wakes up does not wait for the lock.
                drop(answer);
                self.resolved.notify_all();
            }
            Answer::LookedOutFor(lookout) => {
                *answer = Answer::Resolved(result);
                drop(answer);
                lookout.ring();
            }
            Answer::Forward(forward) => forward(result),
            first @ (Answer::Resolved(_) | Answer::PassedOn) => *answer = first,
        }
    }

    /// Blocks until the answer is here, or the deadline has passed: then `None`. It can be asked again.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Result<AckReply>> {
        let mut answer = lock(&self.answer);
        loop {
            if let Answer::Resolved(result) = &*answer {
                return Some(result.clone());
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            if let Answer::Pending = &*answer {
                *answer = Answer::Awaited;
            }
            answer = answer.wait(&self.resolved, left);
        }
    }

    /// Who waits for the answer does so at a lookout from here on. `false`: it is here.
    pub(crate) fn begin_lookout(&self, lookout: &Arc<Lookout>) -> bool {
        let mut answer = lock(&self.answer);
        let is_pending = matches!(*answer, Answer::Pending | Answer::Awaited);
        if is_pending {
            *answer = Answer::LookedOutFor(Arc::clone(lookout));
        }
        is_pending
    }

    /// And no longer.
    pub(crate) fn end_lookout(&self) {
        let mut answer = lock(&self.answer);
        if let Answer::LookedOutFor(_) = &*answer {
            *answer = Answer::Pending;
        }
    }

    /// The answer, if it is here.
    pub(crate) fn answer(&self) -> Option<Result<AckReply>> {
        match &*lock(&self.answer) {
            Answer::Resolved(result) => Some(result.clone()),
            _ => None,
        }
    }

    /// A descriptor that is readable from when the answer is here.
    pub(crate) fn readiness(&self) -> Result<Arc<Readiness>> {
        let readiness = self.ready.get_or_make()?;
        if self.is_here() {
            readiness.end();
        }
        Ok(readiness)
    }

    /// Whether the answer is here.
    pub(crate) fn is_here(&self) -> bool {
        matches!(*lock(&self.answer), Answer::Resolved(_))
    }

    /// Passes the answer on, now or when it comes. It must be quick.
    pub(crate) fn forward(&self, forward: Forward) {
        let mut answer = lock(&self.answer);
        match std::mem::replace(&mut *answer, Answer::PassedOn) {
            Answer::Resolved(result) => forward(result),
            _ => *answer = Answer::Forward(forward),
        }
    }
}

#[cfg(test)]
mod tests;
