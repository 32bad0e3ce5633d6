//! How a session ends: in good order, or at once.

use std::time::Duration;

use super::polling::PollAnswer;
use super::{Session, SessionEnding, SessionOrder, SessionPhase};
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::event::status::DisconnectReason;
use crate::options::Transport;

/// How long a client may take to fetch what is left and the word that the session is closed. Node
/// servers have the same.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(30);

/// What a session's end means for its transports.
#[derive(Clone, Copy)]
pub(super) struct LastWords {
    /// The answer to the GET that waits.
    pub(super) poll: PollAnswer,
    /// The WebSocket is there, to be closed.
    pub(super) websocket: bool,
}

impl LastWords {
    /// The client hears that the server closes.
    pub(super) const CLOSE: Self = Self { poll: PollAnswer::Close, websocket: true };
}

impl Session {
    /// The server closes the session: what is queued is written first, for which the client has 30 seconds, and no
    /// longer than it may be silent.
    pub(crate) fn close(
        &mut self,
        reason: DisconnectReason,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        if matches!(self.phase, SessionPhase::Open) {
            self.phase = SessionPhase::Closing { reason, until: now + self.closing_time() };
            self.outbound.forget_heartbeats();
            self.go_on_closing(orders);
        }
    }

    /// The server ends the session at once: what is queued is lost. Of one that is being closed this is
    /// the end, and the reason that of the closing.
    pub(crate) fn end(
        &mut self,
        reason: DisconnectReason,
        cause: Option<Error>,
        orders: &mut Vec<SessionOrder>,
    ) {
        self.end_with(reason, cause, LastWords::CLOSE, orders);
    }

    pub(super) fn end_with(
        &mut self,
        reason: DisconnectReason,
        cause: Option<Error>,
        last: LastWords,
        orders: &mut Vec<SessionOrder>,
    ) {
        let reason = match self.phase {
            SessionPhase::Open => reason,
            SessionPhase::Closing { reason, .. } => reason,
            SessionPhase::Over => return,
        };
        self.phase = SessionPhase::Over;
        if self.polls.end(last.poll) {
            orders.push(SessionOrder::AnswerPoll);
        }
        let is_under_test = self.candidate.take().is_some();
        if is_under_test || (self.transport == Transport::WebSocket && last.websocket) {
            orders.push(SessionOrder::CloseWebSocket);
        }
        let unsent = self.outbound.give_up();
        orders.push(SessionOrder::Over(SessionEnding { reason, cause, unsent }));
    }

    /// Of a session that is being closed: has what is left written, or ends it when all is.
    pub(super) fn go_on_closing(&mut self, orders: &mut Vec<SessionOrder>) {
        let SessionPhase::Closing { reason, .. } = self.phase else { return };
        match self.transport {
            Transport::WebSocket if self.is_at_rest() => self.end(reason, None, orders),
            Transport::WebSocket => self.ask_for_writer(orders),
            Transport::Polling => self.answer_waiting_poll(orders),
        }
    }

    /// How long the client may take: no longer than it may be silent.
    fn closing_time(&self) -> Duration {
        CLOSING_TIME.min(self.options.ping_interval + self.options.ping_timeout)
    }

    /// The client had its time to fetch what was left.
    pub(super) fn expire_closing(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let SessionPhase::Closing { reason, until } = self.phase else { return };
        if until <= now {
            let what = format!(
                "the client did not fetch what was left within {}",
                Rounded(self.closing_time())
            );
            let cause = Error::new(ErrorKind::Transport, what).timed_out();
            self.end(reason, Some(cause), orders);
        }
    }
}
