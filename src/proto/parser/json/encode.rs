//! Packets to messages.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use crate::payload::Payload;
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, Kind};
use crate::proto::text::{MessageBuilder, MessageText};

/// Appends the messages of a packet to `queue`: the text, then the attachments.
pub(super) fn encode(header: Header<'_>, payload: &Payload, queue: &mut VecDeque<Packet>) {
    // No other type can announce them.
    let may_attach = matches!(header.kind, Kind::Event | Kind::Ack);
    let attachments = if may_attach { &payload.attachments[..] } else { &[] };
    queue.push_back(Packet::Text(text(header, &payload.json, attachments.len())));
    queue.extend(attachments.iter().cloned().map(Packet::Binary));
}

/// Writes `<type>[<count>-][<namespace>,][<id>]<json>`.
fn text(header: Header<'_>, json: &str, attachments: usize) -> MessageText {
    let mut prefix = Length(0);
    write_prefix(header, attachments, &mut prefix);
    // Exactly as much as is needed: else sharing it would take another allocation.
    let mut text = MessageBuilder::with_capacity(prefix.0 + json.len());
    write_prefix(header, attachments, &mut text);
    text.push_str(json);
    text.finish()
}

/// The same for a packet without attachments.
pub(super) fn write(header: Header<'_>, json: &str, to: &mut MessageBuilder) {
    write_prefix(header, 0, to);
    to.push_str(json);
}

/// How long a text would be.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Writes what stands before the JSON.
pub(in crate::proto::parser) fn write_prefix(
    header: Header<'_>,
    attachments: usize,
    out: &mut impl Write,
) {
    let Header { kind, namespace, id } = header;
    // Writing to memory cannot fail.
    let _ = out.write_str(digit(kind, attachments > 0));
    if attachments > 0 {
        let _ = write!(out, "{attachments}-");
    }
    if namespace != "/" {
        let _ = write!(out, "{namespace},");
    }
    if let Some(id) = id {
        let _ = write!(out, "{id}");
    }
}

/// The type digit.
fn digit(kind: Kind, binary: bool) -> &'static str {
    match (kind, binary) {
        (Kind::Connect, _) => "0",
        (Kind::Disconnect, _) => "1",
        (Kind::Event, false) => "2",
        (Kind::Ack, false) => "3",
        (Kind::ConnectError, _) => "4",
        (Kind::Event, true) => "5",
        (Kind::Ack, true) => "6",
    }
}
