//! Why a request is answered by an error alone.

use std::fmt;

use http::StatusCode;

/// A request that cannot be understood, or is too large. It is answered by this status, and the
/// connection ends: where the next request would begin is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpRefusal {
    pub(crate) status: StatusCode,
    /// What is wrong with it, for a log; nothing of what the peer sent.
    pub(crate) reason: &'static str,
}

impl HttpRefusal {
    pub(super) const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }

    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.reason)
    }
}
