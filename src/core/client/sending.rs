//! Events and acknowledgements, out and in.

use super::acks::Waiter;
use super::namespace::{Buffered, Namespace, Phase};
use super::timer::Timer;
use super::{Client, Emit, Output, Refused};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::options::WhenFull;
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::lock::log_later;

/// Which way an event takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendQueue {
    /// Into the queue of the open session.
    Session,
    /// Into the namespace's buffer, until it is joined or the session has written.
    Buffer,
    /// Into the queue of what is sent again until it is acknowledged.
    Retry,
}

impl<A> Client<A> {
    /// Sends an event, or keeps it until the namespace is joined.
    pub(crate) fn emit(
        &mut self,
        id: NamespaceId,
        mut emit: Emit<A>,
        now: Timestamp,
    ) -> Result<(), Refused<Emit<A>>> {
        self.check_heartbeat(now);
        self.check(id, &emit).map_err(Refused::Error)?;
        if emit.volatile && !(self.is_joined(id) && self.is_writable()) {
            self.drop_volatile(emit);
            return Ok(());
        }
        let way = self.way(id, emit.volatile);
        let size = emit.payload.size();
        if self.is_full(way, size) {
            if self.waits_when_full(id) {
                return Err(Refused::Full(emit));
            }
            self.make_room(id, way, size).map_err(Refused::Error)?;
        }
        if way == SendQueue::Retry {
            let caller = emit.ack.take();
            self.queue_for_retry(id, emit.payload, caller, emit.timeout, now);
            self.pump(now);
            return Ok(());
        }
        let limit = emit.timeout;
        let ack = emit.ack.take().map(|ack| {
            let number = self.namespace_mut(id).acks.register(Waiter::Caller(ack));
            self.timers.set(Timer::Ack(id, number), limit.map(|limit| now + limit));
            number
        });
        if way == SendQueue::Buffer {
            self.namespace_mut(id).buffer(Buffered { payload: emit.payload, ack });
            return Ok(());
        }
        if let Err(error) = self.send_event(id, emit.payload, ack) {
            // The caller has the error instead.
            self.forget_ack(id, ack);
            return Err(Refused::Error(error));
        }
        self.pump(now);
        Ok(())
    }

    /// Answers an event that asked for an acknowledgement.
    pub(crate) fn reply(
        &mut self,
        id: NamespaceId,
        session: u32,
        ack: u64,
        payload: Payload,
        now: Timestamp,
    ) -> Result<(), Refused<Payload>> {
        self.check_heartbeat(now);
        if !self.is_joined(id) || self.namespace(id).session != session {
            return Err(Refused::Error(Error::new(
                ErrorKind::Disconnected,
                "the connection that asked for this acknowledgement has ended",
            )));
        }
        self.check_attachments(&payload).map_err(Refused::Error)?;
        if self.is_full(SendQueue::Session, payload.size()) {
            return Err(Refused::Full(payload));
        }
        let name = self.namespace(id).name.clone();
        let header = Header { kind: Kind::Ack, namespace: &name, id: Some(ack) };
        self.send(header, payload).map_err(Refused::Error)?;
        self.pump(now);
        Ok(())
    }

    /// Whether to call [`Client::emit`] again after it was refused for want of room.
    pub(crate) fn has_room_to_emit(&self, id: NamespaceId, size: usize) -> bool {
        !(self.waits_when_full(id) && self.is_full(self.way(id, false), size))
    }

    /// Whether to call [`Client::reply`] again after it was refused for want of room.
    pub(crate) fn has_room_to_reply(&self, size: usize) -> bool {
        !self.is_full(SendQueue::Session, size)
    }

    /// Drops what waits for the namespace to be joined; gives the number of events.
    pub(crate) fn clear_send_buffer(&mut self, id: NamespaceId) -> usize {
        let before = self.tally.dropped;
        let error = Error::new(ErrorKind::Disconnected, "the send buffer was cleared");
        while let Some(event) = self.namespace_mut(id).unbuffer() {
            self.give_up(id, event.ack, &error);
        }
        self.outputs.push_back(Output::Room);
        self.tally.dropped - before
    }

    /// Whether somebody wants to know of outgoing events.
    pub(crate) fn observe_outgoing(&mut self, id: NamespaceId, observed: bool) {
        self.namespace_mut(id).observed = observed;
    }

