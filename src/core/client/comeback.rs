//! How a namespace fares with a server that turns it away, and when it may come back.

use std::time::Duration;

use super::backoff::Backoff;
use crate::core::time::Timestamp;
use crate::options::{ManagerOptions, Rejection, Rejections};

/// How a namespace has fared with the server since a membership has lasted.
#[derive(Debug, Default)]
pub(super) struct Comeback {
    /// After what it comes back by itself.
    after: Rejections,
    backoff: Backoff,
    /// It was turned away, or could not be joined.
    failed: bool,
    /// The program has called `connect()` since.
    used: bool,
    /// How often in a row it has come back by itself.
    attempts: u32,
    joined: Option<Timestamp>,
    /// When it may be joined because the program wants it. The first time is at once.
    not_before: Option<Timestamp>,
}

impl Comeback {
    pub(super) fn set_after(&mut self, after: Rejections) {
        self.after = after;
    }

    /// Whether it comes back by itself after this.
    pub(super) fn follows(&self, rejection: Rejection) -> bool {
        self.after.contains(rejection)
    }

    /// The program has called `connect()`, and it is tried.
    pub(super) fn asked_for(&mut self) {
        self.used |= self.failed;
    }

    /// When it may be joined, unless it may be at once.
    pub(super) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.not_before.filter(|at| *at > now)
    }

    pub(super) fn joined(&mut self, now: Timestamp) {
        self.joined = Some(now);
    }

    /// The membership has ended, if there was one.
    pub(super) fn ended(&mut self, options: &ManagerOptions, now: Timestamp) {
        let joined = self.joined.take();
        if joined.is_some_and(|joined| joined + options.stable_time() <= now) {
            *self = Self { after: self.after, ..Self::default() };
        }
    }

    /// How long to wait after a failure before the namespace comes back by itself.
    pub(super) fn next(
        &mut self,
        comes_back: bool,
        options: &ManagerOptions,
        random: f64,
        now: Timestamp,
    ) -> Option<Duration> {
        self.failed = true;
        let most = options.reconnection_attempts;
        let comes_back =
            comes_back && options.reconnection && most.is_none_or(|most| self.attempts < most);
        self.attempts = if comes_back { self.attempts.saturating_add(1) } else { 0 };
        let delay = (comes_back || self.used).then(|| self.backoff.next(options, random));
        self.not_before = delay.filter(|_| self.used).map(|delay| now + delay);
        delay.filter(|_| comes_back)
    }
}
