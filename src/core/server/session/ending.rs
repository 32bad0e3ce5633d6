//! How a session ends: in good order, or at once.

use std::fmt;
use std::time::Duration;

use super::polling::PollAnswer;
use super::{Phase, Session, SessionOrder};
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::options::Transport;

/// How long a client may take to fetch what is left and the word that the session is closed. Node
/// servers have the same.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(30);

/// Why a session ended. Displays as the string that the JavaScript server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SessionEndReason {
    /// The client closed the session or its transport.
    TransportClose,
    /// The transport failed, or was used against the rules.
    TransportError,
    /// The client's part in a heartbeat did not come in time.
    PingTimeout,
    /// The client sent what cannot be read.
    ParseError,
    /// The server closed the session below its sockets.
    ForcedClose,
    /// The server disconnected a socket, and the connection with it.
    ForcedServerClose,
    /// The server ends.
    ServerShuttingDown,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct SessionEnding {
    pub(crate) reason: SessionEndReason,
    /// What it was in detail, where there is more to say.
    pub(crate) cause: Option<Error>,
    /// The messages that waited to be written or were being written.
    pub(crate) unsent: Load,
}

/// What a session's end means for its transports.
pub(super) struct LastWords {
    /// The answer to the GET that waits.
    pub(super) poll: PollAnswer,
    /// The WebSocket is there, to be closed.
    pub(super) websocket: bool,
}

impl SessionEndReason {
    /// The string that the JavaScript server gives.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::ServerShuttingDown => "server shutting down",
        }
    }
}

impl fmt::Display for SessionEndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl LastWords {
    /// The client hears that the server closes.
    pub(super) const CLOSE: Self = Self { poll: PollAnswer::Close, websocket: true };
}

impl Session {
    /// The server closes the session: what is queued is written first, for which the client has 30 seconds.
    pub(crate) fn close(
        &mut self,
        reason: SessionEndReason,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Closing { reason, until: now + CLOSING_TIME };
            self.go_on_closing(orders);
        }
    }

    /// The server ends the session at once: what is queued is lost. Of one that is being closed this is
    /// the end, and the reason that of the closing.
    pub(crate) fn end(
        &mut self,
        reason: SessionEndReason,
        cause: Option<Error>,
        orders: &mut Vec<SessionOrder>,
    ) {
        self.end_with(reason, cause, LastWords::CLOSE, orders);
    }

    pub(super) fn end_with(
        &mut self,
        reason: SessionEndReason,
        cause: Option<Error>,
        last: LastWords,
        orders: &mut Vec<SessionOrder>,
    ) {
        let reason = match self.phase {
            Phase::Open => reason,
            Phase::Closing { reason, .. } => reason,
            Phase::Over => return,
        };
        self.phase = Phase::Over;
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
        let Phase::Closing { reason, .. } = self.phase else { return };
        match self.transport {
            Transport::WebSocket if self.is_at_rest() => self.end(reason, None, orders),
            Transport::WebSocket => self.ask_for_writer(orders),
            Transport::Polling => self.answer_waiting_poll(orders),
        }
    }

    /// The client had its time to fetch what was left.
    pub(super) fn expire_closing(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let Phase::Closing { reason, until } = self.phase else { return };
        if until <= now {
            let what =
                format!("the client did not fetch what was left within {}", Rounded(CLOSING_TIME));
            let cause = Error::new(ErrorKind::Transport, what).timed_out();
            self.end(reason, Some(cause), orders);
        }
    }
}
