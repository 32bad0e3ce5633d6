//! Packets, statuses and news in words that tests compare.

use crate::core::engine::Shipment;
use crate::error::Result;
use crate::event::status::{ManagerEvent, Status};
use crate::options::ParserKind;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::packet::Packet;
use crate::proto::parser::choice::new_parser;

pub(in crate::core) fn text(dialect: &dyn Dialect, packet: Packet) -> String {
    match dialect.encode_frame(packet, true) {
        Frame::Text(text) => text.to_string(),
        Frame::Binary(_) => "binary".into(),
    }
}

/// The packets that a writer makes.
pub(in crate::core) fn packets(shipment: &Shipment, parser: ParserKind) -> Vec<Packet> {
    let (parser, mut packets) = (new_parser(parser, 0, 0), Vec::new());
    let packed: Result<()> = shipment.pack(&*parser, |packet| {
        packets.push(packet);
        Ok(())
    });
    packed.unwrap();
    packets
}

pub(in crate::core) fn describe(status: &Status) -> String {
    match status {
        Status::Connected { id, recovered: false } => format!("connect {id}"),
        Status::Connected { id, recovered: true } => format!("connect {id} recovered"),
        Status::ConnectError(error) => format!("connect_error {}", error.kind()),
        Status::Error(error) => format!("error {}", error.kind()),
        Status::Disconnected { reason, .. } => format!("disconnect {reason}"),
        Status::Dropped { reason, .. } => format!("dropped: {reason}"),
    }
}

pub(in crate::core) fn news(event: &ManagerEvent) -> String {
    match event {
        ManagerEvent::Open => "open".into(),
        ManagerEvent::Close(reason, _) => format!("close {reason}"),
        ManagerEvent::Error(error) => format!("error {}", error.kind()),
        ManagerEvent::Ping => "ping".into(),
        ManagerEvent::Upgrade(transport) => format!("upgrade {transport}"),
        ManagerEvent::UpgradeError(error) => format!("upgrade error {}", error.kind()),
        ManagerEvent::ReconnectAttempt(attempt) => format!("attempt {attempt}"),
        ManagerEvent::Reconnect(attempts) => format!("reconnect {attempts}"),
        ManagerEvent::ReconnectError(error) => format!("attempt failed {}", error.kind()),
        ManagerEvent::ReconnectFailed => "reconnect failed".into(),
        ManagerEvent::Stage(_) | ManagerEvent::Warning(_) => "told by the driver".into(),
    }
}
