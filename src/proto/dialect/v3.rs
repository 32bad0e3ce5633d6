//! Engine.IO 3: payloads with lengths, a type byte before binary, heartbeats from the client.
//!
//! A body is either text or binary as a whole. In a text body lengths count UTF-16 units, because
//! JavaScript counts so; in a binary body they count bytes.

use std::collections::VecDeque;
use std::io::BufRead;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

#[cfg(feature = "server")]
use super::JoinRequest;
use super::body::{NO_SERVER, ResponseBody, fitting, packets};
use super::{Body, BodyRoom, Connect, Credentials, Dialect, Frame, Membership, Pinger};
use crate::error::{Error, Result};
use crate::proto::json::member;
use crate::proto::packet::Packet;
use crate::proto::packet_text::{read_text, text_len, to_text, write_text};
use crate::proto::protocol_error;
use crate::proto::query::push_parameter;

/// What stands before base64: a mark, and the type of the packet.
const BINARY: &str = "b4";

/// The type byte of a message, in front of binary.
const MESSAGE: u8 = 4;

/// In a binary body: what begins a text packet, what begins a binary one, what ends a length.
const TEXT_MARK: u8 = 0;
const BINARY_MARK: u8 = 1;
const LENGTH_END: u8 = 0xFF;

/// The most digits of a length.
const MAX_DIGITS: usize = 10;

/// The dialect of servers 1.x and 2.x, and of later ones with `allowEIO3`.
#[derive(Debug)]
pub(super) struct V3;

impl Dialect for V3 {
    fn eio(&self) -> &'static str {
        "3"
    }

    fn pinger(&self) -> Pinger {
        Pinger::Client
    }

    fn joins_root(&self) -> bool {
        true
    }

    fn connect(&self, namespace: &str, credentials: Credentials<'_>) -> Connect {
        Connect { namespace: with_query(namespace, credentials.auth), data: String::new() }
    }

    fn membership(&self, namespace: &str, sid: &str, data: &str) -> Option<Membership> {
        if member(data, "sid").is_some() {
            return None;
        }
        Some(Membership { id: id_in(namespace, sid), pid: None })
    }

    fn is_lax(&self) -> bool {
        true
    }

    fn reports_errors(&self) -> bool {
        true
    }

    fn encode_frame(&self, packet: Packet, base64: bool) -> Frame {
        match packet {
            Packet::Text(text) => Frame::Text(text.into_frame()),
            Packet::Binary(bytes) if !base64 => {
                let mut frame = BytesMut::with_capacity(1 + bytes.len());
                frame.put_u8(MESSAGE);
                frame.put(bytes);
                Frame::Binary(frame.freeze())
            }
            packet => Frame::Text(to_text(&packet, BINARY).into()),
        }
    }

    fn frame_len(&self, packet: &Packet, base64: bool) -> usize {
        match packet {
            Packet::Binary(bytes) if !base64 => 1 + bytes.len(),
            packet => text_len(packet, BINARY),
        }
    }

    fn body_len(&self, packet: &Packet) -> usize {
        size(packet)
    }

    fn decode_frame(&self, frame: Frame) -> Result<Packet> {
        match frame {
            Frame::Text(text) => read_text(text, BINARY),
            Frame::Binary(bytes) => read_binary(bytes),
        }
    }

    fn encode_payload(&self, queue: &mut VecDeque<Packet>, room: BodyRoom) -> Body {
        write_body(queue, room, needs_binary)
    }

    #[cfg(feature = "server")]
    fn join_request<'a>(&self, namespace: &'a str, _: &'a str) -> JoinRequest<'a> {
        let (namespace, query) = namespace.split_once('?').unwrap_or((namespace, ""));
        JoinRequest { namespace, auth: "", query }
    }

    #[cfg(feature = "server")]
    fn socket_id(&self, namespace: &str, sid: &str) -> Option<String> {
        Some(id_in(namespace, sid))
    }

    #[cfg(feature = "server")]
    fn welcome(&self, _: &Membership) -> String {
        String::new()
    }

    #[cfg(feature = "server")]
    fn refusal(&self, message: &str, data: Option<&str>) -> String {
        data.map_or_else(|| Value::from(message).to_string(), str::to_owned)
    }

    #[cfg(feature = "server")]
    fn encode_answer(&self, queue: &mut VecDeque<Packet>, room: BodyRoom, base64: bool) -> Body {
        let has_binary = |packet: &Packet| matches!(packet, Packet::Binary(_));
        write_body(queue, room, |packet| has_binary(packet) && !base64)
    }

    fn decode_payload<'a>(
        &self,
        binary: bool,
        body: Box<dyn BufRead + 'a>,
        max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
        let mut reader = V3Reader { body: ResponseBody::new(body, max), is_binary: binary };
        packets(move || reader.next())
    }
}

