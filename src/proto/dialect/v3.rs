//! Engine.IO 3: payloads with lengths, a type byte before binary, heartbeats from the client.
//!
//! A body is either text or binary as a whole. In a text body lengths count UTF-16 units, because
//! JavaScript counts so; in a binary body they count bytes.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

use super::body::{NO_SERVER, broken_body, peek};
use super::{Body, Connect, Credentials, Dialect, Frame, Heartbeat, Membership};
use crate::error::{Error, Result};
use crate::proto::packet::Packet;
use crate::proto::packet_text::{base64_len, read_text, text_len, write_text};
use crate::proto::query::push_parameter;
use crate::proto::{protocol_error, too_large};

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

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat::ClientPings
    }

    fn joins_root(&self) -> bool {
        true
    }

    fn connect(&self, namespace: &str, credentials: Credentials<'_>) -> Connect {
        Connect { namespace: with_query(namespace, credentials.auth), data: String::new() }
    }

    fn membership(&self, namespace: &str, sid: &str, data: &Value) -> Option<Membership> {
        if data.get("sid").is_some() {
            return None;
        }
        let id = if namespace == "/" { sid.to_owned() } else { format!("{namespace}#{sid}") };
        Some(Membership { id, pid: None })
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
            packet => {
                let mut text = String::with_capacity(text_len(&packet, BINARY));
                write_text(&packet, BINARY, &mut text);
                Frame::Text(text.into())
            }
        }
    }

    fn decode_frame(&self, frame: Frame) -> Result<Packet> {
        match frame {
            Frame::Text(text) => read_text(text, BINARY),
            Frame::Binary(bytes) => read_binary(bytes),
        }
    }

    fn encode_payload(&self, queue: &mut VecDeque<Packet>, max: Option<usize>) -> Body {
        let (count, size) = fitting(queue, max.unwrap_or(usize::MAX));
        let binary = queue.iter().take(count).any(needs_binary);
        let mut bytes = BytesMut::with_capacity(size);
        let mut text = String::new();
        for packet in queue.drain(..count) {
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

    fn decode_payload<'a>(
        &self,
        binary: bool,
        body: Box<dyn BufRead + 'a>,
        max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
        Box::new(Payload { body, binary, max, started: false, ended: false })
    }
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

/// Whether a body with this packet is to be a binary one.
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

/// How many packets fit into a body of `max` bytes, at least one, and the size of that body.
fn fitting(queue: &VecDeque<Packet>, max: usize) -> (usize, usize) {
    let mut total = 0_usize;
    for (count, packet) in queue.iter().enumerate() {
        let larger = total.saturating_add(size(packet));
        if count > 0 && larger > max {
            return (count, total);
        }
        total = larger;
    }
    (queue.len(), total)
}

fn put_text(text: &str, binary: bool, out: &mut BytesMut) {
    if binary {
        out.put_u8(TEXT_MARK);
        put_length(text.len(), out);
    } else {
        // ASCII: one UTF-16 unit for each byte.
        out.put_slice(text.len().to_string().as_bytes());
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

/// How much of what is no packet is read, for the error message.
const SAMPLE: usize = 64;

/// The packets of a response, read one at a time.
struct Payload<'a> {
    body: Box<dyn BufRead + 'a>,
    binary: bool,
    max: usize,
    started: bool,
    ended: bool,
}

impl Iterator for Payload<'_> {
    type Item = Result<Packet>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let item = if self.binary { self.of_binary_body() } else { self.of_text_body() };
            self.started = true;
            match item {
                Ok(Item::Packet(packet)) => return Some(Ok(packet)),
                Ok(Item::Nothing) => {}
                Ok(Item::End) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What stands at one place of a body.
enum Item {
    Packet(Packet),
    /// A packet of no length, as servers send it for an empty list.
    Nothing,
    End,
}

impl Payload<'_> {
    fn of_text_body(&mut self) -> Result<Item> {
        let length = match self.peek()? {
            Some(b'0'..=b'9') => self.length(b':', |byte| byte.checked_sub(b'0'))?,
            None if self.started => return Ok(Item::End),
            _ => return Err(self.no_packet(NO_SERVER)),
        };
        if length == 0 {
            return Ok(Item::Nothing);
        }
        let text = self.units(length)?;
        self.packet_of_text(text)
    }

    fn of_binary_body(&mut self) -> Result<Item> {
        let mark = match self.peek()? {
            Some(mark @ (TEXT_MARK | BINARY_MARK)) => mark,
            None if self.started => return Ok(Item::End),
            _ => return Err(self.no_packet(NO_SERVER)),
        };
        self.body.consume(1);
        let length = self.length(LENGTH_END, Some)?;
        if length == 0 {
            return Ok(Item::Nothing);
        }
        if mark == BINARY_MARK {
            // The type byte does not count.
            self.check_size(length - 1)?;
            return read_binary(Bytes::from(self.bytes(length)?)).map(Item::Packet);
        }
        self.check_text_size(length)?;
        let text = lossy(self.bytes(length)?);
        self.packet_of_text(text)
    }

    fn packet_of_text(&mut self, text: String) -> Result<Item> {
        match read_text(text.into(), BINARY)? {
            Packet::Binary(bytes) => {
                self.check_size(bytes.len())?;
                Ok(Item::Packet(Packet::Binary(bytes)))
            }
            Packet::Text(text) => {
                self.check_size(text.as_frame().len())?;
                Ok(Item::Packet(Packet::Text(text)))
            }
            packet => Ok(Item::Packet(packet)),
        }
    }

    /// Reads a length and what ends it. `digit` gives the value of a byte.
    fn length(&mut self, end: u8, digit: impl Fn(u8) -> Option<u8>) -> Result<usize> {
        let mut length = 0_usize;
        for digits in 0..=MAX_DIGITS {
            let Some(byte) = self.peek()? else { return Err(truncated()) };
            if byte == end && digits > 0 {
                self.body.consume(1);
                return Ok(length);
            }
            let Some(digit) = digit(byte).filter(|digit| *digit < 10) else { break };
            self.body.consume(1);
            length = length.saturating_mul(10).saturating_add(usize::from(digit));
        }
        // What was taken for a length may be the type of a packet that has none.
        let is_new = length == 0 && self.peek()? == Some(b'{');
        Err(self.no_packet(if is_new { NEW_SERVER } else { NO_SERVER }))
    }

    /// Reads a text of that many UTF-16 units.
    fn units(&mut self, length: usize) -> Result<String> {
        // No unit takes less than a byte.
        self.check_text_size(length)?;
        let mut text = Vec::new();
        let mut left = length;
        while left > 0 || matches!(self.peek()?, Some(0x80..=0xBF)) {
            let Some(byte) = self.peek()? else { return Err(truncated()) };
            let units = match byte {
                0x80..=0xBF => 0,
                0xF0.. => 2,
                _ => 1,
            };
            left = left.checked_sub(units).ok_or_else(|| {
                protocol_error("the length of a packet ends within a character", &text)
            })?;
            text.push(byte);
            self.body.consume(1);
            self.check_text_size(text.len())?;
        }
        Ok(lossy(text))
    }

    /// Reads that many bytes. Memory is taken as they come, not as they are announced.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let most = u64::try_from(length).unwrap_or(u64::MAX);
        self.body.by_ref().take(most).read_to_end(&mut bytes).map_err(broken_body)?;
        if bytes.len() < length { Err(truncated()) } else { Ok(bytes) }
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        peek(&mut self.body).map_err(broken_body)
    }

    /// The limit is for what base64 carries, so that both transports take the same.
    fn check_text_size(&self, length: usize) -> Result<()> {
        let limit = base64_len(self.max).saturating_add(BINARY.len());
        if length > limit { Err(self.too_large(length)) } else { Ok(()) }
    }

    fn check_size(&self, length: usize) -> Result<()> {
        if length > self.max { Err(self.too_large(length)) } else { Ok(()) }
    }

    fn too_large(&self, length: usize) -> Error {
        too_large("a packet", length, self.max)
    }

    /// The error for what does not begin like a packet, with the hint for the first one.
    fn no_packet(&mut self, hint: &'static str) -> Error {
        let mut sample = Vec::new();
        // What cannot be read is only missing in the message.
        let _ = self.body.by_ref().take(SAMPLE as u64).read_to_end(&mut sample);
        let error = protocol_error("no packet of Engine.IO 3", &sample);
        if self.started { error } else { error.with_hint(hint) }
    }
}

fn truncated() -> Error {
    protocol_error("a body ends within a packet", b"")
}

/// Bytes that are not UTF-8 become U+FFFD, as they do in browsers.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
