//! The move of a session from polling to a WebSocket, as its server sees it.
//!
//! ```text
//!   polling                                              WebSocket
//!   GET waits ───────────────────────────────────────▶
//!                                                     ◀── 2probe
//!             ◀── 6 (or what waits)                   ──▶ 3probe
//!   …the client answers no GET any more…
//!                                                     ◀── 5
//!                                                     ──▶ what waited meanwhile
//! ```
//!
//! Until the `5` the session lives by polling, whatever becomes of the WebSocket: it is closed if it says
//! anything else, and after `upgrade_timeout`. From the probe on each GET is answered at once, since
//! the client moves when it has none any more. Behind the `5` everything goes by the WebSocket, but not
//! before an answer that is being written is written or lost: its packets come first.

use std::time::Duration;

use super::polling::PollAnswer;
use super::{Session, SessionOrder, UpgradeRefusal};
use crate::core::time::Timestamp;
use crate::options::Transport;
use crate::proto::dialect::Dialect;
use crate::proto::packet::{Packet, Probe};

/// How many GETs of one upgrade are answered at once. A client has one or two.
const PROMPT_POLLS: u8 = 16;

/// How long the others wait.
const PAUSE: Duration = Duration::from_millis(50);

/// A WebSocket under test.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Binary is sent as base64.
    base64: bool,
    /// The client has probed it.
    is_probed: bool,
    /// How many GETs have come since.
    polls: u8,
    /// The probe waits for its answer. One answers any number of probes.
    answer_due: bool,
    until: Timestamp,
}

impl Candidate {
    /// A GET has come: when it is to be answered, though it be with nothing.
    pub(super) fn note_poll(&mut self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_probed {
            return None;
        }
        self.polls = self.polls.saturating_add(1);
        Some(if self.polls <= PROMPT_POLLS { now } else { now + PAUSE })
    }

    pub(super) fn has_answer(&self) -> bool {
        self.answer_due
    }

    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// The answer to the probe, once.
    pub(super) fn take_answer(&mut self) -> Option<Packet> {
        std::mem::take(&mut self.answer_due).then_some(Packet::Pong(Probe::Probe))
    }
}

impl Session {
    /// A WebSocket asks to take the session over. With `base64` it carries no binary messages.
    pub(crate) fn begin_upgrade(
        &mut self,
        dialect: &'static dyn Dialect,
        base64: bool,
        now: Timestamp,
    ) -> Result<(), UpgradeRefusal> {
        if self.is_over() {
            return Err(UpgradeRefusal::Over);
        }
        if !self.speaks(dialect) {
            return Err(UpgradeRefusal::OtherRevision);
        }
        if self.transport == Transport::WebSocket {
            return Err(UpgradeRefusal::Done);
        }
        if !self.options.allow_upgrades {
            return Err(UpgradeRefusal::NotAllowed);
        }
        if self.candidate.is_some() {
            return Err(UpgradeRefusal::UnderWay);
        }
        let until = now + self.options.upgrade_timeout;
        self.candidate =
            Some(Candidate { base64, is_probed: false, polls: 0, answer_due: false, until });
        Ok(())
    }

    /// A packet came by the WebSocket under test.
    pub(super) fn received_on_candidate(
        &mut self,
        packet: &Packet,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        match packet {
            Packet::Ping(Probe::Probe) => {
                let Some(candidate) = &mut self.candidate else { return };
                candidate.is_probed = true;
                candidate.answer_due = true;
                orders.push(SessionOrder::Write);
                self.answer_waiting_poll(orders);
            }
            Packet::Upgrade => self.move_over(now, orders),
            _ => self.close_candidate(orders),
        }
    }

    /// The client lives on the WebSocket from here on.
    fn move_over(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let Some(candidate) = self.candidate.take() else { return };
        if self.polls.end(PollAnswer::Noop) {
            orders.push(SessionOrder::AnswerPoll);
        }
        self.transport = Transport::WebSocket;
        self.base64 = candidate.base64;
        self.pulse.heard(now);
        orders.push(SessionOrder::Upgraded);
        self.ask_for_writer(orders);
        self.go_on_closing(orders);
    }

    /// Gives the WebSocket under test up: the session goes on by polling.
    pub(super) fn close_candidate(&mut self, orders: &mut Vec<SessionOrder>) {
        if self.candidate.take().is_some() {
            orders.push(SessionOrder::CloseWebSocket);
        }
    }

    /// The time of the WebSocket under test is over.
    pub(super) fn expire_candidate(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        if self.candidate.as_ref().is_some_and(|candidate| candidate.until <= now) {
            self.close_candidate(orders);
        }
    }
}
