//! Where the answer to one event arrives.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::error::Result;
use crate::event::AckReply;
use crate::sync::lock::lock;

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
    answer: Mutex<Answer>,
    resolved: Condvar,
}

#[derive(Debug, Default)]
enum Answer {
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
        let mut answer = lock(&self.answer);
        match &*answer {
            Answer::Pending => {
                *answer = Answer::Resolved(result);
                // Who wakes up finds the lock free.
                drop(answer);
                self.resolved.notify_all();
            }
            Answer::Forward(channel) => {
                // Nobody listens any more: nobody misses it.
                let _ = channel.try_send(result);
                *answer = Answer::Taken;
            }
            Answer::Resolved(_) | Answer::Taken => {}
        }
    }

    /// Blocks until the answer is here, or the limit passes: then `None`.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Option<Result<AckReply>> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut answer = lock(&self.answer);
        loop {
            if let Answer::Resolved(_) = &*answer {
                if let Answer::Resolved(result) = std::mem::replace(&mut *answer, Answer::Taken) {
                    return Some(result);
                }
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            answer = answer.wait(&self.resolved, left);
        }
    }

    /// Sends the answer to a channel, now or when it comes.
    pub(crate) fn forward(&self, channel: Sender<Result<AckReply>>) {
        let mut answer = lock(&self.answer);
        *answer = match std::mem::replace(&mut *answer, Answer::Taken) {
            Answer::Resolved(result) => {
                let _ = channel.try_send(result);
                Answer::Taken
            }
            _ => Answer::Forward(channel),
        };
    }
}
