//! What a program can observe of the Engine.IO session below its sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::event::status::{DisconnectReason, ManagerEvent};
use crate::options::{ParserKind, Transport};
use crate::proto::packet::{Packet, Probe};
use crate::proto::parser::describe::describe;
use crate::sync::deliver::Deliver;

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
#[non_exhaustive]
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

/// An Engine.IO packet, as it went over the wire. It may hold credentials and the ids of sessions, which
/// [`Debug`](fmt::Debug) does not show.
#[derive(Clone)]
pub struct EnginePacket {
    packet: Arc<Packet>,
    /// How the messages of its session are written.
    parser: ParserKind,
}

impl EnginePacket {
    pub(crate) fn new(packet: Packet, parser: ParserKind) -> Self {
        Self { packet: Arc::new(packet), parser }
    }

    /// The type.
    pub fn packet_type(&self) -> PacketType {
        match &*self.packet {
            Packet::Open(_) => PacketType::Open,
            Packet::Close => PacketType::Close,
            Packet::Ping(_) => PacketType::Ping,
            Packet::Pong(_) => PacketType::Pong,
            Packet::Text(_) | Packet::Binary(_) => PacketType::Message,
            Packet::Upgrade => PacketType::Upgrade,
            Packet::Noop => PacketType::Noop,
        }
    }

    /// The text that it carries; `None` where that is binary. A message carries a Socket.IO packet,
    /// the handshake JSON.
    pub fn text(&self) -> Option<&str> {
        match &*self.packet {
            Packet::Open(json) => Some(json),
            Packet::Ping(Probe::Probe) | Packet::Pong(Probe::Probe) => Some("probe"),
            Packet::Text(text) => Some(text.as_str()),
            Packet::Binary(_) => None,
            _ => Some(""),
        }
    }

    fn size(&self) -> usize {
        self.text().map_or_else(|| self.binary().map_or(0, <[u8]>::len), str::len)
    }

    /// The bytes that it carries, if it is an attachment.
    pub fn binary(&self) -> Option<&[u8]> {
        match &*self.packet {
            Packet::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for EnginePacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.packet_type())?;
        match &*self.packet {
            Packet::Ping(Probe::Probe) | Packet::Pong(Probe::Probe) => f.write_str("(probe)"),
            Packet::Text(_) | Packet::Binary(_) => {
                write!(f, "({})", describe(self.parser, &self.packet))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(packet: Packet) -> EnginePacket {
        EnginePacket::new(packet, ParserKind::Json)
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
