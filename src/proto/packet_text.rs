//! Engine.IO packets as text: a type digit, then the data.
//!
//! Both revisions share it. They differ only in what stands before the base64 of a binary packet.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::packet::{Packet, Probe};
use super::protocol_error;
use super::text::{MessageText, SharedText};
use crate::error::Result;

/// The standard alphabet; padding is written, and may be missing in what is read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a ping or a pong carries on a transport under test.
const PROBE: &str = "probe";

/// The length of `bytes` bytes in base64.
pub(super) fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// The length of a packet as text, in bytes; `binary` stands before base64.
pub(super) fn text_len(packet: &Packet, binary: &str) -> usize {
    match packet {
        Packet::Text(text) => text.as_frame().len(),
        Packet::Binary(bytes) => binary.len().saturating_add(base64_len(bytes.len())),
        Packet::Open(json) => 1 + json.len(),
        Packet::Ping(Probe::Probe) | Packet::Pong(Probe::Probe) => 1 + PROBE.len(),
        _ => 1,
    }
}

/// Appends a packet as text; `binary` stands before base64.
pub(super) fn write_text(packet: &Packet, binary: &str, out: &mut String) {
    let (digit, data) = match packet {
        Packet::Text(text) => (text.as_frame(), ""),
        Packet::Binary(bytes) => {
            out.push_str(binary);
            BASE64.encode_string(bytes, out);
            return;
        }
        Packet::Open(json) => ("0", &**json),
        Packet::Close => ("1", ""),
        Packet::Ping(probe) => ("2", probe_data(*probe)),
        Packet::Pong(probe) => ("3", probe_data(*probe)),
        Packet::Upgrade => ("5", ""),
        Packet::Noop => ("6", ""),
    };
    out.push_str(digit);
    out.push_str(data);
}

/// A packet as text; `binary` stands before base64.
pub(super) fn to_text(packet: &Packet, binary: &str) -> String {
    let mut text = String::with_capacity(text_len(packet, binary));
    write_text(packet, binary, &mut text);
    text
}

/// Reads a packet from text; `binary` stands before base64.
pub(super) fn read_text(text: SharedText, binary: &str) -> Result<Packet> {
    let text = match MessageText::from_frame(text) {
        Ok(message) => return Ok(Packet::Text(message)),
        Err(text) => text,
    };
    if let Some(base64) = text.strip_prefix(binary) {
        return read_base64(base64);
    }
    let data = text.get(1..).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b'0') => Ok(Packet::Open(data.to_owned())),
        Some(b'1') => Ok(Packet::Close),
        Some(b'2') => Ok(Packet::Ping(probe(data))),
        Some(b'3') => Ok(Packet::Pong(probe(data))),
        Some(b'5') => Ok(Packet::Upgrade),
        Some(b'6') => Ok(Packet::Noop),
        Some(_) => Err(protocol_error("unknown packet type", text.as_bytes())),
        None => Err(protocol_error("empty packet", b"")),
    }
}

fn read_base64(base64: &str) -> Result<Packet> {
    match BASE64.decode(base64) {
        Ok(bytes) => Ok(Packet::Binary(Bytes::from(bytes))),
        Err(error) => {
            Err(protocol_error("bad base64 in a packet", base64.as_bytes()).with_source(error))
        }
    }
}

fn probe_data(probe: Probe) -> &'static str {
    match probe {
        Probe::Heartbeat => "",
        Probe::Probe => PROBE,
    }
}

fn probe(data: &str) -> Probe {
    if data == PROBE { Probe::Probe } else { Probe::Heartbeat }
}