/// The id of the socket that a session has in a namespace.
fn id_in(namespace: &str, sid: &str) -> String {
    if namespace == "/" { sid.to_owned() } else { format!("{namespace}#{sid}") }
}

/// A namespace with credentials as the query that servers look for: text as it is, anything else as
/// JSON.
fn with_query(namespace: &str, auth: &str) -> String {
    let members: Map<String, Value> = serde_json::from_str(auth).unwrap_or_default();
    let mut url = namespace.to_owned();
    for (index, (name, value)) in members.iter().enumerate() {
        let json = value.to_string();
        push_parameter(&mut url, index == 0, name, value.as_str().unwrap_or(&json));
    }
    url
}

/// Writes as many packets as fit, in a binary body if one of them needs it.
fn write_body(
    queue: &mut VecDeque<Packet>,
    room: BodyRoom,
    needs_binary: impl Fn(&Packet) -> bool,
) -> Body {
    let (count, size) = fitting(queue, room, 0, size);
    let binary = queue.iter().take(count).any(needs_binary);
    let mut bytes = BytesMut::with_capacity(size);
    let mut text = String::new();
    for packet in std::iter::from_fn(|| queue.pop_front()).take(count) {
        match packet {
            Packet::Binary(data) if binary => put_binary(&data, &mut bytes),
            packet => {
                text.clear();
                write_text(&packet, BINARY, &mut text);
                put_text(&text, binary, &mut bytes);
            }
        }
    }
    Body { binary, bytes: bytes.freeze() }
}

/// Whether the body of a request with this packet is to be a binary one.
///
/// Text beyond ASCII could be sent in a text body as well. But servers 1.x read such text as if it
/// were encoded twice, and only in a binary body do all servers agree on how to count it.
fn needs_binary(packet: &Packet) -> bool {
    match packet {
        Packet::Binary(_) => true,
        Packet::Text(text) => !text.as_frame().is_ascii(),
        Packet::Open(json) => !json.is_ascii(),
        _ => false,
    }
}

/// The size of a packet in a binary body, which is at most one byte more than in a text body.
fn size(packet: &Packet) -> usize {
    let content = match packet {
        Packet::Binary(bytes) => 1 + bytes.len(),
        packet => text_len(packet, BINARY),
    };
    content + 2 + content.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn put_text(text: &str, binary: bool, out: &mut BytesMut) {
    if binary {
        out.put_u8(TEXT_MARK);
        put_length(text.len(), out);
    } else {
        let units: usize = text.chars().map(char::len_utf16).sum();
        out.put_slice(units.to_string().as_bytes());
        out.put_u8(b':');
    }
    out.put_slice(text.as_bytes());
}

fn put_binary(data: &[u8], out: &mut BytesMut) {
    out.put_u8(BINARY_MARK);
    put_length(1 + data.len(), out);
    out.put_u8(MESSAGE);
    out.put_slice(data);
}

/// The digits of a length as bytes of their value, and what ends them.
fn put_length(length: usize, out: &mut BytesMut) {
    for digit in length.to_string().bytes() {
        out.put_u8(digit - b'0');
    }
    out.put_u8(LENGTH_END);
}

/// Reads a packet whose type is a byte.
fn read_binary(mut bytes: Bytes) -> Result<Packet> {
    match bytes.first() {
        Some(&MESSAGE) => {
            bytes = bytes.slice(1..);
            Ok(Packet::Binary(bytes))
        }
        Some(_) => Err(protocol_error("a binary packet that is no message", &bytes)),
        None => Err(protocol_error("empty packet", b"")),
    }
}

const NEW_SERVER: &str = "the server seems to speak EIO=4, as Socket.IO 3.x and later do";

/// Reads the packets of a response.
struct V3Reader<'a> {
    body: ResponseBody<'a>,
    is_binary: bool,
}

