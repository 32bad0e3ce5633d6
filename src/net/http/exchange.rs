//! The request that is under way: what is known of it should it fail.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock::{Locked, lock};

/// How soon a connection ends that the server has closed before it had the request.
const SOON: Duration = Duration::from_secs(1);

/// How long the reset may take that shows it: as long as the way there and back.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(500);

/// How much of an answer is kept for an error, in bytes.
const START: usize = 64;

/// The present request of an [`Http`](super::Http).
#[derive(Debug, Default)]
pub(super) struct Exchange(Mutex<Known>);

/// What is known of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The size of its head, in bytes.
    pub(super) head: usize,
    /// It went over a connection that had answered others.
    pub(super) on_kept: bool,
    /// When its first bytes were sent.
    sent: Option<Instant>,
    /// What came of an answer, its start.
    pub(super) start: Vec<u8>,
    /// When, from then on, the connection ended before anything came of an answer.
    ended: Option<Duration>,
    /// The server cannot have read it.
    pub(super) unread: bool,
}

impl Exchange {
    /// A request begins.
    pub(super) fn begin(&self, head: usize) {
        *self.known() = Known { head, ..Known::default() };
    }

    /// Some of it is about to be sent.
    pub(super) fn note_sending(&self, on_kept: bool) {
        let mut known = self.known();
        known.on_kept = on_kept;
        known.sent.get_or_insert_with(Instant::now);
    }

    /// This has come of the answer.
    pub(super) fn note_received(&self, bytes: &[u8]) {
        let start = &mut self.known().start;
        let room = START.saturating_sub(start.len());
        start.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The connection has ended. Gives what is known, if nothing has come of the answer.
    pub(super) fn note_end(&self) -> Option<Known> {
        let mut known = self.known();
        if !known.start.is_empty() {
            return None;
        }
        known.ended = Some(known.sent.map_or(Duration::ZERO, |sent| sent.elapsed()));
        Some(known.clone())
    }

    /// The server cannot have read it.
    pub(super) fn note_unread(&self) {
        self.known().unread = true;
    }

    /// The size of its head.
    pub(super) fn head(&self) -> usize {
        self.known().head
    }

    /// What is known by now.
    pub(super) fn so_far(&self) -> Known {
        self.known().clone()
    }

    fn known(&self) -> Locked<'_, Known> {
        lock(&self.0)
    }
}

impl Known {
    /// Whether to send it again over a new connection, since the server had closed the kept one before it
    /// had the request.
    ///
    /// A server closes a connection without regard to what is on its way there. The system behind it then
    /// refuses what comes: a reset follows the end. That proves that nobody has read the request, so it may
    /// be repeated, whichever it is. A reset alone, or an end alone, proves nothing: the server may have
    /// read it and be gone. A POST would then be delivered twice, and a GET may have been answered
    /// with packets that were lost on the way, which a repeated one would hide.
    pub(super) fn is_to_be_repeated(&self) -> bool {
        self.on_kept && self.is_unanswered() && self.unread
    }

    /// Whether the connection ended before anything came of an answer.
    pub(super) fn is_unanswered(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether that was right behind the request.
    pub(super) fn has_ended_soon(&self) -> bool {
        self.ended.is_some_and(|after| after < SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_repeated_only_where_the_server_had_closed_before_it_came() {
        let repeated = |on_kept: bool, bytes: &[u8], unread: bool| {
            let exchange = Exchange::default();
            exchange.begin(100);
            exchange.note_sending(on_kept);
            exchange.note_received(bytes);
            exchange.note_end();
            if unread {
                exchange.note_unread();
            }
            exchange.so_far().is_to_be_repeated()
        };
        assert!(repeated(true, b"", true));
        assert!(!repeated(true, b"", false));
        assert!(!repeated(true, b"H", true));
        assert!(!repeated(false, b"", true));
    }
}
