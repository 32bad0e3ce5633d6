//! The errors about what is received.

use crate::error::Error;
use crate::proto::parser::parts::no_packet;
use crate::proto::too_large;

/// The error about a message that is none of this parser's.
#[cold]
pub(super) fn unexpected(what: &str, received: &[u8]) -> Error {
    no_packet(what, "of MessagePack", received)
}

/// The error that a packet becomes too large.
#[cold]
pub(super) fn too_long(bytes: usize, max: usize) -> Error {
    too_large("a packet as JSON", bytes, max)
}
