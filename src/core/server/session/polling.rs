//! The requests of long-polling: one GET at a time, and beside it one POST at a time.
//!
//! A GET waits until there is something to answer it with. During an upgrade none waits: the client
//! moves only once its last one is answered. (A client that goes on polling as fast as it can, since
//! nothing comes through to it by the WebSocket, is made to pause.)
//!
//! The packets of an answer whose connection breaks before it was written whole have not reached a
//! client that reads whole bodies. They wait again, before all others, once. If they break a connection
//! for the second time, the session ends, unless it has moved on meanwhile. An answer that the system has
//! taken whole counts as received, so no packet comes twice.

use super::{LastWords, PollFate, Session, SessionOrder, SessionPhase};
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::{Body, BodyRoom};
use crate::proto::packet::Packet;

/// How much goes into an answer. Clients in Python take no more than 16 packets.
const ANSWER: BodyRoom = BodyRoom { packets: 16, bytes: 1_000_000 };

/// The requests that are under way.
#[derive(Debug, Default)]
pub(super) struct Polls {
    get: GetState,
    posting: bool,
}

/// Where the GET is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum GetState {
    /// There is none.
    #[default]
    None,
    /// It waits.
    Waiting {
        /// It is answered then, though it be with nothing.
        until: Option<Timestamp>,
    },
    /// The owner was told to answer it.
    Due(PollAnswer),
    /// The answer was handed out and is being written.
    Answering {
        /// It says that the session is closed.
        is_last: bool,
    },
}

/// With what a GET is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollAnswer {
    /// What waits for the client.
    Waiting,
    /// Nothing.
    Noop,
    /// The server closes the session.
    Close,
}

impl Polls {
    /// Those of a session whose first GET is to be answered with the handshake.
    pub(super) fn opening() -> Self {
        Self { get: GetState::Due(PollAnswer::Waiting), posting: false }
    }

    /// A GET waits.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.get, GetState::Waiting { .. })
    }

    /// When a GET that waits is to be answered.
    pub(super) fn until(&self) -> Option<Timestamp> {
        if let GetState::Waiting { until } = self.get { until } else { None }
    }

    /// A GET waits, or its answer is about to be handed out.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.get, GetState::Waiting { .. } | GetState::Due(PollAnswer::Waiting))
    }

    /// An answer was handed out and is being written.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.get, GetState::Answering { .. })
    }

    /// A GET that waits is to be answered so. `false`: none does.
    pub(super) fn answer(&mut self, answer: PollAnswer) -> bool {
        let waits = self.is_waiting();
        if waits {
            self.get = GetState::Due(answer);
        }
        waits
    }

    /// The session leaves them. `true`: the owner is to be told to answer a GET so.
    pub(super) fn end(&mut self, answer: PollAnswer) -> bool {
        let waits = self.is_waiting();
        if waits || matches!(self.get, GetState::Due(_)) {
            self.get = GetState::Due(answer);
        }
        waits
    }
}

impl Session {
    /// A GET has come.
    pub(crate) fn poll(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) -> PollFate {
        if self.is_over() || self.transport != Transport::Polling {
            return PollFate::Refuse;
        }
        if self.polls.get != GetState::None {
            self.misused("a GET came while another one waited", orders);
            return PollFate::Refuse;
        }
        let is_open = matches!(self.phase, SessionPhase::Open);
        if is_open && self.outbound.is_empty() {
            let until = self.candidate.as_mut().and_then(|candidate| candidate.note_poll(now));
            if until.is_none_or(|until| until > now) {
                self.polls.get = GetState::Waiting { until };
                return PollFate::Wait;
            }
        }
        self.polls.get = GetState::Due(PollAnswer::Waiting);
        PollFate::Answer
    }

    /// The body of an answer. It has to be written now, and then [`written`](Self::written) to be reported,
    /// or [`poll_lost`](Self::poll_lost).
    pub(crate) fn take_body(&mut self, now: Timestamp) -> Body {
        let answer = match self.polls.get {
            GetState::Due(answer) => answer,
            _ => PollAnswer::Noop,
        };
        self.polls.get = GetState::None;
        let mut packets = match answer {
            PollAnswer::Waiting => self.outbound.front(ANSWER.packets),
            PollAnswer::Noop => [Packet::Noop].into(),
            PollAnswer::Close => [Packet::Close].into(),
        };
        if answer != PollAnswer::Waiting {
            return self.dialect.encode_answer(&mut packets, ANSWER, self.base64);
        }
        let count = packets.len();
        let is_closing = matches!(self.phase, SessionPhase::Closing { .. });
        // Alone: clients in JavaScript end with it before they have handed out what came in the same answer.
        let is_last = is_closing && packets.is_empty();
        if packets.is_empty() {
            packets.push_back(if is_last { Packet::Close } else { Packet::Noop });
        }
        let all = packets.len();
        let body = self.dialect.encode_answer(&mut packets, ANSWER, self.base64);
        self.outbound.hand_out(count.min(all - packets.len()));
        self.delivery.begin(now);
        self.polls.get = GetState::Answering { is_last };
        body
    }

