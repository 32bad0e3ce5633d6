//! The arguments of what was received, still encoded.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::payload::Args;
use crate::proto::socket_packet::{Kind, SocketPacket};

/// A received packet, looked at for its arguments. The same for an event and an acknowledgement, but
/// that the list of an event begins with its name.
#[derive(Clone)]
pub(super) struct Arguments {
    pub(super) packet: SocketPacket,
}

impl Arguments {
    /// Decodes them all; see [`Event::args`](crate::Event::args).
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        self.list().decode()
    }

    /// Decodes one; see [`Event::arg`](crate::Event::arg).
    pub(super) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.list().get(index)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list().len()
    }

    /// The JSON array that they stand in.
    pub(super) fn json(&self) -> &str {
        self.packet.data()
    }

    /// The binary values among them.
    pub(super) fn attachments(&self) -> &[Bytes] {
        &self.packet.attachments
    }

    /// How much memory the packet takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.packet.size()
    }

    fn list(&self) -> Args<'_> {
        let skip = usize::from(self.packet.kind == Kind::Event);
        Args { json: self.json(), skip, attachments: self.attachments() }
    }
}
