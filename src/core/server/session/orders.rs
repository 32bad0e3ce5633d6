//! What a session is told about itself, what it wants done, and what it refuses.

use std::time::Duration;

use crate::core::load::Load;
use crate::error::Error;
use crate::event::status::DisconnectReason;
use crate::proto::packet::Packet;

/// What all sessions of a server have in common.
#[derive(Debug)]
pub(crate) struct SessionOptions {
    /// The period of heartbeats.
    pub(crate) ping_interval: Duration,
    /// How long the client's part in a heartbeat may take.
    pub(crate) ping_timeout: Duration,
    /// How long a WebSocket may be under test.
    pub(crate) upgrade_timeout: Duration,
    /// The largest message that the server takes, in bytes: clients are told.
    pub(crate) max_payload: usize,
    /// Clients are told the former, which old servers do not do.
    pub(crate) announce_max_payload: bool,
    /// A session that began by polling may move to a WebSocket.
    pub(crate) allow_upgrades: bool,
    /// How many bytes of messages may wait to be written, with those that are being written.
    pub(crate) send_bytes: usize,
    /// How many messages may, each attachment being one.
    pub(crate) send_packets: usize,
}

impl SessionOptions {
    /// How long a client may do nothing at all.
    pub(crate) fn patience(&self) -> Duration {
        self.ping_interval + self.ping_timeout
    }
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub(crate) enum SessionOrder {
    /// A message of the client's has come: `Packet::Text` or `Packet::Binary`.
    Message(Packet),
    /// There is something for the WebSocket: `take_frames` gives it.
    Write,
    /// The GET that waits is to be answered with what `take_body` gives, within this step.
    AnswerPoll,
    /// The WebSocket under test has become the transport.
    Upgraded,
    /// The WebSocket (the one under test, or the session's) gets a close frame, and nothing else. It belongs to
    /// the session no longer: what becomes of it, or comes by it, is not to be reported.
    CloseWebSocket,
    /// The session is over. Once, whatever happens, and nothing follows.
    Over(SessionEnding),
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct SessionEnding {
    pub(crate) reason: DisconnectReason,
    /// What it was in detail, where there is more to say.
    pub(crate) cause: Option<Error>,
    /// The messages that waited to be written or were being written.
    pub(crate) unsent: Load,
}

/// What becomes of a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollFate {
    /// It is answered at once, with what `take_body` gives.
    Answer,
    /// It waits for [`SessionOrder::AnswerPoll`].
    Wait,
    /// It is refused (400, code 3). If another one waits, that has ended the session.
    Refuse,
}

/// Why a WebSocket may not take a session over. It is refused (400, code 3), and nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpgradeRefusal {
    /// The server does not offer it.
    NotAllowed,
    /// Another one is under test.
    UnderWay,
    /// The session is on a WebSocket already.
    Done,
    /// The request is of another revision than the session.
    OtherRevision,
    /// The session is over.
    Over,
}

/// Why messages were not queued: none of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// Too much waits to be written.
    Full,
    /// The session is over, or being closed.
    Over,
}
