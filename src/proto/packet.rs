//! Engine.IO packets: what a transport carries.

use bytes::Bytes;

use super::text::MessageText;

/// One Engine.IO packet, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0`: the server's handshake, still as JSON text.
    Open(String),
    /// `1`: the sender closes the session.
    Close,
    /// `2`: heartbeat, or `2probe` on a transport under test.
    Ping(Probe),
    /// `3`: the answer to a ping of the same kind.
    Pong(Probe),
    /// `4`: a text message.
    Text(MessageText),
    /// A binary message, without any type byte.
    Binary(Bytes),
    /// `5`: the client has moved to the new transport.
    Upgrade,
    /// `6`: ends a pending poll.
    Noop,
}

impl Packet {
    /// What it counts where packets wait, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.as_str().len(),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// What a ping or a pong carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing, or text without a meaning (which is never echoed): a heartbeat.
    Heartbeat,
    /// The word `probe`: a transport under test.
    Probe,
}
