//! For whom a packet is, before it is taken.
//!
//! A consumer that is full holds up its own events. Heartbeats, answers, and the events of others
//! pass, as far as a packet by itself tells what it is: one with attachments does not, before they are
//! there.

use super::{Driver, Monitor};
use crate::core::client::namespace::Phase;
use crate::driver::consumer::ConsumerId;
use crate::proto::packet::Packet;
use crate::proto::parser::choice::new_parser;
use crate::proto::socket_packet::{Kind, SocketPacket};

/// What a packet is, as far as it tells.
enum Content {
    /// Nothing that is for a consumer.
    Control,
    Message(SocketPacket),
    /// A part of a message, or no message at all.
    Unknown,
}

impl Driver {
    /// Whether a packet may be for one of the consumers that are full.
    pub(super) fn may_be_for_full(&self, monitor: &Monitor, packet: &Packet) -> bool {
        match self.look_into(packet, monitor) {
            Content::Control => false,
            Content::Unknown => true,
            Content::Message(message) => match message.kind {
                Kind::Event => monitor.is_event_for_full(&message),
                Kind::Ack => {
                    let acks = ConsumerId::Callback(monitor.dispatcher.acks());
                    monitor.full.iter().any(|consumer| consumer.id == acks)
                }
                Kind::Connect | Kind::Disconnect | Kind::ConnectError => false,
            },
        }
    }

    fn look_into(&self, packet: &Packet, monitor: &Monitor) -> Content {
        // One of its own: that of the session may be in the middle of a message.
        let kind = monitor.core.options().parser;
        let parser = || new_parser(kind, self.limits.max_attachments, self.limits.max_message);
        let message = match packet {
            Packet::Text(text) => parser().decode_text(text.clone()),
            Packet::Binary(bytes) => parser().decode_binary(bytes.clone()),
            _ => return Content::Control,
        };
        match message {
            Ok(Some(message)) => Content::Message(message),
            Ok(None) | Err(_) => Content::Unknown,
        }
    }
}

impl Monitor {
    fn is_event_for_full(&self, event: &SocketPacket) -> bool {
        let mut joined = self.namespaces.iter().filter(|(id, _)| {
            let namespace = self.core.namespace(*id);
            *namespace.name == *event.namespace() && namespace.phase == Phase::Joined
        });
        joined.any(|(_, namespace)| namespace.listeners.has_one_of(&self.full, event.name()))
    }
}
