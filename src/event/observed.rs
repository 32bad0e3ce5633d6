//! What a program can observe of the Engine.IO session below its sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, snippet};
use crate::event::status::{DisconnectReason, ManagerEvent};
use crate::options::Transport;
use crate::proto::packet::{Packet, Probe};
use crate::proto::text::MessageText;
use crate::sync::mailbox::Deliver;

/// The Engine.IO session of a connection, at one moment; see [`Manager::engine`](crate::Manager::engine).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineInfo {
    /// Where the session stands.
    #[doc(alias = "readyState")]
    pub state: EngineState,
    /// The id that the server gave to the session. It is not that of a socket.
    pub id: Option<String>,
    /// The transport that carries it.
    pub transport: Transport,
    /// The revision of Engine.IO.
    pub protocol: u32,
    /// How many packets wait to be written, or are being written.
    #[doc(alias = "writeBuffer")]
    pub packets_to_write: usize,
    /// How many bytes these packets have.
    pub bytes_to_write: usize,
    /// How often heartbeats are sent.
    #[doc(alias = "pingInterval")]
    pub ping_interval: Option<Duration>,
    /// How late a heartbeat may be.
    #[doc(alias = "pingTimeout")]
    pub ping_timeout: Option<Duration>,
    /// The largest message, in bytes, that the server takes, where it has said so.
    #[doc(alias = "maxPayload")]
    pub max_payload: Option<usize>,
}

/// Where an Engine.IO session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineState {
    /// It is being opened.
    Opening,
    /// It is open.
    Open,
    /// What is queued is written, then it is closed.
    Closing,
    /// It is over.
    Closed,
}

/// What happens in the Engine.IO session; see
/// [`Manager::engine_events`](crate::Manager::engine_events).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// The session is open.
    Open,
    /// A packet was received, on any of its transports.
    Packet(EnginePacket),
    /// A packet is about to be written.
    #[doc(alias = "packetCreate")]
    PacketCreate(EnginePacket),
    /// All that was queued is written.
    Drain,
    /// The session moved to this transport.
    Upgrade(Transport),
    /// The session could not move to WebSocket and stays on long-polling.
    #[doc(alias = "upgradeError")]
    UpgradeError(Error),
    /// The session failed, or could not be opened.
    Error(Error),
    /// The session ended.
    Close(DisconnectReason),
}

impl EngineEvent {
    /// The same news as an event of the session; `None` where it does not concern the session.
    pub(crate) fn of_news(news: &ManagerEvent) -> Option<Self> {
        match news {
            ManagerEvent::Open => Some(Self::Open),
            ManagerEvent::Close(reason, _) => Some(Self::Close(*reason)),
            ManagerEvent::Error(error) => Some(Self::Error(error.clone())),
            ManagerEvent::Upgrade(transport) => Some(Self::Upgrade(*transport)),
            ManagerEvent::UpgradeError(error) => Some(Self::UpgradeError(error.clone())),
            _ => None,
        }
    }
}

impl Deliver for EngineEvent {
    fn size(&self) -> usize {
        match self {
            Self::Packet(packet) | Self::PacketCreate(packet) => packet.size(),
            _ => 0,
        }
    }
}

/// The types of Engine.IO packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// The server's handshake.
    Open,
    /// The end of the session.
    Close,
    /// A heartbeat, or the test of a transport.
    Ping,
    /// The answer to a ping.
    Pong,
    /// A Socket.IO packet, or an attachment of one.
    Message,
    /// The client has moved to another transport.
    Upgrade,
    /// Nothing; it ends a poll.
    Noop,
}

/// An Engine.IO packet, as it went over the wire. It may hold credentials, which [`Debug`](fmt::Debug)
/// does not show.
#[derive(Clone)]
pub struct EnginePacket {
    data: Arc<Data>,
}

enum Data {
    Empty(PacketType),
    Open(String),
    Probe(PacketType),
    Text(MessageText),
    Binary(Bytes),
}

