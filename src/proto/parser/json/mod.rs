//! The default parser: JSON text, binary as attachments that follow it.

mod decode;
mod encode;
mod prefix;

use std::collections::VecDeque;

use bytes::Bytes;

pub(super) use self::decode::decode;
pub(super) use self::encode::write_prefix;
use self::prefix::{Id, Prefix};
use super::Parser;
use super::excerpt::{self, Excerpt};
use crate::error::{Error, Result, snippet};
use crate::payload::{Payload, placeholder};
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, SocketPacket};
use crate::proto::text::{MessageBuilder, MessageText};
use crate::proto::{protocol_error, too_large};

/// The parser.
#[derive(Debug)]
pub(super) struct JsonParser {
    // The most attachments that a packet may announce.
    max_attachments: usize,
    // The most bytes that an unfinished packet may hold.
    max_bytes: usize,
    // Whether to take what only old servers send.
    lax: bool,
    bounds_placeholders: bool,
    // The packet whose attachments are on their way.
    unfinished: Option<Box<Unfinished>>,
}

/// A packet without all of its attachments.
#[derive(Debug)]
struct Unfinished {
    packet: SocketPacket,
    // Those that are here.
    attachments: Vec<Bytes>,
    // How many attachments it announced.
    announced: usize,
    // The size of the text and of the attachments so far.
    bytes: usize,
}

impl JsonParser {
    /// A parser with its limits.
    pub(super) fn new(max_attachments: usize, max_bytes: usize) -> Self {
        Self {
            max_attachments,
            max_bytes,
            lax: false,
            bounds_placeholders: false,
            unfinished: None,
        }
    }
}

/// What a log needs to know of a packet. `None`: it is none of this parser's.
pub(super) fn excerpt(text: &str) -> Option<Excerpt> {
    let Prefix { kind, attachments, namespace, id, len } =
        Prefix::read(text, usize::MAX, true).ok()?;
    let namespace = namespace.and_then(|range| text.get(range)).unwrap_or("/").to_owned();
    let id = if let Id::Some(id) = id { Some(id) } else { None };
    let data = excerpt::start(text.get(len..).unwrap_or_default());
    Some(Excerpt { kind, namespace, id, attachments, data })
}

impl Unfinished {
    /// Checks the size of what is here.
    fn check_size(&self, max: usize) -> Result<()> {
        if self.bytes > max {
            return Err(too_large("a packet with attachments", self.bytes, max));
        }
        Ok(())
    }

    /// The error about a packet that does not fit its attachments.
    fn error(&self, wrong: &str) -> Error {
        let here = self.attachments.len();
        let announced = self.announced;
        let context = format!("{wrong} ({here} of {announced} attachments are here)");
        protocol_error(&context, self.packet.text.as_str().as_bytes())
    }
}

impl Parser for JsonParser {
    fn encode(&self, header: Header<'_>, payload: &Payload, queue: &mut VecDeque<Packet>) {
        encode::encode(header, payload, queue);
    }

    fn write_text(&self, header: Header<'_>, payload: &Payload, to: &mut MessageBuilder) -> bool {
        let is_text = payload.attachments.is_empty();
        if is_text {
            encode::write(header, &payload.json, to);
        }
        is_text
    }

    fn decode_text(&mut self, text: MessageText) -> Result<Option<SocketPacket>> {
        if let Some(unfinished) = self.unfinished.take() {
            let start = snippet(text.as_str().as_bytes());
            return Err(
                unfinished.error(&format!("text \"{start}\" where an attachment was expected for"))
            );
        }
        let bytes = text.as_str().len();
        let (packet, announced) = decode(text, self.max_attachments, self.lax)?;
        if announced == 0 {
            return Ok(Some(packet));
        }
        let attachments = Vec::new();
        let unfinished = Box::new(Unfinished { packet, attachments, announced, bytes });
        unfinished.check_size(self.max_bytes)?;
        self.unfinished = Some(unfinished);
        Ok(None)
    }

    fn decode_binary(&mut self, bytes: Bytes) -> Result<Option<SocketPacket>> {
        let Some(mut unfinished) = self.unfinished.take() else {
            return Err(protocol_error("an attachment that no packet announced", &bytes));
        };
        unfinished.bytes = unfinished.bytes.saturating_add(bytes.len());
        unfinished.check_size(self.max_bytes)?;
        if unfinished.attachments.is_empty() {
            // Mostly there is one. Room for more would come from a part of the allocator that threads
            // share by a lock.
            unfinished.attachments.reserve_exact(1);
        }
        unfinished.attachments.push(bytes);
        if unfinished.attachments.len() < unfinished.announced {
            self.unfinished = Some(unfinished);
            return Ok(None);
        }
        let Some(found) = placeholder::find(unfinished.packet.data(), unfinished.announced) else {
            return Err(unfinished.error("a placeholder without its attachment in"));
        };
        if self.bounds_placeholders && found.len() > unfinished.announced {
            return Err(unfinished.error("more placeholders than attachments in"));
        }
        let Unfinished { packet, attachments, .. } = *unfinished;
        Ok(Some(SocketPacket { attachments: attachments.into(), ..packet }))
    }

    fn unfinished(&self) -> Option<&str> {
        self.unfinished.as_ref().map(|unfinished| unfinished.packet.namespace())
    }

    fn reset(&mut self) {
        self.unfinished = None;
    }

    fn set_lax(&mut self, lax: bool) {
        self.lax = lax;
    }

    fn bound_placeholders(&mut self) {
        self.bounds_placeholders = true;
    }
}

#[cfg(test)]
mod tests;
