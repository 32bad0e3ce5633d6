//! What packets mean for the session.

use super::{Engine, Signal, State};
use crate::core::engine::heartbeat::Heartbeat;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Stage};
use crate::event::status::DisconnectReason;
use crate::proto::handshake::Handshake;
use crate::proto::packet::Packet;
use crate::sync::lock::log_later;

impl Engine {
    pub(super) fn received_on_main(&mut self, packet: Packet, now: Timestamp) {
        match (self.state, packet) {
            (State::Closed, _) => {}
            (_, Packet::Open(json)) => self.on_open(&json, now),
            (State::Opening | State::Closing, _) if self.handshake.is_none() => {
                let error = Error::new(
                    ErrorKind::Connect(Stage::Engine),
                    "the server's first packet is not the handshake",
                );
                self.end(DisconnectReason::TransportError, Some(error));
            }
            (_, Packet::Ping(_)) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.on_ping(now);
                }
                self.pong_due = true;
                self.signals.push_back(Signal::Pinged);
                self.wake_writer();
            }
            (_, Packet::Pong(_)) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.on_pong(now);
                }
            }
            (State::Open, Packet::Text(text)) => {
                self.on_other(now);
                self.signals.push_back(Signal::Text(text));
            }
            (State::Open, Packet::Binary(bytes)) => {
                self.on_other(now);
                self.signals.push_back(Signal::Binary(bytes));
            }
            (_, Packet::Close) => {
                let error = Error::new(ErrorKind::Transport, "the server closed the session");
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
            log_later!(Warn, "a second Engine.IO handshake is ignored");
            self.signals.push_back(Signal::Ignored);
            return;
        }
        let handshake = match Handshake::from_json(json) {
            Ok(handshake) => handshake,
            Err(error) => return self.end(DisconnectReason::TransportError, Some(error)),
        };
        self.heartbeat = Some(Heartbeat::new(self.dialect.pinger(), &handshake, now));
        let upgrade = self.may_upgrade && handshake.upgrade_to_websocket;
        self.handshake = Some(handshake);
        if self.state == State::Closing {
            return self.say_goodbye();
        }
        self.state = State::Open;
        self.signals.push_back(Signal::Opened);
        if upgrade {
            self.signals.push_back(Signal::Probe);
        }
        self.wake_writer();
    }
}