impl EnginePacket {
    pub(crate) fn new(packet: Packet) -> Self {
        let data = match packet {
            Packet::Open(json) => Data::Open(json),
            Packet::Close => Data::Empty(PacketType::Close),
            Packet::Ping(Probe::Heartbeat) => Data::Empty(PacketType::Ping),
            Packet::Ping(Probe::Probe) => Data::Probe(PacketType::Ping),
            Packet::Pong(Probe::Heartbeat) => Data::Empty(PacketType::Pong),
            Packet::Pong(Probe::Probe) => Data::Probe(PacketType::Pong),
            Packet::Text(text) => Data::Text(text),
            Packet::Binary(bytes) => Data::Binary(bytes),
            Packet::Upgrade => Data::Empty(PacketType::Upgrade),
            Packet::Noop => Data::Empty(PacketType::Noop),
        };
        Self { data: Arc::new(data) }
    }

    /// The type.
    pub fn packet_type(&self) -> PacketType {
        match &*self.data {
            Data::Empty(packet_type) | Data::Probe(packet_type) => *packet_type,
            Data::Open(_) => PacketType::Open,
            Data::Text(_) | Data::Binary(_) => PacketType::Message,
        }
    }

    /// The text that it carries; `None` where that is binary. A message carries a Socket.IO packet,
    /// the handshake JSON.
    pub fn text(&self) -> Option<&str> {
        match &*self.data {
            Data::Empty(_) => Some(""),
            Data::Open(json) => Some(json),
            Data::Probe(_) => Some("probe"),
            Data::Text(text) => Some(text.as_str()),
            Data::Binary(_) => None,
        }
    }

    fn size(&self) -> usize {
        self.text().map_or_else(|| self.binary().map_or(0, <[u8]>::len), str::len)
    }

    /// The bytes that it carries, if it is an attachment.
    pub fn binary(&self) -> Option<&[u8]> {
        match &*self.data {
            Data::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for EnginePacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.packet_type())?;
        match &*self.data {
            Data::Empty(_) | Data::Open(_) => Ok(()),
            Data::Probe(_) => f.write_str("(probe)"),
            Data::Text(text) => write!(f, "({})", without_credentials(text)),
            Data::Binary(bytes) => write!(f, "({} bytes)", bytes.len()),
        }
    }
}

/// The start of a message; of a CONNECT no more than its namespace.
pub(crate) fn without_credentials(text: &MessageText) -> String {
    let text = text.as_str();
    let json = if text.starts_with('0') { text.find('{') } else { None };
    snippet(&text.as_bytes()[..json.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(packet: Packet) -> EnginePacket {
        EnginePacket::new(packet)
    }

    #[test]
    fn credentials_are_there_and_not_shown() {
        let connect = packet(Packet::Text(r#"0/x,{"token":"secret"}"#.into()));
        assert_eq!(connect.text(), Some(r#"0/x,{"token":"secret"}"#));
        assert_eq!(format!("{connect:?}"), "Message(0/x,)");
        let open = packet(Packet::Open(r#"{"sid":"secret"}"#.into()));
        assert_eq!(
            (open.text(), open.packet_type()),
            (Some(r#"{"sid":"secret"}"#), PacketType::Open)
        );
        assert_eq!(format!("{open:?}"), "Open");
    }

    #[test]
    fn a_packet_carries_text_or_bytes() {
        let probe = packet(Packet::Ping(Probe::Probe));
        assert_eq!((probe.packet_type(), probe.text()), (PacketType::Ping, Some("probe")));
        let pong = packet(Packet::Pong(Probe::Heartbeat));
        assert_eq!(
            (pong.packet_type(), pong.text(), pong.binary()),
            (PacketType::Pong, Some(""), None)
        );
        let attachment = packet(Packet::Binary(vec![1, 2].into()));
        assert_eq!((attachment.text(), attachment.binary()), (None, Some(&[1, 2][..])));
        assert_eq!(attachment.packet_type(), PacketType::Message);
    }
}
