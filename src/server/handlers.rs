//! What handlers give back.

use std::fmt::Display;

use crate::error::PeerWords;
use crate::sync::logging::log_later;

/// What a handler may give back: nothing, or a `Result` whose error can be displayed. An error is logged, and
/// nothing else follows from it.
pub trait HandlerResult {
    /// What went wrong.
    fn failure(self) -> Option<String>;
}

impl HandlerResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> HandlerResult for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Logs what a handler gives back.
pub(super) fn conclude(of: &str, result: impl HandlerResult) {
    if let Some(failure) = result.failure() {
        // It may quote what the client has sent.
        log_later!(Warn, "a handler ({}) failed: {}", PeerWords(of), PeerWords(&failure));
    }
}
