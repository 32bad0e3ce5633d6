//! Socket.IO parsers: packets to messages and back.

pub(crate) mod choice;
pub(crate) mod describe;
mod excerpt;
mod json;
#[cfg(feature = "msgpack")]
pub(crate) mod msgpack;
mod parts;
pub(crate) mod plain_json;

use std::collections::VecDeque;

use bytes::Bytes;

use super::packet::Packet;
use super::socket_packet::{Header, SocketPacket};
use super::text::{MessageBuilder, MessageText};
use crate::error::Result;
use crate::payload::Payload;

/// A Socket.IO parser, with the state of a packet whose attachments are still on their way.
pub trait Parser: Send {
    /// Appends the messages of a packet to `queue`: the text, then the attachments.
    fn encode(&self, header: Header<'_>, payload: &Payload, queue: &mut VecDeque<Packet>);

    /// Writes a packet that is one text message; `false`: it is something else, and nothing is written.
    fn write_text(&self, _: Header<'_>, _: &Payload, _: &mut MessageBuilder) -> bool {
        false
    }

    /// Takes a text message; gives a packet that is complete with it.
    fn decode_text(&mut self, text: MessageText) -> Result<Option<SocketPacket>>;

    /// Takes a binary message; gives the packet that it completes.
    fn decode_binary(&mut self, bytes: Bytes) -> Result<Option<SocketPacket>>;

    /// The namespace of a packet that is not complete.
    fn unfinished(&self) -> Option<&str> {
        None
    }

    /// Forgets a packet that is not complete.
    fn reset(&mut self);

    /// Whether to take what only old servers send: a packet with no attachments that announces
    /// just that, and refusals of any form.
    fn set_lax(&mut self, lax: bool);

    /// Takes no more placeholders than attachments, as a server has to: whoever reads an attachment as bytes of its own gets a
    /// copy for each, and of a megabyte could become a thousand. Parsers without placeholders have nothing to do.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    fn bound_placeholders(&mut self) {}
}

#[cfg(test)]
mod tests;
