//! What packets mean for the session.

use super::{Engine, Notice, SessionState};
use crate::core::engine::heartbeat::Heartbeat;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Stage};
use crate::event::status::DisconnectReason;
use crate::options::ParserKind;
use crate::proto::handshake::Handshake;
use crate::proto::packet::Packet;
use crate::proto::parser::describe::describe;

impl Engine {
    pub(super) fn received_on_main(&mut self, packet: Packet, now: Timestamp) {
        match (self.state, packet) {
            (SessionState::Closed, _) => {}
            (_, Packet::Open(json)) => self.on_open(&json, now),
            (SessionState::Opening | SessionState::Closing, packet) if self.handshake.is_none() => {
                let came = describe(ParserKind::Json, &packet);
                let error = Error::new(
                    ErrorKind::Connect(Stage::Engine),
                    format!("the server's first packet is not the handshake: {came}"),
                );
                self.end(DisconnectReason::TransportError, Some(error));
            }
            (_, Packet::Ping(_)) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.on_ping(now);
                }
                self.pong_due = true;
                self.notices.push_back(Notice::Pinged);
                self.wake_writer();
            }
            (_, Packet::Pong(_)) => {
                self.unconfirmed.note_heartbeat_answer();
                self.end_hold();
                let took = self.heartbeat.as_mut().and_then(|heartbeat| heartbeat.on_pong(now));
                self.notices.extend(took.map(Notice::Ponged));
            }
            (SessionState::Open, Packet::Text(text)) => {
                self.on_other(now);
                self.notices.push_back(Notice::Text(text));
            }
            (SessionState::Open, Packet::Binary(bytes)) => {
                self.on_other(now);
                self.notices.push_back(Notice::Binary(bytes));
            }
            (_, Packet::Close) => {
                let error = Error::new(ErrorKind::Transport, "the server closed the session")
                    .with_hint("does it end, restart, or take this client for gone?");
                self.end(DisconnectReason::TransportClose, Some(error));
            }
            _ => self.on_other(now),
        }
    }

    fn on_other(&mut self, now: Timestamp) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_other(now);
        }
    }

    fn on_open(&mut self, json: &str, now: Timestamp) {
        if self.handshake.is_some() {
            self.notices.push_back(Notice::SecondHandshake);
            return;
        }
        let handshake = match Handshake::from_json(json) {
            Ok(handshake) => handshake,
            Err(error) => return self.end(DisconnectReason::TransportError, Some(error)),
        };
        self.heartbeat = Some(Heartbeat::new(self.dialect.pinger(), &handshake, now));
        let upgrade = self.may_upgrade && handshake.upgrade_to_websocket;
        self.handshake = Some(handshake);
        if self.state == SessionState::Closing {
            return self.say_goodbye();
        }
        self.state = SessionState::Open;
        self.notices.push_back(Notice::Opened);
        if upgrade {
            self.notices.push_back(Notice::Probe);
        }
        self.wake_writer();
    }
}
