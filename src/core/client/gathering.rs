//! In a burst of events the writer lets some of them gather before it writes.
//!
//! To write a few of them by themselves costs many times what they do: a system call, and a lock for which
//! the writer and the caller wait in turn. Only what nobody waits for gathers, and only while it takes up
//! little of the room there is.

use super::Client;
use super::ready::BATCH;
use crate::core::engine::Engine;
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;
use crate::core::waiting::{Sendable, Waiting};
use crate::options::WhenFull;

impl<A> Client<A> {
    /// The writer of a link, which has just written, would rather let more gather than ask for work at once.
    /// `true`: it may do so for a moment, and has to ask then. It is woken before, if something else comes up.
    pub(crate) fn gather(&mut self, link: LinkId, now: Timestamp) -> bool {
        let may_gather = self.has_room_to_gather()
            && self.ready.iter().all(Waiting::may_gather)
            && !self.awaits(now);
        self.engine.as_mut().is_some_and(|engine| may_gather && engine.gather(link))
    }

    /// Whether the writer lets events gather, and there is room for more.
    pub(super) fn is_gathering(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::is_gathering) && self.has_room_to_gather()
    }

    /// Nobody is made to wait by it, and nothing dropped.
    fn has_room_to_gather(&self) -> bool {
        let (limits, load) = (&self.options.limits, self.ready.load());
        limits.when_send_full == WhenFull::Wait
            && load.packets < limits.send_events / 2
            && load.bytes < (limits.send_bytes / 2).min(BATCH.bytes / 2)
    }
}

impl Waiting {
    /// Whether nobody minds if it goes out a moment later.
    pub(super) fn may_gather(&self) -> bool {
        let is_plain = matches!(self.content, Sendable::Event(_, None));
        is_plain && !self.urgent && self.expiry.is_none()
    }
}
