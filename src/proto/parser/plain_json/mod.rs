//! The parser of `socket.io-json-parser`: each packet is one text, the JSON of an object.
//!
//! There is no binary: it is written as Node.js writes a `Buffer` in JSON, and read by who asks for
//! it (see [`Binary`](crate::Binary)).

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::Bytes;

use super::Parser;
use super::excerpt::{self, Excerpt};
use super::parts::{Parts, kind_of, no_packet, number};
use crate::error::{Error, Result};
use crate::payload::Payload;
use crate::payload::placeholder::{self, Placeholder};
use crate::proto::json::{JsonType, members, scan, unquoted};
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, SocketPacket};
use crate::proto::text::{MessageBuilder, MessageText};

/// The parser.
#[derive(Debug, Default)]
pub(super) struct PlainJsonParser {
    /// Whether the server is an old one.
    lax: bool,
}

impl Parser for PlainJsonParser {
    fn encode(&self, header: Header<'_>, payload: &Payload, queue: &mut VecDeque<Packet>) {
        let Payload { json, attachments } = payload;
        let text = if attachments.is_empty() {
            write(header, json)
        } else {
            write(header, &with_buffers(json, attachments))
        };
        queue.push_back(Packet::Text(text));
    }

    fn decode_text(&mut self, text: MessageText) -> Result<Option<SocketPacket>> {
        read(text.as_str())?.into_packet(Vec::new(), self.lax).map(Some)
    }

    fn decode_binary(&mut self, bytes: Bytes) -> Result<Option<SocketPacket>> {
        Err(unexpected("binary", &bytes))
    }

    fn reset(&mut self) {}

    fn set_lax(&mut self, lax: bool) {
        self.lax = lax;
    }
}

/// Writes a packet as an object.
pub(super) fn write(Header { kind, namespace, id }: Header<'_>, data: &str) -> MessageText {
    let mut text = MessageBuilder::with_capacity(namespace.len() + data.len() + 60);
    // Writing to a text cannot fail.
    let _ = write!(text, r#"{{"type":{}"#, number(kind));
    if !data.is_empty() {
        text.push_str(",\"data\":");
        text.push_str(data);
    }
    let _ = write!(text, r#","nsp":{}"#, serde_json::Value::from(namespace));
    if let Some(id) = id {
        let _ = write!(text, ",\"id\":{id}");
    }
    text.push_str("}");
    text.finish()
}

/// Reads an object as a packet.
pub(super) fn read(text: &str) -> Result<Parts> {
    let fail = |wrong: &str| unexpected(wrong, text.as_bytes());
    let outline = scan(text).map_err(|error| fail(&format!("text (at byte {})", error.at)))?;
    if outline.json_type != JsonType::Object {
        return Err(fail("data"));
    }
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, "");
    let visited = members(text, |key, value| match &*unquoted(key).unwrap_or_default() {
        "type" => kind = Some(value),
        "nsp" => namespace = Some(value),
        "id" => id = Some(value),
        "data" => data = value,
        // Packets of JavaScript clients have a member `options` too.
        _ => {}
    });
    visited.map_err(|_| fail("text"))?;
    let kind = kind.ok_or_else(|| fail("an object without a type"))?;
    let namespace = namespace.ok_or_else(|| fail("an object without a namespace"))?;
    Ok(Parts {
        kind: integer(kind)
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| fail("an object of no type"))?,
        namespace: unquoted(namespace)
            .ok_or_else(|| fail("an object of no namespace"))?
            .into_owned(),
        id: id
            .map_or_else(|| Some(String::new()), integer)
            .ok_or_else(|| fail("an object with an impossible id"))?,
        data: data.to_owned(),
    })
}

/// What a log needs to know of a packet. `None`: it is none of this parser's.
pub(super) fn excerpt(text: &str) -> Option<Excerpt> {
    let Parts { kind, namespace, id, data } = read(text).ok()?;
    Some(Excerpt {
        kind: kind_of(kind, true)?,
        namespace,
        id: id.parse().ok(),
        attachments: 0,
        data: excerpt::start(&data),
    })
}

/// The digits of an integer that is not negative, however it is written.
fn integer(json: &str) -> Option<String> {
    if json.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(json.to_owned());
    }
    let number: f64 = serde_json::from_str(json).ok()?;
    (number >= 0.0 && number.fract() == 0.0).then(|| format!("{:.0}", number.abs()))
}

/// Puts attachments into the place of their placeholders.
pub(crate) fn with_buffers(json: &str, attachments: &[Bytes]) -> String {
    let bytes: usize = attachments.iter().map(Bytes::len).sum();
    let mut out = String::with_capacity(json.len() + 4 * bytes);
    let mut copied = 0;
    for Placeholder { range, number } in
        placeholder::find(json, attachments.len()).unwrap_or_default()
    {
        out.push_str(json.get(copied..range.start).unwrap_or_default());
        write_buffer(attachments.get(number).map_or(&[], |bytes| bytes), &mut out);
        copied = range.end;
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    out
}

/// Writes bytes as `JSON.stringify` writes a `Buffer`.
fn write_buffer(bytes: &[u8], out: &mut String) {
    out.push_str(r#"{"type":"Buffer","data":["#);
    for (index, byte) in bytes.iter().enumerate() {
        // Writing to a text cannot fail.
        let _ = write!(out, "{}{byte}", if index == 0 { "" } else { "," });
    }
    out.push_str("]}");
}

/// The error about a message that is none of this parser's.
#[cold]
fn unexpected(what: &str, received: &[u8]) -> Error {
    no_packet(what, "in plain JSON", received)
}

#[cfg(test)]
mod tests;
