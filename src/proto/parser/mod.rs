//! Socket.IO parsers: packets to messages and back. Here the default one, text with attachments.

use std::collections::VecDeque;

use bytes::Bytes;

use super::packet::Packet;
use super::socket_packet::{Header, SocketPacket};
use super::text::MessageText;
use crate::error::Result;
use crate::payload::Payload;

/// A Socket.IO parser, with the state of a packet whose attachments are still on their way.
pub(crate) trait Parser: Send {
    /// Appends the messages of a packet to `queue`: the text, then the attachments.
    fn encode(&self, header: Header<'_>, payload: Payload, queue: &mut VecDeque<Packet>);

    /// Takes a text message; gives a packet that is complete with it.
    fn decode_text(&mut self, text: MessageText) -> Result<Option<SocketPacket>>;

    /// Takes a binary message; gives the packet that it completes.
    fn decode_binary(&mut self, bytes: Bytes) -> Result<Option<SocketPacket>>;

    /// Forgets a packet that is not complete.
    fn reset(&mut self);
}

/// The default parser: JSON text, binary as attachments.
#[derive(Debug)]
pub(crate) struct JsonParser {
    // The most attachments that a packet may announce.
    max_attachments: usize,
    // The most bytes that an unfinished packet may hold.
    max_bytes: usize,
}

impl JsonParser {
    /// A parser with its limits.
    pub(crate) fn new(max_attachments: usize, max_bytes: usize) -> Self {
        Self { max_attachments, max_bytes }
    }
}
