//! What comes in an open session: events and acknowledgements.

use super::Client;
use super::Output;
use super::acks::Waiter;
use super::namespace::{Namespace, Phase};
use super::tally::Nonsense;
use super::timer::Timer;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::snippet;
use crate::proto::socket_packet::{Kind, SocketPacket};
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Routes a packet to its namespace.
    pub(super) fn on_packet(&mut self, packet: Option<SocketPacket>, now: Timestamp) {
        let Some(packet) = packet else { return };
        if matches!(packet.kind, Kind::Event | Kind::Ack) && packet.data().is_empty() {
            if self.note_nonsense(Nonsense::NoData) {
                let name = snippet(packet.namespace().as_bytes());
                log_later!(Warn, "a packet without data for the namespace \"{name}\" is ignored");
            }
            return;
        }
        if self.watch_root(&packet, now) {
            return;
        }
        let Some(id) = self.namespaces.find(packet.namespace()) else {
            if self.note_nonsense(Nonsense::UnknownNamespace) {
                let name = snippet(packet.namespace().as_bytes());
                log_later!(Debug, "a packet for the unknown namespace \"{name}\" is ignored");
            }
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
        let events = self.namespace_mut(id).map(Namespace::take_early_events);
        for packet in events.unwrap_or_default() {
            self.on_event(id, packet);
        }
    }

    /// Drops the events that came before the answer to CONNECT; gives their number.
    pub(crate) fn clear_receive_buffer(&mut self, id: NamespaceId) -> usize {
        self.namespace_mut(id).map_or(0, |namespace| namespace.take_early_events().len())
    }

    fn on_event(&mut self, id: NamespaceId, packet: SocketPacket) {
        let limits = &self.options.limits;
        let Some(namespace) = self.namespaces.get_mut(id) else { return };
        let nonsense = match namespace.phase {
            Phase::Joined => {
                namespace.note_offset(&packet);
                self.tally.received.add(Load { packets: 1, bytes: packet.data_size() });
                let membership = namespace.membership;
                self.outputs.push_back(Output::Event { namespace: id, membership, packet });
                return;
            }
            // Events before the answer to CONNECT are those of a membership that somebody else has ended.
            Phase::Joining if namespace.is_successor && self.has_forgotten => Nonsense::StrayEvent,
            Phase::Joining => {
                if namespace.keep_early_event(packet, limits) {
                    return;
                }
                Nonsense::EarlyEvent
            }
            _ => Nonsense::StrayEvent,
        };
        if self.note_nonsense(nonsense) {
            let name = &self.namespace(id).name;
            if nonsense == Nonsense::EarlyEvent {
                log_later!(Warn, in name, "too many events before it is joined");
            } else {
                log_later!(Debug, in name, "an event is ignored: not joined");
            }
        }
    }

    fn on_ack(&mut self, id: NamespaceId, packet: SocketPacket, now: Timestamp) {
        let ack = packet.id.and_then(|number| {
            let engine = self.engine.as_mut()?;
            let acks = &mut self.namespaces.get_mut(id)?.acks;
            let may_be_read = |position| engine.may_be_read(position);
            let (ack, position, sent_at) = acks.answer(number, may_be_read)?;
            engine.has_read(position);
            self.timers.set(Timer::Ack(id, number), None);
            self.tally.received.add(Load { packets: 1, bytes: packet.data_size() });
            if let Some(sent_at) = sent_at {
                self.round_trip.note(now.since(sent_at));
            }
            Some(ack)
        });
        match ack {
            Some(Waiter::Caller(ack)) => {
                self.outputs.push_back(Output::Acked { ack, result: Ok(packet) });
            }
            Some(Waiter::Retry) => self.try_succeeded(id, packet, now),
            None => {
                if self.note_nonsense(Nonsense::UnknownAck) {
                    let name = &self.namespace(id).name;
                    log_later!(Debug, in name, "an acknowledgement that nobody waits for is ignored");
                }
            }
        }
    }
}
