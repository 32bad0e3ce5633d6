//! Room for what is to be sent: where an event goes, and what becomes of it where there is none.
//!
//! Two accounts have the same limits: what the open session still has to write, and what all
//! namespaces keep, in their buffers and in their queues of retries.

use super::emit::SendQueue;
use super::namespace::{Namespace, Phase};
use super::{Client, Emit, Fate};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::waiting::Waiting;
use crate::error::{Error, ErrorKind};
use crate::event::drop_reason::DropReason;
use crate::options::WhenFull;

impl<A> Client<A> {
    /// What becomes of an event, if it is emitted now.
    pub(crate) fn fate(&self, id: NamespaceId, emit: &Emit<A>) -> Fate {
        if emit.volatile && !(self.is_joined(id) && self.is_writable()) {
            return Fate::Dropped;
        }
        let (queue, size) = (self.queue_for(id, emit), emit.payload.size());
        let replaced = self.replaced_by(id, emit).map(Waiting::load).unwrap_or_default();
        let policy = self.options.limits.when_send_full;
        if policy == WhenFull::DropOldest || !self.is_full(id, queue, size, replaced) {
            return Fate::Queued(queue);
        }
        // Then something of its own is under way that will make room, whatever the callers do: the session
        // writes, or an acknowledgement is awaited.
        let waits = policy == WhenFull::Wait && self.is_joined(id);
        if waits { Fate::Wait } else { Fate::Refused }
    }

    /// What becomes of an answer of this size to an event of this membership, if it is given now.
    pub(crate) fn fate_of_reply(&self, id: NamespaceId, membership: u32, size: usize) -> Fate {
        if !self.is_awaited(id, membership) {
            return Fate::Refused;
        }
        let policy = self.options.limits.when_send_full;
        let is_full = self.is_full(id, SendQueue::Ready, size, Load::default());
        match policy {
            WhenFull::Wait if is_full => Fate::Wait,
            WhenFull::DropNewest if is_full => Fate::Refused,
            WhenFull::DropOldest if is_full && self.ready.oldest().is_none() => Fate::Refused,
            _ => Fate::Queued(SendQueue::Ready),
        }
    }

    /// A caller begins to wait for room. A server may read on only once what it has written is read:
    /// until [`Client::end_wait_for_room`] the wait is for what comes behind events.
    pub(crate) fn begin_wait_for_room(&mut self) {
        self.waiting_senders += 1;
    }

    /// A caller waits for room no more.
    pub(crate) fn end_wait_for_room(&mut self) {
        self.waiting_senders -= 1;
    }

    /// Whether the server waits for answers to the events of this membership.
    fn is_awaited(&self, id: NamespaceId, membership: u32) -> bool {
        self.is_joined(id) && self.namespace(id).membership == membership
    }

    /// Why an answer is refused.
    pub(super) fn no_room_for_reply(&self, id: NamespaceId, membership: u32) -> Error {
        if self.is_awaited(id, membership) {
            return self.no_room(SendQueue::Ready);
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
    pub(super) fn make_room(&mut self, id: NamespaceId, queue: SendQueue, size: usize) {
        while self.is_full(id, queue, size, Load::default()) && self.drop_oldest(queue) {}
    }

    /// Drops the oldest event on the account of this queue, whichever namespace it is of; one whose try
    /// is under way comes after the others. `false`: there is none.
    fn drop_oldest(&mut self, queue: SendQueue) -> bool {
        let error = Error::new(ErrorKind::BufferFull, "gave way to a newer event");
        if queue == SendQueue::Ready {
            let oldest = self.ready.take_oldest();
            if let Some(waiting) = &oldest {
                self.give_up_waiting(waiting, Some(DropReason::GaveWay), &error);
            }
            return oldest.is_some();
        }
        let ages = self.ids().into_iter().filter_map(|id| Some((self.namespace(id).oldest()?, id)));
        let Some((age, id)) = ages.min() else { return false };
        if age.is_retried {
            self.drop_oldest_retry(id, &error);
        } else {
            let oldest = self.namespace_mut(id).and_then(|it| it.send_buffer.take_oldest());
            if let Some(waiting) = &oldest {
                self.give_up_waiting(waiting, Some(DropReason::GaveWay), &error);
            }
        }
        true
    }

    /// Where an event waits until it is written.
    pub(super) fn queue_for(&self, id: NamespaceId, emit: &Emit<A>) -> SendQueue {
        if emit.reliable || (self.namespace(id).retry.takes_all() && !emit.volatile) {
            SendQueue::Retry
        } else if self.is_joined(id) {
            SendQueue::Ready
        } else {
            SendQueue::Buffer
        }
    }

    /// Whether there is no room for an event of this size. A namespace that keeps nothing has room for
    /// one, whatever others keep: they can neither stop it nor make it wait.
    fn is_full(&self, id: NamespaceId, queue: SendQueue, size: usize, replaced: Load) -> bool {
        let limits = &self.options.limits;
        let load = self.load(queue) - replaced;
        let own = if queue == SendQueue::Ready { load } else { self.namespace(id).buffered() };
        own != Load::default()
            && (load.packets >= limits.send_events
                || load.bytes.saturating_add(size) > limits.send_bytes)
    }

    /// How much waits on the account of this queue.
    fn load(&self, queue: SendQueue) -> Load {
        match queue {
            // What a writer has taken cannot give way.
            SendQueue::Ready if self.options.limits.when_send_full == WhenFull::DropOldest => {
                self.ready.load()
            }
            SendQueue::Ready => self.session_load(),
            SendQueue::Buffer | SendQueue::Retry => self
                .namespaces
                .iter()
                .map(Namespace::buffered)
                .fold(Load::default(), |sum, load| sum + load),
        }
    }

    /// All that waits to be sent, also by sessions on their way out.
    pub(crate) fn send_load(&self) -> Load {
        let handed = self.sessions().map(Engine::load);
        handed.fold(self.ready.load() + self.load(SendQueue::Buffer), |sum, load| sum + load)
    }

    /// What the session has still to write, and what it is writing.
    pub(crate) fn session_load(&self) -> Load {
        self.ready.load() + self.engine.as_ref().map(Engine::load).unwrap_or_default()
    }

    pub(super) fn is_joined(&self, id: NamespaceId) -> bool {
        self.namespace(id).phase == Phase::Joined
    }

    fn is_writable(&self) -> bool {
        let engine = self.engine.as_ref().filter(|engine| engine.is_writable());
        // What accumulates could go out.
        engine.is_some_and(|engine| self.ready.is_empty() || engine.is_accumulating())
    }
}
