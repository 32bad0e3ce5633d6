//! What the peer has dealt with: what is not to be read together with it waits for that.

use std::time::Duration;

use super::Client;
use super::timer::Timer;
use crate::core::engine::Engine;
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;

/// How long the peer may take to say that it has dealt with what was written. Some do not know how
/// to say it.
const CONFIRM_LIMIT: Duration = Duration::from_secs(5);

impl<A> Client<A> {
    /// The writer of a link is about to ask. Meanwhile the limit of a session that is being closed rests.
    pub(super) fn await_confirmation(&mut self, link: LinkId, now: Timestamp) {
        self.timers.set(Timer::Confirm(link), Some(now + CONFIRM_LIMIT));
        if self.is_retiring(link) {
            self.timers.set(Timer::Linger(link), None);
        }
    }

    /// The peer of a link has dealt with what was written before the writer has asked.
    pub(crate) fn confirmed(&mut self, link: LinkId, now: Timestamp) {
        self.end_confirming(link, now);
        self.with_engine(link, now, |engine| engine.confirmed(link));
    }

    /// The peer of a link is not waited for any longer.
    pub(super) fn stop_confirming(&mut self, link: LinkId, now: Timestamp) {
        self.end_confirming(link, now);
        self.with_engine(link, now, |engine| engine.stop_confirming(link));
    }

    fn end_confirming(&mut self, link: LinkId, now: Timestamp) {
        self.timers.set(Timer::Confirm(link), None);
        if self.is_retiring(link) {
            self.linger(link, now);
        }
    }

    /// No peer of a session that is being closed is waited for any longer. What waits for one is not
    /// written.
    pub(crate) fn confirm_none(&mut self, now: Timestamp) {
        let asked = self.retiring.iter();
        let asked = asked.filter(|engine| engine.is_confirming());
        for link in asked.map(Engine::main_link).collect::<Vec<_>>() {
            self.timers.set(Timer::Confirm(link), None);
            self.linger(link, now);
            self.with_engine(link, now, Engine::unconfirmed);
        }
    }
}
