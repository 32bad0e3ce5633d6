//! Floor 2: the wire formats of Engine.IO and Socket.IO, as codecs without I/O.
//!
//! Every packet both encodes and decodes, in both directions: nothing here is for one side only.

pub(crate) mod dialect;
pub(crate) mod handshake;
pub(crate) mod json;
pub(crate) mod packet;
mod packet_text;
pub(crate) mod parser;
pub(crate) mod query;
pub(crate) mod socket_packet;
pub(crate) mod text;

use crate::error::{Error, ErrorKind, snippet};

/// The error that a peer broke a protocol: what is wrong, and what it sent.
#[cold]
fn protocol_error(wrong: &str, received: &[u8]) -> Error {
    Error::new(ErrorKind::Protocol, format!("{wrong}: \"{}\"", snippet(received)))
}

/// The error that what a peer sends is larger than the limit for messages.
#[cold]
fn too_large(what: &str, bytes: usize, limit: usize) -> Error {
    let context = format!("{what} of at least {bytes} bytes exceeds the limit of {limit} bytes");
    Error::new(ErrorKind::TooLarge, context).with_hint("`Limits::max_message` raises it")
}