    /// The answer to a GET is written.
    pub(super) fn poll_written(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let GetState::Answering { is_last } = self.polls.get else { return };
        self.polls.get = GetState::None;
        self.outbound.written();
        self.delivery.end();
        self.pulse.written(now);
        if let SessionPhase::Closing { reason, .. } = self.phase {
            if is_last && self.transport == Transport::Polling {
                return self.end(reason, None, orders);
            }
        }
        self.ask_for_writer(orders);
        self.go_on_closing(orders);
    }

    /// The connection of a GET is gone: of one that waits, which ends the session, or before its answer was
    /// written whole.
    pub(crate) fn poll_lost(&mut self, cause: Option<Error>, orders: &mut Vec<SessionOrder>) {
        let get = std::mem::take(&mut self.polls.get);
        let ends = match get {
            GetState::None => false,
            GetState::Waiting { .. } | GetState::Due(_) => true,
            GetState::Answering { .. } => {
                self.delivery.end();
                self.outbound.take_back()
            }
        };
        if ends && self.transport == Transport::Polling {
            let cause =
                cause.unwrap_or_else(|| gone("the connection of a GET ended before its answer"));
            return self.end(DisconnectReason::TransportError, Some(cause), orders);
        }
        self.ask_for_writer(orders);
        self.go_on_closing(orders);
    }

    /// A POST has come, and its body will be read. `false`: it is refused (400, code 3). If another one is
    /// being read, that has ended the session.
    pub(crate) fn begin_post(&mut self, orders: &mut Vec<SessionOrder>) -> bool {
        if self.is_over() || self.transport != Transport::Polling {
            return false;
        }
        if self.polls.posting {
            self.misused("a POST came while another one was read", orders);
            return false;
        }
        self.polls.posting = true;
        true
    }

    /// All packets of a POST were [`received`](Self::received).
    pub(crate) fn end_post(&mut self) {
        self.polls.posting = false;
    }

    /// A POST ended before its end, or was too large: what it said is missing, and the session ends.
    pub(crate) fn post_lost(&mut self, cause: Option<Error>, orders: &mut Vec<SessionOrder>) {
        let was_posting = std::mem::take(&mut self.polls.posting);
        if was_posting && self.transport == Transport::Polling {
            let cause = cause.unwrap_or_else(|| gone("the connection of a POST ended within it"));
            self.end(DisconnectReason::TransportError, Some(cause), orders);
        }
    }

    /// Whether packets of a POST belong to the session. One that was begun before an upgrade is read to its
    /// end.
    pub(crate) fn takes_posts(&self) -> bool {
        self.polls.posting
    }

    /// Has a GET that waits answered, if there is one.
    pub(super) fn answer_waiting_poll(&mut self, orders: &mut Vec<SessionOrder>) {
        if self.polls.answer(PollAnswer::Waiting) {
            orders.push(SessionOrder::AnswerPoll);
        }
    }

    /// A GET has waited as long as it may.
    pub(super) fn expire_poll(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        if self.polls.until().is_some_and(|until| until <= now) {
            self.answer_waiting_poll(orders);
        }
    }

    /// The client closed the session by a packet: a GET of its own that waits is answered with nothing.
    pub(super) fn closed_by_client(&mut self, orders: &mut Vec<SessionOrder>) {
        let last = LastWords { poll: PollAnswer::Noop, websocket: true };
        let cause = Error::new(ErrorKind::Transport, "the client closed the session");
        self.end_with(DisconnectReason::TransportClose, Some(cause), last, orders);
    }

    fn misused(&mut self, what: &'static str, orders: &mut Vec<SessionOrder>) {
        let cause = Error::new(ErrorKind::Protocol, what);
        self.end(DisconnectReason::TransportError, Some(cause), orders);
    }
}

fn gone(what: &'static str) -> Error {
    Error::new(ErrorKind::Transport, what)
}
