//! The handshake that opens an Engine.IO session.

use std::time::Duration;

use crate::error::Result;

/// What the server says about the session in its `open` packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The id of the Engine.IO session: 1 to 256 visible ASCII characters.
    pub(crate) sid: String,
    /// Whether the server offers an upgrade to WebSocket.
    pub(crate) upgrade_to_websocket: bool,
    /// The period of heartbeats.
    pub(crate) ping_interval: Duration,
    /// How long a heartbeat may be late.
    pub(crate) ping_timeout: Duration,
    /// The largest body of a request that the server takes, in bytes.
    pub(crate) max_payload: Option<usize>,
}

impl Handshake {
    /// Reads the JSON of an `open` packet.
    pub(crate) fn from_json(_json: &str) -> Result<Self> {
        todo!()
    }

    /// Writes the JSON of an `open` packet.
    pub(crate) fn to_json(&self) -> String {
        todo!()
    }
}