impl V3Reader<'_> {
    fn next(&mut self) -> Result<Option<Packet>> {
        if self.is_binary { self.next_of_binary_body() } else { self.next_of_text_body() }
    }

    fn next_of_text_body(&mut self) -> Result<Option<Packet>> {
        // A packet of no length is sent for an empty list.
        let mut length = 0;
        while length == 0 {
            length = match self.body.peek()? {
                Some(b'0'..=b'9') => self.length(b':', |byte| byte.checked_sub(b'0'))?,
                None if self.body.started => return Ok(None),
                _ => return Err(self.no_packet(NO_SERVER)),
            };
            self.body.started = true;
        }
        let text = self.units(length)?;
        self.body.packet(text, BINARY).map(Some)
    }

    fn next_of_binary_body(&mut self) -> Result<Option<Packet>> {
        let (mut mark, mut length) = (TEXT_MARK, 0);
        while length == 0 {
            mark = match self.body.peek()? {
                Some(mark @ (TEXT_MARK | BINARY_MARK)) => mark,
                None if self.body.started => return Ok(None),
                _ => return Err(self.no_packet(NO_SERVER)),
            };
            self.body.skip();
            length = self.length(LENGTH_END, Some)?;
            self.body.started = true;
        }
        if mark == BINARY_MARK {
            // The type byte does not count.
            self.body.check_size(length - 1)?;
            return read_binary(Bytes::from(self.bytes(length)?)).map(Some);
        }
        self.check_text_size(length)?;
        let text = self.bytes(length)?;
        self.body.packet(text, BINARY).map(Some)
    }

    /// Reads a length and what ends it. `digit` gives the value of a byte.
    fn length(&mut self, end: u8, digit: impl Fn(u8) -> Option<u8>) -> Result<usize> {
        let mut length = 0_usize;
        for digits in 0..=MAX_DIGITS {
            let Some(byte) = self.body.peek()? else { return Err(truncated()) };
            if byte == end && digits > 0 {
                self.body.skip();
                return Ok(length);
            }
            let Some(digit) = digit(byte).filter(|digit| *digit < 10) else { break };
            self.body.skip();
            length = length.saturating_mul(10).saturating_add(usize::from(digit));
        }
        // `0{`: the handshake of a server that writes no lengths.
        let is_new = length == 0 && self.body.peek()? == Some(b'{');
        Err(self.no_packet(if is_new { NEW_SERVER } else { NO_SERVER }))
    }

    /// Reads a text of that many UTF-16 units.
    fn units(&mut self, length: usize) -> Result<Vec<u8>> {
        // No unit takes less than a byte.
        self.check_text_size(length)?;
        let mut text = Vec::new();
        let mut left = length;
        while left > 0 || matches!(self.body.peek()?, Some(0x80..=0xBF)) {
            let Some(byte) = self.body.peek()? else { return Err(truncated()) };
            let units = match byte {
                0x80..=0xBF => 0,
                0xF0.. => 2,
                _ => 1,
            };
            left = left.checked_sub(units).ok_or_else(|| {
                protocol_error("the length of a packet ends within a character", &text)
            })?;
            text.push(byte);
            self.body.skip();
            self.check_text_size(text.len())?;
        }
        Ok(text)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let bytes = self.body.bytes(length)?;
        if bytes.len() < length { Err(truncated()) } else { Ok(bytes) }
    }

    fn check_text_size(&self, length: usize) -> Result<()> {
        if length > self.body.max_base64(BINARY) {
            return Err(self.body.too_large(length));
        }
        Ok(())
    }

    /// The error for what does not begin like a packet, with the hint for the first one.
    fn no_packet(&mut self, hint: &'static str) -> Error {
        let error = protocol_error("no packet of Engine.IO 3", &self.body.sample());
        if self.body.started { error } else { error.with_hint(hint) }
    }
}

fn truncated() -> Error {
    protocol_error("a body ends within a packet", b"")
}

#[cfg(test)]
mod tests;
