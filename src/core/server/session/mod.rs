//! One Engine.IO session as its server sees it, without I/O.
//!
//! ```text
//!               close()               all is written, or 30 s
//!  Open ────────────────▶ Closing ────────────────────────────▶ Over
//!    │                                                           ▲
//!    └── transport lost, heartbeat missed, nothing moves, misuse ┘
//! ```
//!
//! The owner calls one verb for each thing that happens, does what the orders say, and calls
//! [`expire`](Session::expire) when [`deadline`](Session::deadline) has come. A session lives by long-polling
//! or by a WebSocket. While it [moves](self::upgrade) to one there is that beside the requests.

mod ending;
mod heartbeat;
mod orders;
mod outbound;
mod polling;
mod upgrade;
mod writing;

use std::sync::Arc;

use self::ending::LastWords;
use self::heartbeat::{Pulse, PulseStep};
pub(crate) use self::orders::{
    NotQueued, PollFate, SessionEnding, SessionOptions, SessionOrder, UpgradeRefusal,
};
use self::outbound::Outbound;
use self::polling::{PollAnswer, Polls};
use self::upgrade::Candidate;
use crate::core::delivery::Delivery;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::{Dialect, Pinger};
use crate::proto::handshake::Handshake;
use crate::proto::packet::Packet;

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    dialect: &'static dyn Dialect,
    options: Arc<SessionOptions>,
    phase: SessionPhase,
    transport: Transport,
    /// Binary is sent as base64.
    base64: bool,
    /// The WebSocket to which the session may move.
    candidate: Option<Candidate>,
    polls: Polls,
    pulse: Pulse,
    outbound: Outbound,
    delivery: Delivery,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug)]
enum SessionPhase {
    Open,
    /// What is left is written, until then.
    Closing {
        reason: DisconnectReason,
        until: Timestamp,
    },
    Over,
}

impl Session {
    /// Opens a session by its first request, and queues the handshake: a GET is to be answered at once with what
    /// `take_body` gives, a WebSocket to be written to. With `base64` the client takes no binary messages
    /// by this transport.
    pub(crate) fn open(
        sid: String,
        dialect: &'static dyn Dialect,
        transport: Transport,
        base64: bool,
        options: &Arc<SessionOptions>,
        now: Timestamp,
    ) -> Self {
        let is_polling = transport == Transport::Polling;
        let handshake = Handshake {
            sid,
            upgrade_to_websocket: is_polling && options.allow_upgrades,
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            max_payload: options.announce_max_payload.then_some(options.max_payload),
        };
        let mut outbound = Outbound::default();
        outbound.push(Packet::Open(handshake.to_json()));
        Self {
            dialect,
            options: Arc::clone(options),
            phase: SessionPhase::Open,
            transport,
            base64,
            candidate: None,
            polls: if is_polling { Polls::opening() } else { Polls::default() },
            pulse: Pulse::new(dialect.pinger(), now),
            outbound,
            delivery: Delivery::default(),
        }
    }

    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// By which transport the session lives.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether a WebSocket is under test.
    #[cfg(test)]
    pub(crate) fn is_upgrading(&self) -> bool {
        self.candidate.is_some()
    }

