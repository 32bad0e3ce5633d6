//! Packets that come as an object with members, by whatever parser.

use bytes::Bytes;

use super::json::decode;
use crate::error::{Error, Result};
use crate::proto::protocol_error;
use crate::proto::socket_packet::{Kind, SocketPacket};
use crate::proto::text::MessageBuilder;

/// What such a packet is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// The number of its type.
    pub(super) kind: u64,
    pub(super) namespace: String,
    /// Digits, or nothing.
    pub(super) id: String,
    /// JSON, or nothing.
    pub(super) data: String,
}

impl Parts {
    /// Writes the packet as the default parser does, and reads that: all checks are the same.
    pub(super) fn into_packet(self, attachments: Vec<Bytes>, lax: bool) -> Result<SocketPacket> {
        let Self { kind, namespace, id, data } = self;
        let Some(kind) = kind_of(kind, lax) else {
            let kind = kind.to_string();
            return Err(protocol_error("a packet of an unknown type", kind.as_bytes()));
        };
        if !namespace.starts_with('/') || namespace.contains(',') {
            return Err(protocol_error(
                "a packet of an impossible namespace",
                namespace.as_bytes(),
            ));
        }
        let mut text = MessageBuilder::with_capacity(namespace.len() + id.len() + data.len() + 4);
        text.push_str(&number(kind).to_string());
        if namespace != "/" {
            text.push_str(&namespace);
            text.push_str(",");
        }
        text.push_str(&id);
        text.push_str(&data);
        let (mut packet, _) = decode(text.finish(), 0, lax)?;
        packet.attachments = attachments.into();
        Ok(packet)
    }
}

/// The error about a message that is no packet of a parser's.
#[cold]
pub(super) fn no_packet(what: &str, parser: &str, received: &[u8]) -> Error {
    protocol_error(&format!("{what} that is no packet {parser}"), received)
        .with_hint("is the server's parser the one of `Builder::parser`?")
}

/// The type that a number stands for.
pub(super) fn kind_of(number: u64, lax: bool) -> Option<Kind> {
    Some(match number {
        0 => Kind::Connect,
        1 => Kind::Disconnect,
        2 => Kind::Event,
        3 => Kind::Ack,
        4 => Kind::ConnectError,
        // Servers 2.x have types of their own for packets with binary.
        5 if lax => Kind::Event,
        6 if lax => Kind::Ack,
        _ => return None,
    })
}

/// The number that stands for a type.
pub(super) fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Connect => 0,
        Kind::Disconnect => 1,
        Kind::Event => 2,
        Kind::Ack => 3,
        Kind::ConnectError => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_servers_have_types_for_packets_with_binary() {
        assert_eq!((kind_of(5, true), kind_of(6, true)), (Some(Kind::Event), Some(Kind::Ack)));
        assert_eq!((kind_of(5, false), kind_of(6, false)), (None, None));
    }
}