    /// Sends what waited for the namespace to be joined.
    pub(super) fn flush_send_buffer(&mut self, id: NamespaceId) {
        while let Some(Buffered { payload, ack }) = self.namespace_mut(id).unbuffer() {
            if let Err(error) = self.send_event(id, payload, ack) {
                log_later!(Warn, "a buffered event is dropped: {error}");
                self.give_up(id, ack, &error);
            }
        }
    }

    /// Sends what waited for the session to have written something else.
    pub(super) fn flush_send_buffers(&mut self) {
        for id in self.ids() {
            if self.is_joined(id) {
                self.flush_send_buffer(id);
            }
        }
    }

    pub(super) fn send_event(
        &mut self,
        id: NamespaceId,
        payload: Payload,
        ack: Option<u64>,
    ) -> Result<()> {
        let name = self.namespace(id).name.clone();
        let shown = self.namespace(id).observed.then(|| payload.clone());
        self.send(Header { kind: Kind::Event, namespace: &name, id: ack }, payload)?;
        if let Some(payload) = shown {
            self.outputs.push_back(Output::Sent { namespace: id, payload });
        }
        if let Some(ack) = ack {
            self.namespace_mut(id).acks.mark_sent(ack);
        }
        Ok(())
    }

    fn is_joined(&self, id: NamespaceId) -> bool {
        self.namespace(id).phase == Phase::Joined
    }

    fn is_writable(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::is_writable)
    }

    /// Which way an event takes.
    fn way(&self, id: NamespaceId, volatile: bool) -> SendQueue {
        // What is in the session's queue cannot be taken back. So where the oldest is to give way
        // that holds no more than what is being written.
        let keeps_back = self.options.limits.when_send_full == WhenFull::DropOldest
            && self.engine.as_ref().is_some_and(|engine| engine.load() != Load::default());
        if self.namespace(id).retry.is_some() && !volatile {
            SendQueue::Retry
        } else if self.is_joined(id) && !keeps_back {
            SendQueue::Session
        } else {
            SendQueue::Buffer
        }
    }

    /// What can be known before anything is sent.
    fn check(&self, id: NamespaceId, emit: &Emit<A>) -> Result<()> {
        let limits = &self.options.limits;
        if emit.ack.is_some() && self.namespace(id).acks.len() >= limits.acks {
            return Err(Error::new(
                ErrorKind::BufferFull,
                format!("{} acknowledgements are pending already", limits.acks),
            ));
        }
        self.check_attachments(&emit.payload)
    }

    fn check_attachments(&self, payload: &Payload) -> Result<()> {
        let (attachments, limit) = (payload.attachments.len(), self.options.limits.max_attachments);
        if attachments <= limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!("{attachments} attachments; the limit is {limit}"),
        ))
    }

    /// What waits where an event of this way waits.
    fn load(&self, way: SendQueue) -> Load {
        match way {
            SendQueue::Session => self.engine.as_ref().map(Engine::load).unwrap_or_default(),
            SendQueue::Buffer | SendQueue::Retry => self
                .namespaces
                .iter()
                .map(Namespace::buffered)
                .fold(Load::default(), |sum, load| sum + load),
        }
    }

    fn is_full(&self, way: SendQueue, size: usize) -> bool {
        let limits = &self.options.limits;
        let load = self.load(way);
        load != Load::default()
            && (load.packets >= limits.send_events
                || load.bytes.saturating_add(size) > limits.send_bytes)
    }

    /// Whether there will be room without the caller's doing.
    fn waits_when_full(&self, id: NamespaceId) -> bool {
        self.is_joined(id) && self.options.limits.when_send_full == WhenFull::Wait
    }

    fn make_room(&mut self, id: NamespaceId, way: SendQueue, size: usize) -> Result<()> {
        if self.options.limits.when_send_full == WhenFull::DropOldest {
            while self.is_full(way, size) {
                let Some(event) = self.namespace_mut(id).unbuffer() else { break };
                let error = Error::new(ErrorKind::BufferFull, "gave way to a newer event");
                self.give_up(id, event.ack, &error);
            }
        }
        if !self.is_full(way, size) {
            return Ok(());
        }
        let load = self.load(way);
        Err(Error::new(
            ErrorKind::BufferFull,
            format!("{} events of {} bytes wait to be sent", load.packets, load.bytes),
        ))
    }

    fn drop_volatile(&mut self, emit: Emit<A>) {
        self.tally.dropped += 1;
        if let Some(ack) = emit.ack {
            let error = Error::new(ErrorKind::Disconnected, "the volatile event was dropped");
            self.outputs.push_back(Output::Acked { ack, result: Err(error) });
        }
    }
}
