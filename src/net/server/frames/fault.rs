//! What ends a WebSocket by the fault of its peer.

use std::fmt;

/// A rule that a peer broke. The connection is to be closed, with a [code](FrameFault::close_code) that
/// tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// Something that the protocol does not allow.
    Protocol(&'static str),
    /// A text message, or the reason in a close frame, that is no UTF-8.
    NoUtf8,
    /// A message of at least so many bytes, where at most so many are allowed.
    TooLarge { size: u64, max: usize },
    /// A message in more pieces than so many.
    TooManyFragments { max: u32 },
}

impl FrameFault {
    /// What the close frame says (RFC 6455 §7.4.1).
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NoUtf8 => 1007,
            Self::TooManyFragments { .. } => 1008,
            Self::TooLarge { .. } => 1009,
        }
    }
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(what) => write!(f, "against the WebSocket protocol: {what}"),
            Self::NoUtf8 => f.write_str("text that is no UTF-8"),
            Self::TooLarge { size, max } => {
                write!(f, "a message of at least {size} bytes, where {max} are allowed")
            }
            Self::TooManyFragments { max } => write!(f, "a message in more than {max} fragments"),
        }
    }
}
