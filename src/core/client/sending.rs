//! What goes out: events, and answers to those of the server.

use super::acks::Waiter;
use super::emit::SendQueue;
use super::timer::Timer;
use super::{Client, Emit, Fate, NotTaken, Output};
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::{Sendable, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::event::drop_reason::DropReason;
use crate::payload::Payload;
use crate::proto::socket_packet::Kind;
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Sends an event, or keeps it until the namespace is joined.
    pub(crate) fn emit(
        &mut self,
        id: NamespaceId,
        emit: Emit<A>,
        now: Timestamp,
    ) -> Result<(), NotTaken<Emit<A>>> {
        self.check_heartbeat(now);
        self.check(id, &emit).map_err(NotTaken::Error)?;
        let size = emit.payload.size();
        match self.fate(id, &emit) {
            Fate::Queued(queue) => {
                self.check_fits(id, queue, &emit).map_err(NotTaken::Error)?;
                self.drop_replaced_by(id, &emit);
                self.make_room(id, queue, size);
                self.enqueue(id, queue, emit, now);
                self.pump(now);
                Ok(())
            }
            Fate::Wait => Err(NotTaken::Full(Box::new(emit))),
            Fate::Refused => {
                let queue = self.queue_for(id, &emit);
                Err(NotTaken::Error(self.no_room(queue)))
            }
            Fate::Dropped => {
                self.drop_volatile(id, emit);
                Ok(())
            }
        }
    }

    fn enqueue(&mut self, id: NamespaceId, queue: SendQueue, emit: Emit<A>, now: Timestamp) {
        let since = emit.since.unwrap_or(now);
        if queue == SendQueue::Retry {
            return self.queue_for_retry(id, emit, now);
        }
        let Emit { payload, ack, timeout: limit, urgent, volatile, ttl, replaces, .. } = emit;
        let order = self.next_order();
        let Some(namespace) = self.namespaces.get_mut(id) else { return };
        let ack = ack.map(|ack| {
            let number = namespace.acks.register(Waiter::Caller(ack));
            if let Some(limit) = limit {
                self.timers.set(Timer::Ack(id, number), Some(since + limit));
            }
            number
        });
        let expiry = ttl.map(|ttl| since + ttl);
        if expiry.is_some() {
            self.timers.set(Timer::Expiry(id, order), expiry);
        }
        let content = Sendable::Event(payload, ack);
        let waiting = Waiting {
            namespace: id,
            content,
            order,
            urgent,
            expiry,
            replaces,
            volatile,
            shown: false,
        };
        if queue == SendQueue::Buffer {
            namespace.send_buffer.push(waiting);
            return;
        }
        self.make_ready(waiting);
        // It goes out at once or not at all.
        if let Some(engine) = self.engine.as_mut().filter(|_| volatile) {
            engine.wake_writer();
        }
    }

    /// Answers an event that asked for an acknowledgement.
    pub(crate) fn reply(
        &mut self,
        id: NamespaceId,
        membership: u32,
        ack: u64,
        payload: Payload,
        now: Timestamp,
    ) -> Result<(), NotTaken<Payload>> {
        self.check_heartbeat(now);
        let fate = self.fate_of_reply(id, membership, payload.size());
        if fate == Fate::Refused {
            return Err(NotTaken::Error(self.no_room_for_reply(id, membership)));
        }
        self.check_attachments(&payload).map_err(NotTaken::Error)?;
        if fate == Fate::Wait {
            return Err(NotTaken::Full(Box::new(payload)));
        }
        self.check_size(id, Kind::Ack, Some(ack), &payload).map_err(NotTaken::Error)?;
        self.make_room(id, SendQueue::Ready, payload.size());
        let order = self.next_order();
        self.make_ready(Waiting::new(id, Sendable::Answer(payload, ack), order));
        self.pump(now);
        Ok(())
    }

    /// Drops what waits for the namespace to be joined; gives the number of events.
    pub(crate) fn clear_send_buffer(&mut self, id: NamespaceId) -> usize {
        let before = self.tally.dropped;
        let error = Error::new(ErrorKind::Disconnected, "the send buffer was cleared");
        while let Some(waiting) = self.unbuffer(id) {
            self.give_up_waiting(&waiting, None, &error);
        }
        self.outputs.push_back(Output::Changed);
        self.tally.dropped - before
    }

    /// Whether somebody wants to know of outgoing events.
    pub(crate) fn set_shows_outgoing(&mut self, id: NamespaceId, shows: bool) {
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.shows_outgoing = shows;
        }
    }

    /// What waited for the namespace to be joined is ready.
    pub(super) fn flush_send_buffer(&mut self, id: NamespaceId) {
        while let Some(waiting) = self.unbuffer(id) {
            let fits = match &waiting.content {
                Sendable::Event(payload, ack) => self.check_size(id, Kind::Event, *ack, payload),
                _ => Ok(()),
            };
            match fits {
                Ok(()) => self.make_ready(waiting),
                Err(error) => {
                    let name = &self.namespace(id).name;
                    log_later!(Warn, in name, "a buffered event is dropped: {error:#}");
                    self.give_up_waiting(&waiting, Some(DropReason::TooLarge), &error);
                }
            }
        }
    }

    /// Takes out of the send buffer what is next.
    pub(super) fn unbuffer(&mut self, id: NamespaceId) -> Option<Waiting> {
        let buffer = &mut self.namespace_mut(id)?.send_buffer;
        let next = buffer.pop();
        buffer.rest();
        next
    }

    /// What waits whose place this event takes.
    pub(super) fn replaced_by(&self, id: NamespaceId, emit: &Emit<A>) -> Option<&Waiting> {
        emit.replaces.as_ref()?;
        let mut waiting = self.namespace(id).send_buffer.iter().chain(self.ready.iter());
        waiting.find(|waiting| waiting.namespace == id && waiting.replaces == emit.replaces)
    }

    /// An event with the same key is newer.
    fn drop_replaced_by(&mut self, id: NamespaceId, emit: &Emit<A>) {
        let Some(order) = self.replaced_by(id, emit).map(|waiting| waiting.order) else { return };
        if let Some(waiting) = self.take_waiting(id, |waiting| waiting.order == order) {
            let error = Error::new(ErrorKind::Withdrawn, "replaced by a newer event with its key");
            self.resign(&waiting, &error);
        }
    }

    /// Takes an event of a namespace out of where it waits.
    fn take_waiting(
        &mut self,
        id: NamespaceId,
        is_it: impl Fn(&Waiting) -> bool,
    ) -> Option<Waiting> {
        let buffered = self.namespace_mut(id).and_then(|it| it.send_buffer.take_first(&is_it));
        buffered
            .or_else(|| self.ready.take_first(|waiting| waiting.namespace == id && is_it(waiting)))
    }

    /// An event is no longer worth sending.
    pub(super) fn expired(&mut self, id: NamespaceId, order: u64) {
        if let Some(waiting) = self.take_waiting(id, |waiting| waiting.order == order) {
            self.expire_event(&waiting);
            self.outputs.push_back(Output::Changed);
        }
    }

    /// Drops an event that was not sent within its time.
    pub(super) fn expire_event(&mut self, waiting: &Waiting) {
        let error = Error::new(ErrorKind::Timeout, "not sent within its time to live");
        self.give_up_waiting(waiting, Some(DropReason::Expired), &error);
    }

    /// Drops an event that waits; with a reason, its users are told.
    pub(super) fn give_up_waiting(
        &mut self,
        waiting: &Waiting,
        reason: Option<DropReason>,
        error: &Error,
    ) {
        self.note_drop(waiting.namespace, waiting.load(), reason);
        self.resign(waiting, error);
    }

    /// An event waits no more, and nobody for its acknowledgement.
    pub(super) fn resign(&mut self, waiting: &Waiting, error: &Error) {
        self.forget_expiry(waiting);
        self.fail_ack(waiting.namespace, waiting.ack(), error);
    }

    /// An event waits no more.
    pub(super) fn forget_expiry(&mut self, waiting: &Waiting) {
        if waiting.expiry.is_some() {
            self.timers.set(Timer::Expiry(waiting.namespace, waiting.order), None);
        }
    }

    /// Takes back an event whose acknowledgement is awaited no more. `false`: it does not wait.
    pub(super) fn withdraw(&mut self, id: NamespaceId, ack: u64) -> bool {
        let waiting = self.take_waiting(id, |waiting| waiting.ack() == Some(ack));
        if let Some(waiting) = &waiting {
            self.forget_expiry(waiting);
        }
        waiting.is_some()
    }

    /// Whether the server takes the event, where that can be known.
    fn check_fits(&mut self, id: NamespaceId, queue: SendQueue, emit: &Emit<A>) -> Result<()> {
        if queue != SendQueue::Ready {
            return Ok(());
        }
        let number = emit.ack.as_ref().map(|_| self.namespace(id).acks.next());
        self.check_size(id, Kind::Event, number, &emit.payload)
    }

    /// What can be known before anything is sent.
    fn check(&self, id: NamespaceId, emit: &Emit<A>) -> Result<()> {
        self.check_not_over()?;
        if !self.namespaces.is_in_use(id) {
            return Err(Error::new(ErrorKind::Disconnected, "the socket is gone"));
        }
        self.check_flags(id, emit)?;
        let limits = &self.options.limits;
        if emit.ack.is_some() && self.namespace(id).acks.len() >= limits.acks {
            return Err(Error::new(
                ErrorKind::BufferFull,
                format!("{} acknowledgements are pending already", limits.acks),
            ));
        }
        self.check_attachments(&emit.payload)
    }

    /// Only what waits, and is sent once, can have a place among what waits and a time to wait.
    fn check_flags(&self, id: NamespaceId, emit: &Emit<A>) -> Result<()> {
        if !emit.urgent && emit.ttl.is_none() && emit.replaces.is_none() {
            return Ok(());
        }
        let what = if emit.ttl.is_some_and(|ttl| ttl.is_zero()) {
            "a time to live of zero leaves no time to send anything"
        } else if emit.volatile {
            "a volatile event does not wait: it cannot be urgent, nor have a ttl or a key"
        } else if self.queue_for(id, emit) == SendQueue::Retry {
            "an event that is sent again keeps its turn: it cannot be urgent, nor have a ttl or a key"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidOption, what))
    }

    pub(super) fn check_attachments(&self, payload: &Payload) -> Result<()> {
        let (attachments, limit) = (payload.attachments.len(), self.options.limits.max_attachments);
        if attachments <= limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!("{attachments} attachments; the limit is {limit}"),
        ))
    }

    fn drop_volatile(&mut self, id: NamespaceId, emit: Emit<A>) {
        self.note_drop(id, Load::from(&emit.payload), None);
        self.tally.volatile += 1;
        if let Some(ack) = emit.ack {
            let error = Error::new(ErrorKind::Disconnected, "the volatile event was dropped");
            self.outputs.push_back(Output::Acked { ack, result: Err(error) });
        }
    }
}
