//! The parser of `socket.io-msgpack-parser`: each packet is one binary message, a map of `MessagePack`
//! with binary inside.
//!
//! Within this crate data is JSON text with attachments whatever the parser, so that a program, its
//! types and what it logs stay the same; here one is written as the other, in one pass, without a
//! tree and without recursion.
//!
//! With servers 2.x (version 2 of that parser) all packets but events and acknowledgements are text:
//! the JSON of the same map.

mod date;
mod errors;
mod from_json;
mod to_json;
mod token;

use std::collections::VecDeque;

use bytes::Bytes;
use rmp::encode::{write_map_len, write_str, write_uint};

use self::errors::unexpected;
use self::from_json::write_json;
use self::to_json::JsonWriter;
use self::token::{Token, Tokens};
use super::excerpt::Excerpt;
use super::parts::{Parts, kind_of, number};
use super::{Parser, plain_json};
use crate::error::Result;
use crate::payload::{Payload, placeholder};
use crate::proto::packet::Packet;
use crate::proto::protocol_error;
use crate::proto::socket_packet::{Header, Kind, SocketPacket};
use crate::proto::text::MessageText;

/// The parser.
#[derive(Debug)]
pub(super) struct MsgpackParser {
    /// The most bytes that a packet may become.
    max_bytes: usize,
    /// Whether the server is an old one.
    lax: bool,
}

impl MsgpackParser {
    /// A parser with its limit.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, lax: false }
    }
}

impl Parser for MsgpackParser {
    fn encode(&self, header: Header<'_>, payload: &Payload, queue: &mut VecDeque<Packet>) {
        let is_text = self.lax && !matches!(header.kind, Kind::Event | Kind::Ack);
        queue.push_back(if is_text {
            Packet::Text(plain_json::write(header, &payload.json))
        } else {
            Packet::Binary(map(header, payload).into())
        });
    }

    fn decode_text(&mut self, text: MessageText) -> Result<Option<SocketPacket>> {
        if !self.lax {
            return Err(unexpected("text", text.as_str().as_bytes()));
        }
        plain_json::read(text.as_str())?.into_packet(Vec::new(), true).map(Some)
    }

    fn decode_binary(&mut self, bytes: Bytes) -> Result<Option<SocketPacket>> {
        let mut json = JsonWriter::new(self.max_bytes);
        let parts = read(&bytes, &mut json)?;
        let attachments = json.into_attachments();
        if !attachments.is_empty() && !placeholder::all_are_written(&parts.data, attachments.len())
        {
            let wrong = "binary data beside an object whose member `_placeholder` is `true`";
            return Err(protocol_error(wrong, &bytes));
        }
        parts.into_packet(attachments, self.lax).map(Some)
    }

    fn reset(&mut self) {}

    fn set_lax(&mut self, lax: bool) {
        self.lax = lax;
    }
}

/// Reads one value, which is all there is, as JSON of at most so many bytes, with attachments.
#[cfg(feature = "redis")]
pub(crate) fn read_value(bytes: &Bytes, max_bytes: usize) -> Result<Payload> {
    let mut tokens = Tokens::new(bytes);
    let mut json = JsonWriter::new(max_bytes);
    let text = json.value(&mut tokens)?;
    let attachments = json.into_attachments();
    if !tokens.is_empty() {
        return Err(unexpected("bytes behind a value", bytes));
    }
    if !placeholder::all_are_written(&text, attachments.len()) {
        return Err(unexpected("an object whose member `_placeholder` is `true`", bytes));
    }
    Ok(Payload { json: text, attachments })
}

/// Appends JSON with attachments.
#[cfg(feature = "redis")]
pub(crate) fn write_value(payload: &Payload, out: &mut Vec<u8>) {
    write_json(&payload.json, &payload.attachments, out);
}

/// Writes a packet as a map.
fn map(Header { kind, namespace, id }: Header<'_>, payload: &Payload) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.size() + namespace.len() + 40);
    let has_data = !payload.json.is_empty();
    // Writing to memory cannot fail.
    let _ = write_map_len(&mut out, 2 + u32::from(has_data) + u32::from(id.is_some()));
    let _ = write_str(&mut out, "type");
    let _ = write_uint(&mut out, number(kind).into());
    if has_data {
        let _ = write_str(&mut out, "data");
        write_json(&payload.json, &payload.attachments, &mut out);
    }
    let _ = write_str(&mut out, "nsp");
    let _ = write_str(&mut out, namespace);
    if let Some(id) = id {
        let _ = write_str(&mut out, "id");
        let _ = write_uint(&mut out, id);
    }
    out
}

/// Reads a map; its data becomes JSON by way of `json`.
fn read(bytes: &Bytes, json: &mut JsonWriter) -> Result<Parts> {
    let fail = |wrong: &str| unexpected(wrong, bytes);
    let mut tokens = Tokens::new(bytes);
    let Token::Map(members) = tokens.next()? else {
        return Err(fail("data"));
    };
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, String::new());
    for _ in 0..members {
        let Token::Str(key) = tokens.next()? else {
            return Err(fail("a key"));
        };
        match &*key {
            "type" => kind = integer(&tokens.next()?),
            "nsp" => match tokens.next()? {
                Token::Str(name) => namespace = Some(name.into_owned()),
                _ => return Err(fail("a namespace")),
            },
            "id" => match tokens.next()? {
                Token::Undefined => {}
                token => id = Some(integer(&token).ok_or_else(|| fail("an ack id"))?),
            },
            "data" => data = json.value(&mut tokens)?,
            // Packets of JavaScript clients have a member `options` too.
            _ => tokens.skip_value()?,
        }
    }
    if !tokens.is_empty() {
        return Err(fail("bytes behind a packet"));
    }
    Ok(Parts {
        kind: kind.ok_or_else(|| fail("a packet without its type"))?,
        namespace: namespace.ok_or_else(|| fail("a packet without its namespace"))?,
        id: id.map(|id| id.to_string()).unwrap_or_default(),
        data,
    })
}

/// What a log needs to know of a packet. `None`: it is none of this parser's.
pub(super) fn excerpt(bytes: &Bytes) -> Option<Excerpt> {
    let mut tokens = Tokens::new(bytes);
    let Token::Map(members) = tokens.next().ok()? else { return None };
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..members {
        let Token::Str(key) = tokens.next().ok()? else { return None };
        let value = tokens.clone();
        tokens.skip_value().ok()?;
        match &*key {
            "type" => kind = Some(value),
            "nsp" => namespace = Some(value),
            "id" => id = Some(value),
            "data" => data = Some(value),
            _ => {}
        }
    }
    let number = integer(&kind?.next().ok()?)?;
    let Token::Str(namespace) = namespace?.next().ok()? else { return None };
    Some(Excerpt {
        kind: kind_of(number, true)?,
        namespace: namespace.into_owned(),
        id: id.and_then(|mut id| integer(&id.next().ok()?)),
        attachments: 0,
        data: data.map(|mut data| to_json::start(&mut data)).unwrap_or_default(),
    })
}

fn integer(token: &Token<'_>) -> Option<u64> {
    match token {
        Token::Unsigned(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
