//! The text of a packet, checked and divided into its parts.

use std::ops::Range;

use super::prefix::{Id, Prefix};
use crate::error::Result;
use crate::proto::json::{JsonType, Outline, repair, scan};
use crate::proto::protocol_error;
use crate::proto::socket_packet::{Kind, Name, RESERVED_EVENTS, SocketPacket, Span};
use crate::proto::text::{MessageBuilder, MessageText};
use crate::sync::logging::log_later;

/// Reads the text of a packet; gives it with the number of attachments that it announces.
pub(in crate::proto::parser) fn decode(
    text: MessageText,
    max_attachments: usize,
    lax: bool,
) -> Result<(SocketPacket, usize)> {
    let prefix = Prefix::read(text.as_str(), max_attachments, lax)?;
    let (text, outline) = check_json(text, prefix.len)?;
    if !(lax && prefix.kind == Kind::ConnectError || lacks_comma(&prefix, text.as_str())) {
        check_type(prefix.kind, outline.as_ref(), text.as_str())?;
    }
    let id = if outline.is_some() { ack_id(&prefix, text.as_str())? } else { None };
    let name = match (prefix.kind, outline) {
        (Kind::Event, Some(outline)) => event_name(text.as_str(), prefix.len, outline.first)?,
        _ => Name::NONE,
    };
    let (namespace, data) = places(&prefix)
        .ok_or_else(|| protocol_error("a namespace of 4 GiB or more", text.as_str().as_bytes()))?;
    let attachments = Box::default();
    let packet = SocketPacket { kind: prefix.kind, id, attachments, namespace, data, name, text };
    Ok((packet, prefix.attachments))
}

/// Where the namespace stands, and where the JSON begins, unless that is too far for a [`Span`].
fn places(prefix: &Prefix) -> Option<(Span, u32)> {
    let namespace = prefix.namespace.as_ref().map_or(Some(Span::default()), Span::new)?;
    Some((namespace, u32::try_from(prefix.len).ok()?))
}

/// Checks the JSON behind the prefix, which is that long, if there is any, and repairs it if need be.
fn check_json(text: MessageText, prefix: usize) -> Result<(MessageText, Option<Outline>)> {
    let json = text.as_str().get(prefix..).unwrap_or_default();
    if json.is_empty() {
        return Ok((text, None));
    }
    let outline = scan_json(text.as_str(), json)?;
    if !outline.needs_repair {
        return Ok((text, Some(outline)));
    }
    let mut repaired = MessageBuilder::with_capacity(text.as_str().len());
    repaired.push_str(text.as_str().get(..prefix).unwrap_or_default());
    repaired.push_str(&repair(json));
    let repaired = repaired.finish();
    let json = repaired.as_str().get(prefix..).unwrap_or_default();
    let outline = scan_json(repaired.as_str(), json)?;
    Ok((repaired, Some(outline)))
}

fn scan_json(text: &str, json: &str) -> Result<Outline> {
    scan(json).map_err(|error| {
        let at = text.len() - json.len() + error.at;
        protocol_error(&format!("invalid JSON at byte {at} of a packet"), text.as_bytes())
    })
}

/// Whether an event or an acknowledgement has no comma behind its namespace, as some servers write it. To
/// JavaScript its data is then a part of the name, so that it is for nobody.
fn lacks_comma(prefix: &Prefix, text: &str) -> bool {
    let is_all = prefix.namespace.as_ref().is_some_and(|range| range.end == text.len());
    is_all && prefix.attachments == 0 && matches!(prefix.kind, Kind::Event | Kind::Ack)
}

/// Checks that the data is of the type that the packet asks for.
fn check_type(kind: Kind, outline: Option<&Outline>, text: &str) -> Result<()> {
    let wrong = match (kind, outline.map(|outline| outline.json_type)) {
        (Kind::Connect, None | Some(JsonType::Object))
        | (Kind::ConnectError, None | Some(JsonType::Object | JsonType::String))
        // Servers in Python give a reason, perhaps.
        | (Kind::Disconnect, _)
        | (Kind::Event | Kind::Ack, Some(JsonType::Array)) => return Ok(()),
        (Kind::Connect, _) => "CONNECT with data that is no object",
        (Kind::ConnectError, _) => "CONNECT_ERROR with data that is neither object nor string",
        (Kind::Event, None) => "EVENT without data",
        (Kind::Event, _) => "EVENT with data that is no array",
        (Kind::Ack, None) => "ACK without data",
        (Kind::Ack, _) => "ACK with data that is no array",
    };
    Err(protocol_error(wrong, text.as_bytes()))
}

/// The ack id as a number. One beyond `u64` is none that we could answer, or that we ever gave.
fn ack_id(prefix: &Prefix, text: &str) -> Result<Option<u64>> {
    match prefix.id {
        Id::Some(id) => Ok(Some(id)),
        Id::None if prefix.kind == Kind::Ack => {
            Err(protocol_error("ACK without an id", text.as_bytes()))
        }
        Id::None => Ok(None),
        Id::Huge => {
            let start = crate::error::snippet(text.as_bytes());
            log_later!(Warn, "ignoring an ack id beyond 64 bits: \"{start}\"");
            Ok(None)
        }
    }
}

/// The name of an event: the first element of its data, a string or a number.
fn event_name(text: &str, data: usize, first: Option<Range<usize>>) -> Result<Name> {
    let fail = |wrong| protocol_error(wrong, text.as_bytes());
    let plain = |range| match Span::new(&range) {
        Some(span) => Ok(Name::Plain(span)),
        None => Err(fail("EVENT with a name of 4 GiB or more")),
    };
    let first = first.ok_or_else(|| fail("EVENT without a name"))?;
    let range = data + first.start..data + first.end;
    let json = text.get(range.clone()).unwrap_or_default();
    let name = match json.as_bytes() {
        [b'"', string @ .., b'"'] if !string.contains(&b'\\') => {
            plain(range.start + 1..range.end - 1)?
        }
        [b'"', ..] => {
            let name: String = serde_json::from_str(json)
                .map_err(|error| fail("EVENT with a broken name").with_source(error))?;
            Name::Unescaped(name.into())
        }
        [b'-' | b'0'..=b'9', ..] => plain(range)?,
        _ => return Err(fail("EVENT with a name that is neither string nor number")),
    };
    let reserved = match &name {
        Name::Plain(span) => RESERVED_EVENTS.contains(&span.within(text)),
        Name::Unescaped(name) => RESERVED_EVENTS.contains(&&**name),
    };
    if reserved { Err(fail("EVENT with a reserved name")) } else { Ok(name) }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_ends_within_4_gib() {
        let end = u32::MAX as usize;
        let prefix = |namespace, len| {
            let id = Id::None;
            Prefix { kind: Kind::Event, attachments: 0, namespace, id, len }
        };
        assert!(places(&prefix(Some(1..end - 1), end)).is_some());
        assert!(places(&prefix(Some(1..end + 1), end + 2)).is_none());
        assert!(places(&prefix(Some(1..end), end + 1)).is_none());
    }
}
