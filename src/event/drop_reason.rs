//! Why events were dropped that were to be sent.

use std::fmt;

/// Why events were dropped that were to be sent; see [`Status::Dropped`](crate::Status::Dropped).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// They gave way to newer ones, in a full buffer with the policy
    /// [`WhenFull::DropOldest`](crate::WhenFull::DropOldest).
    GaveWay,
    /// They were not sent within their time to live ([`Emitter::ttl`](crate::Emitter::ttl)).
    Expired,
    /// They waited for a connection, and the server does not take events of this size.
    TooLarge,
    /// They were to be sent until the server acknowledges them, and were given up: after all the tries
    /// of [`Builder::retries`](crate::Builder::retries) or of
    /// [`Builder::interrupted_tries`](crate::Builder::interrupted_tries), or at the time limit of a
    /// [reliable](crate::Socket::reliable) event.
    Unacknowledged,
    /// They were answers to events of the server ([`Event::ack`](crate::Event::ack)), and the connection
    /// that asked for them ended before they were written.
    SessionEnded,
}

impl DropReason {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GaveWay => "gave way to newer events",
            Self::Expired => "not sent within the time to live",
            Self::TooLarge => "too large for the server",
            Self::Unacknowledged => "given up without an acknowledgement",
            Self::SessionEnded => "the connection that asked for the answer has ended",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
