//! Socket.IO packets: what an Engine.IO message carries.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::json;
use super::text::{MessageBuilder, MessageText};
use crate::payload::Payload;

/// The types of Socket.IO packets. Whether a packet has attachments is not part of its type here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0`: joins a namespace, or tells that it was joined.
    Connect,
    /// `1`: leaves a namespace.
    Disconnect,
    /// `2`, or `5` with attachments.
    Event,
    /// `3`, or `6` with attachments.
    Ack,
    /// `4`: refuses a namespace.
    ConnectError,
}

/// All of an outgoing packet but its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The type.
    pub kind: Kind,
    /// The namespace, with its leading slash.
    pub namespace: &'a str,
    /// The id that asks for an acknowledgement, or that this acknowledges.
    pub id: Option<u64>,
}

/// A received packet, whole. Text and attachments are kept as they came; clones share their memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPacket {
    /// The type.
    pub kind: Kind,
    /// The id that asks for an acknowledgement, or that this acknowledges.
    ///
    /// One beyond `u64` is `None`: an event that we cannot acknowledge, an acknowledgement that
    /// matches nothing. So this is `None` in an acknowledgement only where it is to be ignored.
    pub id: Option<u64>,
    /// The attachments, in the order of their numbers.
    pub attachments: Vec<Bytes>,
    /// The message, in which the ranges below lie (they count from behind the type digit `4`).
    pub(crate) text: MessageText,
    /// Where the namespace stands; nothing is `/`.
    pub(crate) namespace: Range<usize>,
    /// Where the JSON begins, which goes to the end; empty where there is none.
    pub(crate) data: usize,
    /// The name of an event.
    pub(crate) name: Name,
}

/// The name of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The packet is no event.
    None,
    /// The name stands in the text as it is: the range without quotes (a string without escapes, or a number).
    Plain(Range<usize>),
    /// The name was written with escapes.
    Unescaped(Arc<str>),
}

impl SocketPacket {
    /// The packet of an event of our own in this namespace, without an id.
    pub(crate) fn of_event(namespace: &str, payload: Payload) -> Self {
        let Payload { json, attachments } = payload;
        let prefix = if namespace == "/" { "" } else { namespace };
        let mut text = MessageBuilder::with_capacity(prefix.len() + json.len());
        text.push_str(prefix);
        text.push_str(&json);
        let text = text.finish();
        let (namespace, data) = (0..prefix.len(), prefix.len());
        let name = json::scan(&json)
            .ok()
            .and_then(|outline| outline.first)
            .and_then(|range| serde_json::from_str::<String>(&json[range]).ok())
            .map_or(Name::None, |name| Name::Unescaped(name.into()));
        Self { kind: Kind::Event, id: None, attachments, text, namespace, data, name }
    }

    /// The packet of an acknowledgement that came by another way.
    #[cfg(feature = "server")]
    pub(crate) fn of_ack(payload: Payload) -> Self {
        Self { kind: Kind::Ack, name: Name::None, ..Self::of_event("/", payload) }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        if self.namespace.is_empty() { "/" } else { &self.text.as_str()[self.namespace.clone()] }
    }

    /// The JSON of the packet; empty where there is none.
    pub fn data(&self) -> &str {
        &self.text.as_str()[self.data..]
    }

    /// How much memory the packet takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.text.as_frame().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// How many bytes its JSON and its attachments have.
    pub(crate) fn data_size(&self) -> usize {
        self.data().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// The name of the event; empty for other packets.
    pub fn name(&self) -> &str {
        match &self.name {
            Name::None => "",
            Name::Plain(range) => &self.text.as_str()[range.clone()],
            Name::Unescaped(name) => name,
        }
    }
}

/// The event names that neither side may emit.
pub(crate) const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_our_own_is_read_like_one_that_came() {
        for namespace in ["/", "/orders", "/é"] {
            let payload = Payload::event("na\"me", &("é", 1)).unwrap();
            let packet = SocketPacket::of_event(namespace, payload);
            assert_eq!((packet.namespace(), packet.name()), (namespace, "na\"me"));
            assert_eq!(packet.data(), r#"["na\"me","é",1]"#);
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn an_acknowledgement_has_no_name_though_its_first_argument_is_a_text() {
        let packet = SocketPacket::of_ack(Payload::args(&("text", 1)).unwrap());
        assert_eq!((packet.kind, packet.name), (Kind::Ack, Name::None));
    }

    #[test]
    fn a_packet_is_as_large_as_its_text_and_its_attachments() {
        let attachments = vec![Bytes::from_static(&[0; 40]), Bytes::from_static(&[0; 2])];
        let payload = Payload { json: "[\"e\"]".into(), attachments };
        let packet = SocketPacket::of_event("/", payload);
        assert_eq!(packet.data_size(), 5 + 42);
        assert_eq!(packet.size(), packet.text.as_frame().len() + 42);
    }
}
