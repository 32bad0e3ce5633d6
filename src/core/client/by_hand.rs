//! Attempts to open the connection that the program makes by itself. One that makes them over and
//! over, whenever one has failed, is not to do so at full speed.

use super::backoff::delay_by_hand;
use super::timer::Timer;
use super::{Client, Cycle};
use crate::core::time::Timestamp;
use crate::sync::logging::log_later;

/// How soon the program may make an attempt: the first after a failure at once, the others with a
/// pause after each failure, until a session has lasted.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    /// An attempt has failed, or a session has ended by itself.
    failed: bool,
    /// The program has made an attempt since.
    used: bool,
    not_before: Option<Timestamp>,
}

impl ByHand {
    /// A session has lasted.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the next attempt; gives how long it has to wait.
    fn take(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.used |= self.failed;
        self.not_before.filter(|at| *at > now)
    }
}

impl<A> Client<A> {
    /// Opens the connection, unless it is open or on its way, or was closed for good. A wait for the
    /// next attempt ends.
    pub(crate) fn open(&mut self, now: Timestamp) {
        if let Err(error) = self.check_not_over() {
            log_later!(Warn, "open() does nothing: {}", error.message());
            return;
        }
        if matches!(self.cycle, Cycle::Connecting | Cycle::Open) {
            return;
        }
        let at = if self.is_unused && self.options.spread_first_attempt {
            Some(now + self.backoff.next(&self.options, self.random.f64()))
        } else {
            self.by_hand.take(now)
        };
        self.is_unused = false;
        match (at, self.cycle) {
            (Some(at), cycle) => {
                let set = self.timers.at(Timer::Reconnect).filter(|_| cycle == Cycle::Waiting);
                self.cycle = Cycle::Waiting;
                self.timers.set(Timer::Reconnect, Some(set.map_or(at, |set| set.min(at))));
            }
            (None, Cycle::Idle) => self.dial_in_turn(now),
            (None, _) => {
                self.timers.set(Timer::Reconnect, None);
                self.dial(now);
            }
        }
    }

    /// Once a session has lasted, what failed before it counts no more, neither for attempts by hand nor for the others.
    /// It is looked at where a session ends, or fault is found with it: a timer for it would wake an idle device for nothing.
    pub(super) fn start_afresh_if_lasted(&mut self, now: Timestamp) {
        let stable_time = self.options.stable_time();
        let has_lasted = self.connected_for(now).is_some_and(|time| time >= stable_time);
        if has_lasted && std::mem::take(&mut self.is_young) {
            self.backoff.reset();
            self.by_hand.reset();
            self.contradictions = 0;
        }
    }

    /// Notes that an attempt has failed, or a session has ended by itself.
    pub(super) fn note_failure(&mut self, now: Timestamp) {
        let pause = self.by_hand.used.then(|| delay_by_hand(&self.options, self.random.f64()));
        self.by_hand.failed = true;
        self.by_hand.not_before = pause.map(|pause| now + pause);
    }
}
