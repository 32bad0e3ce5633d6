//! What of a packet may be shown in logs, for every parser.

use super::excerpt::Excerpt;
#[cfg(feature = "msgpack")]
use super::msgpack;
use super::{json, plain_json};
use crate::error::snippet;
use crate::options::ParserKind;
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, Kind};

/// What of a packet of Engine.IO may be shown in a log: a short text on one line, in the form of the
/// default parser, whatever the parser and the revision. Not in it are:
///
/// * the data of a CONNECT: credentials in one direction, in the other the name by which a session
///   is recovered;
/// * the query of a namespace, where servers 1.x and 2.x look for credentials;
/// * the handshake, which has the id of the session.
pub(crate) fn describe(kind: ParserKind, packet: &Packet) -> String {
    describe_with(kind, packet, |_| ())
}

fn describe_with(kind: ParserKind, packet: &Packet, change: impl FnOnce(&mut Excerpt)) -> String {
    let show = |mut excerpt: Excerpt| {
        change(&mut excerpt);
        show(&excerpt)
    };
    match packet {
        Packet::Open(_) => "Open".to_owned(),
        Packet::Text(text) => {
            let text = text.as_str();
            let hidden = || format!("{} bytes that are no packet", text.len());
            excerpt_of_text(kind, text).map_or_else(hidden, show)
        }
        Packet::Binary(bytes) => {
            #[cfg(feature = "msgpack")]
            if kind == ParserKind::MessagePack {
                if let Some(excerpt) = msgpack::excerpt(bytes) {
                    return show(excerpt);
                }
            }
            format!("{} bytes", bytes.len())
        }
        packet => format!("{packet:?}"),
    }
}

/// The same, without what events and answers carry: of an event the name is left.
pub(crate) fn outline(kind: ParserKind, packet: &Packet) -> String {
    describe_with(kind, packet, |excerpt| {
        let carries = matches!(excerpt.kind, Kind::Event | Kind::Ack | Kind::ConnectError);
        if carries && !is_name_alone(excerpt) {
            let name = name_of(excerpt).unwrap_or_default();
            excerpt.data = format!("{name}…");
        }
    })
}

/// The start of an event's data up to its first argument.
fn name_of(excerpt: &Excerpt) -> Option<String> {
    let name = excerpt.data.strip_prefix("[\"").filter(|_| excerpt.kind == Kind::Event)?;
    let mut is_escaped = false;
    let end = name.find(|char| {
        let ends = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        ends
    })?;
    Some(format!("[\"{}\",", &name[..end]))
}

/// Whether an event has no arguments.
fn is_name_alone(excerpt: &Excerpt) -> bool {
    name_of(excerpt)
        .is_some_and(|name| excerpt.data.len() == name.len() && excerpt.data.ends_with(']'))
}

fn excerpt_of_text(kind: ParserKind, text: &str) -> Option<Excerpt> {
    match kind {
        // Old servers with `MessagePack` have some of their packets in plain JSON.
        ParserKind::MessagePack | ParserKind::PlainJson => plain_json::excerpt(text),
        ParserKind::Json => json::excerpt(text),
    }
}

fn show(excerpt: &Excerpt) -> String {
    let Excerpt { kind, namespace, id, attachments, data } = excerpt;
    let namespace = namespace.split('?').next().unwrap_or_default();
    let header = Header { kind: *kind, namespace, id: *id };
    let mut text = String::new();
    json::write_prefix(header, *attachments, &mut text);
    match kind {
        Kind::Connect | Kind::Disconnect => {}
        Kind::Event | Kind::Ack | Kind::ConnectError => text.push_str(data),
    }
    snippet(text.as_bytes())
}

#[cfg(test)]
mod tests;
