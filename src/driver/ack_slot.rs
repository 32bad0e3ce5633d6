//! Where the answer to one event arrives.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::error::Result;
use crate::event::AckReply;

/// Who gets the answer to an event.
pub(crate) enum AckHandle {
    /// One who waits for it.
    Slot(Arc<AckSlot>),
    /// A callback.
    Callback(AckCallback),
}

/// Takes the answer to an event. The caller of the emit shares it for as long as that lasts: what
/// is refused there would otherwise be dropped, with all that it has captured, under a lock.
pub(crate) type AckCallback = Arc<Mutex<Option<Box<dyn FnOnce(Result<AckReply>) + Send>>>>;

/// The meeting place of an acknowledgement and the one who waits for it.
#[derive(Debug, Default)]
pub(crate) struct AckSlot {
    state: Mutex<State>,
    resolved: Condvar,
}

#[derive(Debug, Default)]
enum State {
    /// Nobody knows yet.
    #[default]
    Pending,
    /// The answer goes to a channel.
    Forward(Sender<Result<AckReply>>),
    /// The answer is here.
    Resolved(Result<AckReply>),
    /// The answer was taken.
    Taken,
}

impl AckSlot {
    /// Brings the answer. The first one counts.
    pub(crate) fn resolve(&self, result: Result<AckReply>) {
        let mut state = self.lock();
        match &*state {
            State::Pending => {
                *state = State::Resolved(result);
                // Who wakes up finds the lock free.
                drop(state);
                self.resolved.notify_all();
            }
            State::Forward(channel) => {
                // Nobody listens any more: nobody misses it.
                let _ = channel.try_send(result);
                *state = State::Taken;
            }
            State::Resolved(_) | State::Taken => {}
        }
    }

    /// Blocks until the answer is here, or the limit passes: then `None`.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Option<Result<AckReply>> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        loop {
            if let State::Resolved(_) = &*state {
                if let State::Resolved(result) = std::mem::replace(&mut *state, State::Taken) {
                    return Some(result);
                }
            }
            state = match deadline {
                None => self.resolved.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.resolved
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// Sends the answer to a channel, now or when it comes.
    pub(crate) fn forward(&self, channel: Sender<Result<AckReply>>) {
        let mut state = self.lock();
        *state = match std::mem::replace(&mut *state, State::Taken) {
            State::Resolved(result) => {
                let _ = channel.try_send(result);
                State::Taken
            }
            _ => State::Forward(channel),
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
