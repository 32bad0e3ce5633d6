//! Floor 1: the wire formats of Engine.IO and Socket.IO, as codecs without I/O.
//!
//! Every packet both encodes and decodes, in both directions: nothing here says "client".

pub(crate) mod handshake;
pub(crate) mod json;
pub(crate) mod packet;
pub(crate) mod parser;
pub(crate) mod revision;
pub(crate) mod socket_packet;
pub(crate) mod text;
mod v4;
