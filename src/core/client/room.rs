//! Room for what is to be sent: where an event goes, and what becomes of it where there is none.
//!
//! Two accounts have the same limits: what the open session still has to write, and what all
//! namespaces keep, in their buffers and in their queues of retries.

use super::emit::SendQueue;
use super::namespace::{Namespace, Phase};
use super::{Client, Fate};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::error::{Error, ErrorKind};
use crate::options::WhenFull;

impl<A> Client<A> {
    /// What becomes of an event of this size, if it is emitted now.
    pub(crate) fn fate(&self, id: NamespaceId, size: usize, volatile: bool) -> Fate {
        if volatile && !(self.is_joined(id) && self.is_writable()) {
            return Fate::Dropped;
        }
        let queue = self.queue_for(id, volatile);
        let policy = self.options.limits.when_send_full;
        if policy == WhenFull::DropOldest || !self.is_full(queue, size) {
            return Fate::Queued(queue);
        }
        let waits = policy == WhenFull::Wait && self.is_joined(id) && self.makes_room(queue);
        if waits { Fate::Wait } else { Fate::Refused }
    }

    /// What becomes of an answer of this size to an event of this session, if it is given now.
    pub(crate) fn fate_of_reply(&self, id: NamespaceId, session: u32, size: usize) -> Fate {
        let waits = self.options.limits.when_send_full == WhenFull::Wait;
        if self.is_awaited(id, session) && !self.is_full(SendQueue::Session, size) {
            Fate::Queued(SendQueue::Session)
        } else if self.is_awaited(id, session) && waits {
            Fate::Wait
        } else {
            Fate::Refused
        }
    }

    /// Whether the server waits for answers to the events of this session.
    fn is_awaited(&self, id: NamespaceId, session: u32) -> bool {
        self.is_joined(id) && self.namespace(id).session == session
    }

    /// Why an answer is refused.
    pub(super) fn no_room_for_reply(&self, id: NamespaceId, session: u32) -> Error {
        if self.is_awaited(id, session) {
            return self.no_room(SendQueue::Session);
        }
        Error::new(
            ErrorKind::Disconnected,
            "the connection that asked for this acknowledgement has ended",
        )
    }

    /// Why an event is refused.
    pub(super) fn no_room(&self, queue: SendQueue) -> Error {
        let load = self.load(queue);
        Error::new(
            ErrorKind::BufferFull,
            format!("{} events of {} bytes wait to be sent", load.packets, load.bytes),
        )
    }

    /// Drops the oldest events until one of this size fits in. Only [`WhenFull::DropOldest`] lets an
    /// event into a full queue.
    pub(super) fn make_room(&mut self, queue: SendQueue, size: usize) {
        while self.is_full(queue, size) && self.drop_oldest() {}
    }

    /// Drops the oldest event that is kept, whichever namespace it is of; one whose try is under way
    /// comes after the others. `false`: nothing is kept.
    fn drop_oldest(&mut self) -> bool {
        let error = Error::new(ErrorKind::BufferFull, "gave way to a newer event");
        let ages = self.ids().into_iter().filter_map(|id| Some((self.namespace(id).oldest()?, id)));
        let Some((age, id)) = ages.min() else { return false };
        if age.is_retried {
            self.drop_oldest_retry(id, &error);
        } else if let Some(event) = self.unbuffer(id) {
            self.give_up(id, event.ack, &error);
        }
        true
    }

    /// Where an event waits until it is written.
    pub(super) fn queue_for(&self, id: NamespaceId, volatile: bool) -> SendQueue {
        // What is in the session's queue cannot be taken back. So where the oldest is to give way
        // that holds no more than what is being written.
        let keeps_back = self.options.limits.when_send_full == WhenFull::DropOldest
            && self.load(SendQueue::Session) != Load::default();
        if self.namespace(id).retry.is_some() && !volatile {
            SendQueue::Retry
        } else if self.is_joined(id) && !keeps_back {
            SendQueue::Session
        } else {
            SendQueue::Buffer
        }
    }

    /// Whether something is under way that will make room, whatever the callers do: the session
    /// writes, or an acknowledgement is awaited.
    fn makes_room(&self, queue: SendQueue) -> bool {
        match queue {
            SendQueue::Session => true,
            SendQueue::Buffer | SendQueue::Retry => {
                self.namespaces.iter().any(Namespace::has_try_under_way)
            }
        }
    }

    fn is_full(&self, queue: SendQueue, size: usize) -> bool {
        let limits = &self.options.limits;
        let load = self.load(queue);
        load != Load::default()
            && (load.packets >= limits.send_events
                || load.bytes.saturating_add(size) > limits.send_bytes)
    }

    /// How much waits on the account of this queue.
    fn load(&self, queue: SendQueue) -> Load {
        match queue {
            SendQueue::Session => self.engine.as_ref().map(Engine::load).unwrap_or_default(),
            SendQueue::Buffer | SendQueue::Retry => self
                .namespaces
                .iter()
                .map(Namespace::buffered)
                .fold(Load::default(), |sum, load| sum + load),
        }
    }

    pub(super) fn is_joined(&self, id: NamespaceId) -> bool {
        self.namespace(id).phase == Phase::Joined
    }

    fn is_writable(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::is_writable)
    }
}
