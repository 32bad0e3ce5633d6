//! Events and acknowledgements, out and in.

use super::acks::Waiter;
use super::client::{Client, Emit, Output, Refused};
use super::engine::{Engine, Load};
use super::namespace::{Buffered, NamespaceId, Phase};
use super::timer::{Timer, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::event::DisconnectReason;
use crate::options::{Transport, WhenFull};
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind, SocketPacket};

impl<A> Client<A> {
    /// Sends an event, or keeps it until the namespace is joined.
    pub(crate) fn emit(
        &mut self,
        id: NamespaceId,
        mut emit: Emit<A>,
        now: Timestamp,
    ) -> Result<(), Refused<A>> {
        // A device that was asleep must not write into a session that died meanwhile.
        self.expire(now);
        let joined = self.namespace(id).phase == Phase::Joined;
        self.check(id, &emit).map_err(Refused::Error)?;
        if emit.volatile && !(joined && self.engine.as_ref().is_some_and(Engine::is_writable)) {
            self.drop_volatile(emit);
            return Ok(());
        }
        let size = emit.payload.size();
        if self.is_full(size) {
            if joined && self.options.limits.when_send_full != WhenFull::DropNewest {
                return Err(Refused::Full(emit));
            }
            self.make_room(id, size).map_err(Refused::Error)?;
        }
        if self.namespace(id).retry.is_some() && !emit.volatile {
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
        if joined {
            self.send_event(id, emit.payload, ack);
            self.pump(now);
        } else {
            self.namespace_mut(id).buffer(Buffered { payload: emit.payload, ack });
        }
        Ok(())
    }

    /// Answers an event that asked for an acknowledgement. `Err` gives the payload back when the
    /// queue is full, and `None` when the event's session is over.
    pub(crate) fn reply(
        &mut self,
        id: NamespaceId,
        session: u32,
        ack: u64,
        payload: Payload,
        now: Timestamp,
    ) -> Result<(), Option<Payload>> {
        self.expire(now);
        let namespace = self.namespace(id);
        if namespace.phase != Phase::Joined || namespace.session != session {
            return Err(None);
        }
        if self.is_full(payload.size()) {
            return Err(Some(payload));
        }
        let name = self.namespace(id).name.clone();
        self.send(Header { kind: Kind::Ack, namespace: &name, id: Some(ack) }, payload);
        self.pump(now);
        Ok(())
    }

    /// Whether an event of this size would be taken, or refused for good.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.engine.is_none() || !self.is_full(size)
    }

    /// Drops what waits for the namespace to be joined; gives the number of events.
    pub(crate) fn clear_send_buffer(&mut self, id: NamespaceId) -> usize {
        let before = self.counters.dropped;
        let error = Error::new(ErrorKind::Disconnected, "the send buffer was cleared");
        while let Some(event) = self.namespace_mut(id).unbuffer() {
            self.give_up(id, event.ack, &error);
        }
        self.outputs.push_back(Output::Room);
        self.counters.dropped - before
    }

    /// Drops the events that came before the answer to CONNECT; gives their number.
    pub(crate) fn clear_receive_buffer(&mut self, id: NamespaceId) -> usize {
        std::mem::take(&mut self.namespace_mut(id).receive_buffer).len()
    }

    /// Whether somebody wants to know of outgoing events.
    pub(crate) fn observe_outgoing(&mut self, id: NamespaceId, observed: bool) {
        self.namespace_mut(id).observed = observed;
    }

    /// Gives up the wait for all acknowledgements.
    pub(crate) fn fail_all_acks(&mut self, id: NamespaceId, error: &Error) {
        self.abandon_retries(id, error);
        for (number, waiter) in self.namespace_mut(id).acks.remove_all() {
            self.timers.set(Timer::Ack(id, number), None);
            self.fail(waiter, error);
        }
    }

    /// Routes a packet to its namespace.
    pub(super) fn on_packet(&mut self, packet: Option<SocketPacket>, now: Timestamp) {
        let Some(packet) = packet else { return };
        let known = self.ids().find(|id| *self.namespace(*id).name == *packet.namespace());
        let Some(id) = known else {
            log::debug!("a packet for the unknown namespace {:?} is ignored", packet.namespace());
            self.counters.ignored += 1;
            return;
        };
        match packet.kind {
            Kind::Connect => self.on_connect(id, &packet, now),
            Kind::ConnectError => self.on_connect_error(id, &packet, now),
            Kind::Disconnect => self.on_disconnect(id, now),
            Kind::Event => self.on_event(id, packet),
            Kind::Ack => self.on_ack(id, packet, now),
        }
    }

    /// Delivers what came between CONNECT and its answer.
    pub(super) fn deliver_early_events(&mut self, id: NamespaceId) {
        while let Some(packet) = self.namespace_mut(id).receive_buffer.pop_front() {
            self.on_event(id, packet);
        }
    }

    /// Sends what waited for the namespace to be joined.
    pub(super) fn flush_send_buffer(&mut self, id: NamespaceId) {
        while let Some(Buffered { payload, ack }) = self.namespace_mut(id).unbuffer() {
            match self.check_size(&payload) {
                Ok(()) => self.send_event(id, payload, ack),
                Err(error) => {
                    log::warn!("a buffered event is dropped: {error}");
                    self.give_up(id, ack, &error);
                }
            }
        }
    }

    /// The end of a session ends the wait for the answers to what was sent in it.
    pub(super) fn fail_sent_acks(&mut self, id: NamespaceId, reason: DisconnectReason) {
        let failed = self.namespace_mut(id).acks.remove_sent();
        if failed.is_empty() {
            return;
        }
        let error = Error::new(
            ErrorKind::Disconnected,
            format!("the connection ended before the acknowledgement came: {reason}"),
        );
        for (number, waiter) in failed {
            self.timers.set(Timer::Ack(id, number), None);
            match waiter {
                Waiter::Caller(_) => self.fail(waiter, &error),
                Waiter::Retry => self.try_interrupted(id),
            }
        }
    }

