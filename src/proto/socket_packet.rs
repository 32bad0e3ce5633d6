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
    pub attachments: Box<[Bytes]>,
    /// The message, in which the spans below lie (they count from behind the type digit `4`).
    pub(crate) text: MessageText,
    /// Where the namespace stands; nothing is `/`.
    pub(crate) namespace: Span,
    /// Where the JSON begins, which goes to the end; empty where there is none.
    pub(crate) data: u32,
    /// The name of an event.
    pub(crate) name: Name,
}

/// Where a part of the text stands, in half the memory of a `Range<usize>`. With that an event has 128 bytes, which
/// are moved without a call, and two lines of a processor's cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `None` where it does not end within the first 4 GiB.
    pub(crate) fn new(range: &Range<usize>) -> Option<Self> {
        let (start, end) = (u32::try_from(range.start).ok()?, u32::try_from(range.end).ok()?);
        Some(Self { start, end })
    }

    /// What stands there.
    pub(crate) fn within(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// The name of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The name stands in the text as it is: the span without quotes (a string without escapes, or a number).
    Plain(Span),
    /// The name was written with escapes.
    Unescaped(Arc<str>),
}

impl Name {
    /// The packet is no event.
    pub(crate) const NONE: Self = Self::Plain(Span { start: 0, end: 0 });
}

impl SocketPacket {
    /// The packet of an event of our own in this namespace, without an id. One whose name has 4 GiB is taken for
    /// `/`: nobody can have joined it.
    pub(crate) fn of_event(namespace: &str, payload: Payload) -> Self {
        let Payload { json, attachments } = payload;
        let (prefix, data) = match u32::try_from(namespace.len()) {
            Ok(length) if namespace != "/" => (namespace, length),
            _ => ("", 0),
        };
        let mut text = MessageBuilder::with_capacity(prefix.len() + json.len());
        text.push_str(prefix);
        text.push_str(&json);
        let text = text.finish();
        let namespace = Span { start: 0, end: data };
        let name = json::scan(&json)
            .ok()
            .and_then(|outline| outline.first)
            .and_then(|range| serde_json::from_str::<String>(&json[range]).ok())
            .map_or(Name::NONE, |name| Name::Unescaped(name.into()));
        let attachments = attachments.into();
        Self { kind: Kind::Event, id: None, attachments, text, namespace, data, name }
    }

    /// The packet of an acknowledgement that came by another way.
    #[cfg(feature = "server")]
    pub(crate) fn of_ack(payload: Payload) -> Self {
        Self { kind: Kind::Ack, name: Name::NONE, ..Self::of_event("/", payload) }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        match self.namespace.within(self.text.as_str()) {
            "" => "/",
            name => name,
        }
    }

    /// The JSON of the packet; empty where there is none.
    pub fn data(&self) -> &str {
        &self.text.as_str()[self.data as usize..]
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
            Name::Plain(span) => span.within(self.text.as_str()),
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
        assert_eq!((packet.kind, packet.name), (Kind::Ack, Name::NONE));
    }

    #[test]
    fn a_packet_is_as_large_as_its_text_and_its_attachments() {
        let attachments = vec![Bytes::from_static(&[0; 40]), Bytes::from_static(&[0; 2])];
        let payload = Payload { json: "[\"e\"]".into(), attachments };
        let packet = SocketPacket::of_event("/", payload);
        assert_eq!(packet.data_size(), 5 + 42);
        assert_eq!(packet.size(), packet.text.as_frame().len() + 42);
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_span_ends_within_4_gib() {
        let end = u32::MAX as usize;
        assert_eq!(Span::new(&(1..end)), Some(Span { start: 1, end: u32::MAX }));
        assert_eq!(Span::new(&(1..end + 1)), None);
        assert_eq!(Span::new(&(end + 1..end + 1)), None);
    }
}
