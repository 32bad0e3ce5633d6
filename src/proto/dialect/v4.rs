//! Engine.IO 4: payloads separated by 0x1E, raw binary frames, heartbeats from the server.

use std::collections::VecDeque;
use std::io::BufRead;

use bytes::Bytes;
use serde_json::Value;

#[cfg(feature = "server")]
use super::JoinRequest;
use super::body::{NO_SERVER, ResponseBody, fitting, packets};
use super::{Body, BodyRoom, Connect, Credentials, Dialect, Frame, Membership, Pinger};
use crate::error::{Error, ErrorKind, Result};
use crate::proto::json::{member, unquoted};
use crate::proto::packet::Packet;
use crate::proto::packet_text::{read_text, text_len, to_text, write_text};
use crate::proto::protocol_error;

/// What stands between the packets of a payload. JSON has it only as an escape.
const SEPARATOR: u8 = 0x1E;

/// What stands before base64.
const BINARY: &str = "b";

/// The dialect of servers 3.x and 4.x.
#[derive(Debug)]
pub(super) struct V4;

impl Dialect for V4 {
    fn eio(&self) -> &'static str {
        "4"
    }

    fn pinger(&self) -> Pinger {
        Pinger::Server
    }

    fn joins_root(&self) -> bool {
        false
    }

    fn connect(&self, namespace: &str, credentials: Credentials<'_>) -> Connect {
        Connect { namespace: namespace.to_owned(), data: connect_data(credentials) }
    }

    fn membership(&self, _: &str, _: &str, data: &str) -> Option<Membership> {
        let text = |name: &str| Some(unquoted(member(data, name)?)?.into_owned());
        Some(Membership { id: text("sid")?, pid: text("pid") })
    }

    fn is_lax(&self) -> bool {
        false
    }

    fn reports_errors(&self) -> bool {
        false
    }

    fn encode_frame(&self, packet: Packet, base64: bool) -> Frame {
        match packet {
            Packet::Text(text) => Frame::Text(text.into_frame()),
            Packet::Binary(bytes) if !base64 => Frame::Binary(bytes),
            packet => Frame::Text(to_text(&packet, BINARY).into()),
        }
    }

    fn frame_len(&self, packet: &Packet, base64: bool) -> usize {
        match packet {
            Packet::Binary(bytes) if !base64 => bytes.len(),
            packet => text_len(packet, BINARY),
        }
    }

    fn body_len(&self, packet: &Packet) -> usize {
        text_len(packet, BINARY)
    }

    fn decode_frame(&self, frame: Frame) -> Result<Packet> {
        match frame {
            Frame::Text(text) => read_text(text, BINARY),
            Frame::Binary(bytes) => Ok(Packet::Binary(bytes)),
        }
    }

    fn encode_payload(&self, queue: &mut VecDeque<Packet>, room: BodyRoom) -> Body {
        let (count, size) = fitting(queue, room, 1, |packet| text_len(packet, BINARY));
        let mut text = String::with_capacity(size);
        for packet in std::iter::from_fn(|| queue.pop_front()).take(count) {
            if !text.is_empty() {
                text.push(char::from(SEPARATOR));
            }
            write_text(&packet, BINARY, &mut text);
        }
        Body { binary: false, bytes: Bytes::from(text) }
    }

    #[cfg(feature = "server")]
    fn join_request<'a>(&self, namespace: &'a str, data: &'a str) -> JoinRequest<'a> {
        // The query of a namespace means nothing in this revision, and is not part of its name.
        let (namespace, query) = namespace.split_once('?').unwrap_or((namespace, ""));
        JoinRequest { namespace, auth: data, query }
    }

    #[cfg(feature = "server")]
    fn socket_id(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    #[cfg(feature = "server")]
    fn welcome(&self, membership: &Membership) -> String {
        let sid = Value::from(membership.id.as_str());
        match &membership.pid {
            Some(pid) => format!(r#"{{"sid":{sid},"pid":{}}}"#, Value::from(pid.as_str())),
            None => format!(r#"{{"sid":{sid}}}"#),
        }
    }

    #[cfg(feature = "server")]
    fn refusal(&self, message: &str, data: Option<&str>) -> String {
        let message = Value::from(message);
        match data {
            Some(data) => format!(r#"{{"message":{message},"data":{data}}}"#),
            None => format!(r#"{{"message":{message}}}"#),
        }
    }

    #[cfg(feature = "server")]
    fn encode_answer(&self, queue: &mut VecDeque<Packet>, room: BodyRoom, _: bool) -> Body {
        self.encode_payload(queue, room)
    }

    fn decode_payload<'a>(
        &self,
        binary: bool,
        body: Box<dyn BufRead + 'a>,
        max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
        if binary {
            return packets(|| {
                let error =
                    Error::new(ErrorKind::Protocol, "a binary body where text was expected");
                Err(error.with_hint(OLD_SERVER))
            });
        }
        let mut reader = V4Reader { body: ResponseBody::new(body, max), at_end: false };
        packets(move || reader.next())
    }
}

/// The credentials with what the recovery of a session needs.
fn connect_data(Credentials { auth, pid, offset }: Credentials<'_>) -> String {
    let Some(pid) = pid else { return auth.to_owned() };
    let mut json = format!("{{\"pid\":{}", Value::from(pid));
    if let Some(offset) = offset {
        json.push_str(",\"offset\":");
        json.push_str(&Value::from(offset).to_string());
    }
    // Of two members of one name the last one counts: the caller's.
    let members = auth.trim_start().strip_prefix('{').unwrap_or("}").trim_start();
    if !members.starts_with('}') {
        json.push(',');
    }
    json.push_str(members);
    json
}

const OLD_SERVER: &str = "the server seems to speak EIO=3, as Socket.IO 1.x and 2.x do";

/// Reads the packets of a response.
struct V4Reader<'a> {
    body: ResponseBody<'a>,
    /// The last packet was read: no separator stood behind it.
    at_end: bool,
}

impl V4Reader<'_> {
    fn next(&mut self) -> Result<Option<Packet>> {
        if self.at_end {
            return Ok(None);
        }
        let first = self.body.peek()?;
        let limit = match first {
            Some(b'0'..=b'6') => self.body.max,
            Some(b'b') => self.body.max_base64(BINARY),
            _ => return Err(self.no_packet(first)),
        };
        let text = self.text(limit)?;
        if !self.body.started && is_eio3(&text) {
            let error = protocol_error("a payload of another revision", &text);
            return Err(error.with_hint(OLD_SERVER));
        }
        self.body.started = true;
        self.body.packet(text, BINARY).map(Some)
    }

    /// Reads up to the next separator, which it drops, or to the end of the body.
    fn text(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut text = self.body.bytes_until(SEPARATOR, limit)?;
        if text.last() == Some(&SEPARATOR) {
            text.pop();
        } else if text.len() > limit {
            return Err(self.body.too_large(self.body.max.saturating_add(1)));
        } else {
            self.at_end = true;
        }
        Ok(text)
    }

    /// The error for what does not begin like a packet.
    fn no_packet(&mut self, first: Option<u8>) -> Error {
        let wrong = match first {
            None if !self.body.started => "an empty body",
            None | Some(SEPARATOR) => "an empty packet",
            Some(_) => "no packet of Engine.IO",
        };
        let sample = self.body.sample();
        let error = protocol_error(wrong, &sample);
        if self.body.started || matches!(first, None | Some(SEPARATOR)) {
            error
        } else if is_eio3(&sample) {
            error.with_hint(OLD_SERVER)
        } else {
            error.with_hint(NO_SERVER)
        }
    }
}

/// Whether a body begins with a handshake and its length, as it does in Engine.IO 3.
///
/// A length that begins with 4 is not taken for one: it could be a message of a custom parser.
fn is_eio3(body: &[u8]) -> bool {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).take(5).count();
    (2..5).contains(&digits) && body[0] != b'4' && body[digits..].starts_with(b":0{")
}

#[cfg(test)]
mod tests;
