//! What goes out: events, and answers to those of the server.

use super::acks::Waiter;
use super::emit::SendQueue;
use super::namespace::Buffered;
use super::timer::Timer;
use super::{Client, Emit, Fate, Output, Refused};
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Sends an event, or keeps it until the namespace is joined.
    pub(crate) fn emit(
        &mut self,
        id: NamespaceId,
        emit: Emit<A>,
        now: Timestamp,
    ) -> Result<(), Refused<Emit<A>>> {
        self.check_heartbeat(now);
        self.check(id, &emit).map_err(Refused::Error)?;
        let size = emit.payload.size();
        match self.fate(id, size, emit.volatile) {
            Fate::Queued(queue) => {
                self.make_room(queue, size);
                self.enqueue(id, queue, emit, now).map_err(Refused::Error)
            }
            Fate::Wait => Err(Refused::Full(emit)),
            Fate::Refused => {
                let queue = self.queue_for(id, emit.volatile);
                Err(Refused::Error(self.no_room(queue)))
            }
            Fate::Dropped => {
                self.drop_volatile(emit);
                Ok(())
            }
        }
    }

    fn enqueue(
        &mut self,
        id: NamespaceId,
        queue: SendQueue,
        emit: Emit<A>,
        now: Timestamp,
    ) -> Result<()> {
        let Emit { payload, ack, timeout: limit, .. } = emit;
        if queue == SendQueue::Retry {
            self.queue_for_retry(id, payload, ack, limit, now);
            self.pump(now);
            return Ok(());
        }
        let order = self.next_order();
        let Some(namespace) = self.namespaces.get_mut(id) else { return Ok(()) };
        let ack = ack.map(|ack| {
            let number = namespace.acks.register(Waiter::Caller(ack));
            self.timers.set(Timer::Ack(id, number), limit.map(|limit| now + limit));
            number
        });
        if queue == SendQueue::Buffer {
            namespace.buffer(Buffered { payload, ack, order });
            return Ok(());
        }
        if let Err(error) = self.send_event(id, payload, ack) {
            // The error is returned, so that the acknowledgement is not failed as well.
            self.forget_ack(id, ack);
            return Err(error);
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
        let fate = self.fate_of_reply(id, session, payload.size());
        if fate == Fate::Refused {
            return Err(Refused::Error(self.no_room_for_reply(id, session)));
        }
        self.check_attachments(&payload).map_err(Refused::Error)?;
        if fate == Fate::Wait {
            return Err(Refused::Full(payload));
        }
        let name = self.namespace(id).name.clone();
        let header = Header { kind: Kind::Ack, namespace: &name, id: Some(ack) };
        self.send(header, payload).map_err(Refused::Error)?;
        self.pump(now);
        Ok(())
    }

    /// Drops what waits for the namespace to be joined; gives the number of events.
    pub(crate) fn clear_send_buffer(&mut self, id: NamespaceId) -> usize {
        let before = self.tally.dropped;
        let error = Error::new(ErrorKind::Disconnected, "the send buffer was cleared");
        while let Some(event) = self.unbuffer(id) {
            self.give_up(id, event.ack, &error);
        }
        self.outputs.push_back(Output::Room);
        self.tally.dropped - before
    }

    /// Whether somebody wants to know of outgoing events.
    pub(crate) fn observe_outgoing(&mut self, id: NamespaceId, observed: bool) {
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.observed = observed;
        }
    }

    /// Sends what waited for the namespace to be joined.
    pub(super) fn flush_send_buffer(&mut self, id: NamespaceId) {
        while let Some(Buffered { payload, ack, .. }) = self.unbuffer(id) {
            if let Err(error) = self.send_event(id, payload, ack) {
                log_later!(Warn, "a buffered event is dropped: {error}");
                self.give_up(id, ack, &error);
            }
        }
    }

    /// Takes the oldest event out of the send buffer.
    pub(super) fn unbuffer(&mut self, id: NamespaceId) -> Option<Buffered> {
        self.namespace_mut(id)?.unbuffer()
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
        if let Some((namespace, ack)) = self.namespace_mut(id).zip(ack) {
            namespace.acks.mark_sent(ack);
        }
        Ok(())
    }

    /// What can be known before anything is sent.
    fn check(&self, id: NamespaceId, emit: &Emit<A>) -> Result<()> {
        self.check_not_over()?;
        if !self.namespaces.is_in_use(id) {
            return Err(Error::new(ErrorKind::Disconnected, "the socket is gone"));
        }
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

    fn drop_volatile(&mut self, emit: Emit<A>) {
        self.tally.dropped += 1;
        if let Some(ack) = emit.ack {
            let error = Error::new(ErrorKind::Disconnected, "the volatile event was dropped");
            self.outputs.push_back(Output::Acked { ack, result: Err(error) });
        }
    }
}
