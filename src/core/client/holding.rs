//! Consumers are behind, and the reader would rather hold still: whether it has to read on, because
//! something is awaited that can only come behind the events.

use super::Client;
use super::namespace::Phase;
use super::timer::Timer;
use crate::core::engine::{Engine, SessionState};
use crate::core::time::Timestamp;
use crate::error::Error;

impl<A> Client<A> {
    /// Whether events can come: without a joined namespace there are none.
    pub(crate) fn has_joined(&self) -> bool {
        self.namespaces.iter().any(|namespace| namespace.phase == Phase::Joined)
    }

    /// Whether something is awaited that comes behind the events: a handshake, an answer to CONNECT, an
    /// acknowledgement, a heartbeat that is due, a confirmation, room to send, the end of an upgrade, or the end of the
    /// session.
    pub(crate) fn awaits(&self, now: Timestamp) -> bool {
        let Some(engine) = &self.engine else { return true };
        engine.state() != SessionState::Open
            || engine.is_upgrading()
            || engine.is_confirming()
            || engine.is_held()
            || engine.heartbeat_due().is_some_and(|due| due <= now)
            || self.waiting_senders > 0
            || self.namespaces.iter().any(|namespace| {
                matches!(namespace.phase, Phase::Joining | Phase::Leaving { .. })
                    || namespace.awaits_answer()
            })
    }

    /// The reader holds still from now on, and would read what is awaited. When the heartbeat becomes
    /// due, [`Client::awaits`] changes without anything happening: that is a deadline.
    pub(crate) fn hold(&mut self, now: Timestamp) {
        let due = self.engine.as_ref().and_then(Engine::heartbeat_due).filter(|due| *due > now);
        self.timers.set(Timer::HeartbeatDue, due);
        self.stalled = None;
    }

    /// The reader goes on.
    pub(crate) fn go_on(&mut self) {
        self.timers.set(Timer::HeartbeatDue, None);
        self.stalled = None;
    }

    /// The reader holds still although something is awaited, for this reason: acknowledgements are
    /// given up at once, and whatever else fails meanwhile fails for it.
    pub(crate) fn stall(&mut self, why: &Error) {
        for id in self.ids() {
            self.fail_waiters(id, why);
        }
        self.stalled = Some(why.clone());
    }

    /// Why nothing that is awaited can come.
    pub(crate) fn stalled(&self) -> Option<&Error> {
        self.stalled.as_ref()
    }
}