    pub(super) fn ack_timed_out(&mut self, id: NamespaceId, number: u64, now: Timestamp) {
        let namespace = self.namespace_mut(id);
        namespace.withdraw(number);
        match namespace.acks.remove(number) {
            Some(Waiter::Retry) => self.try_timed_out(id, now),
            Some(waiter) => {
                let error = Error::new(ErrorKind::Timeout, "no acknowledgement in time");
                self.fail(waiter, &error);
            }
            None => {}
        }
    }

    fn fail(&mut self, waiter: Waiter<A>, error: &Error) {
        if let Waiter::Caller(ack) = waiter {
            self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
        }
    }

    fn on_event(&mut self, id: NamespaceId, packet: SocketPacket) {
        let limit = self.options.limits.receive_events;
        let namespace = self.namespace_mut(id);
        match namespace.phase {
            Phase::Joined => {
                namespace.note_offset(&packet);
                let session = namespace.session;
                self.outputs.push_back(Output::Event { namespace: id, session, packet });
            }
            Phase::Joining if namespace.receive_buffer.len() < limit => {
                namespace.receive_buffer.push_back(packet);
            }
            _ => {
                log::debug!("an event for {:?} is ignored: not joined", namespace.name);
                self.counters.ignored += 1;
            }
        }
    }

    fn on_ack(&mut self, id: NamespaceId, packet: SocketPacket, now: Timestamp) {
        let ack = packet.id.and_then(|number| {
            let ack = self.namespace_mut(id).acks.remove(number)?;
            self.timers.set(Timer::Ack(id, number), None);
            Some(ack)
        });
        match ack {
            Some(Waiter::Caller(ack)) => {
                self.outputs.push_back(Output::Acked { ack, result: Ok(packet) });
            }
            Some(Waiter::Retry) => self.try_succeeded(id, packet, now),
            None => {
                log::debug!("an acknowledgement that nobody waits for is ignored");
                self.counters.ignored += 1;
            }
        }
    }

    pub(super) fn send_event(&mut self, id: NamespaceId, payload: Payload, ack: Option<u64>) {
        if self.namespace(id).observed {
            let payload = payload.clone();
            self.outputs.push_back(Output::Sent { namespace: id, payload });
        }
        if let Some(ack) = ack {
            self.namespace_mut(id).acks.mark_sent(ack);
        }
        let name = self.namespace(id).name.clone();
        self.send(Header { kind: Kind::Event, namespace: &name, id: ack }, payload);
    }

    /// What can be known before anything is sent.
    fn check(&self, id: NamespaceId, emit: &Emit<A>) -> Result<()> {
        let limits = &self.options.limits;
        let attachments = emit.payload.attachments.len();
        if attachments > limits.max_attachments {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{attachments} attachments; the limit is {}", limits.max_attachments),
            ));
        }
        if emit.ack.is_some() && self.namespace(id).acks.len() >= limits.acks {
            return Err(Error::new(
                ErrorKind::BufferFull,
                format!("{} acknowledgements are pending already", limits.acks),
            ));
        }
        self.check_size(&emit.payload)
    }

    /// Whether the server takes messages of this size. One that it does not take would cost the
    /// connection.
    fn check_size(&self, payload: &Payload) -> Result<()> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let Some(limit) = engine.handshake().and_then(|handshake| handshake.max_payload) else {
            return Ok(());
        };
        let binary = |length: usize| match engine.transport() {
            Transport::WebSocket => length,
            Transport::Polling => length.div_ceil(3) * 4 + 1,
        };
        let largest = payload.attachments.iter().map(|bytes| binary(bytes.len())).max();
        // The text grows by type, namespace and ids.
        let size = largest.unwrap_or(0).max(payload.json.len() + 2);
        if size <= limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!("a message of {size} bytes; the server takes {limit} (its maxHttpBufferSize)"),
        ))
    }

    fn is_full(&self, size: usize) -> bool {
        let limits = &self.options.limits;
        let load = self.load();
        load != Load::default()
            && (load.packets >= limits.send_events
                || load.bytes.saturating_add(size) > limits.send_bytes)
    }

    fn make_room(&mut self, id: NamespaceId, size: usize) -> Result<()> {
        if self.options.limits.when_send_full == WhenFull::DropOldest {
            while self.is_full(size) {
                let Some(event) = self.namespace_mut(id).unbuffer() else { break };
                let error = Error::new(ErrorKind::BufferFull, "gave way to a newer event");
                self.give_up(id, event.ack, &error);
            }
        }
        if !self.is_full(size) {
            return Ok(());
        }
        let load = self.load();
        Err(Error::new(
            ErrorKind::BufferFull,
            format!("{} events of {} bytes wait to be sent", load.packets, load.bytes),
        ))
    }

    fn give_up(&mut self, id: NamespaceId, ack: Option<u64>, error: &Error) {
        self.counters.dropped += 1;
        let Some(number) = ack else { return };
        self.timers.set(Timer::Ack(id, number), None);
        if let Some(waiter) = self.namespace_mut(id).acks.remove(number) {
            self.fail(waiter, error);
        }
    }

    fn drop_volatile(&mut self, emit: Emit<A>) {
        self.counters.dropped += 1;
        if let Some(ack) = emit.ack {
            let error = Error::new(ErrorKind::Disconnected, "the volatile event was dropped");
            self.outputs.push_back(Output::Acked { ack, result: Err(error) });
        }
    }
}