    /// Whether it is neither over nor being closed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, SessionPhase::Open)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, SessionPhase::Over)
    }

    /// Whether a request of this revision may belong to the session. One of another is refused (400, code 3), and
    /// nothing changes.
    pub(crate) fn speaks(&self, dialect: &dyn Dialect) -> bool {
        self.dialect.agrees_with(dialect)
    }

    /// How many bytes of the heap it takes by itself.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.outbound.heap()
    }

    /// A packet came by this transport: in a POST that was begun, or by a WebSocket.
    pub(crate) fn received(
        &mut self,
        by: Transport,
        packet: Packet,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        if by == Transport::WebSocket && self.candidate.is_some() {
            return self.received_on_candidate(&packet, now, orders);
        }
        let belongs = match by {
            Transport::WebSocket => self.transport == Transport::WebSocket,
            Transport::Polling => self.takes_posts(),
        };
        if belongs && !self.is_over() {
            self.take_in(packet, now, orders);
        }
    }

    /// Bytes came by this transport that are not yet a packet.
    pub(crate) fn heard(&mut self, by: Transport, now: Timestamp) {
        if by == self.transport {
            self.pulse.heard(now);
        }
    }

    /// What came by this transport cannot be read.
    pub(crate) fn malformed(
        &mut self,
        by: Transport,
        error: Error,
        orders: &mut Vec<SessionOrder>,
    ) {
        if by == Transport::WebSocket && self.candidate.is_some() {
            self.close_candidate(orders);
        } else if by == self.transport {
            self.end(DisconnectReason::ParseError, Some(error), orders);
        }
    }

    /// A WebSocket (the one under test, or the session's) is gone; without a cause, it was closed.
    pub(crate) fn websocket_lost(&mut self, cause: Option<Error>, orders: &mut Vec<SessionOrder>) {
        if self.candidate.take().is_some() || self.transport != Transport::WebSocket {
            return;
        }
        let reason = match cause {
            Some(_) => DisconnectReason::TransportError,
            None => DisconnectReason::TransportClose,
        };
        let last = LastWords { poll: PollAnswer::Noop, websocket: false };
        self.end_with(reason, cause, last, orders);
    }

    /// The reader holds still since a consumer is full. What the client owes may lie behind: it is not missed
    /// before [`resume`](Self::resume). How long the reader holds still is the owner's to bound.
    pub(crate) fn hold(&mut self, now: Timestamp) {
        self.pulse.hold(now);
    }

    /// The reader reads again.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        self.pulse.resume(now);
    }

    /// When to call [`expire`](Self::expire). A session that is over has none.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let candidate = self.candidate.as_ref().map(Candidate::until);
        let own = match self.phase {
            SessionPhase::Open => {
                let patience = self.options.patience();
                let pulse = self.pulse.deadline(&self.options, self.is_busy());
                let delivery = self.delivery.deadline(patience);
                pulse.into_iter().chain(delivery).chain(self.polls.until()).min()
            }
            SessionPhase::Closing { until, .. } => Some(until),
            SessionPhase::Over => None,
        };
        candidate.into_iter().chain(own).min()
    }

    /// The deadline has come.
    pub(crate) fn expire(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        self.expire_candidate(now, orders);
        self.expire_closing(now, orders);
        if matches!(self.phase, SessionPhase::Open) {
            self.expire_poll(now, orders);
            self.expire_delivery(now, orders);
            self.expire_pulse(now, orders);
        }
    }

    fn expire_pulse(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        match self.pulse.expire(&self.options, self.is_busy(), now) {
            PulseStep::None => {}
            PulseStep::Ping => {
                self.outbound.ping();
                self.announce(orders);
            }
            PulseStep::Pong => {
                self.outbound.pong();
                self.announce(orders);
            }
            PulseStep::Lost => {
                let cause = self.pulse.silent(&self.options);
                self.end(DisconnectReason::PingTimeout, Some(cause), orders);
            }
        }
    }

    /// A packet came by the session's transport.
    fn take_in(&mut self, packet: Packet, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        self.pulse.heard(now);
        match (packet, self.dialect.pinger()) {
            (Packet::Close, _) => self.closed_by_client(orders),
            (message @ (Packet::Text(_) | Packet::Binary(_)), _) => {
                if matches!(self.phase, SessionPhase::Open) {
                    orders.push(SessionOrder::Message(message));
                }
            }
            (Packet::Ping(_), Pinger::Client) => {
                self.outbound.pong();
                self.announce(orders);
            }
            (Packet::Pong(_), Pinger::Server) => self.pulse.ponged(now),
            (Packet::Ping(_) | Packet::Pong(_), _) => {
                let cause = Error::new(ErrorKind::Protocol, "a heartbeat in the wrong direction");
                self.end(DisconnectReason::TransportError, Some(cause), orders);
            }
            (Packet::Open(_) | Packet::Upgrade | Packet::Noop, _) => {}
        }
    }
}
