//! Why a session ended.

use std::fmt;

use crate::core::load::Load;
use crate::error::Error;

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
