//! How densely things come, and whether the reader of a WebSocket naps before it reads again.
//!
//! A server that writes each event by itself makes the socket readable a hundred thousand times per
//! second. To wake for each, to read it, and to wake whoever consumes it costs many times what the
//! event does, on the server's side too. So in the midst of such traffic the reader does not look at the
//! socket for a moment, and then takes all that has come at once. What comes last is late by a
//! nap; nothing else is, and nothing that is an answer to what this side has said.

use std::time::Duration;

use crate::core::time::Timestamp;

/// How long a nap is. The system may add its timer slack, which is 50 µs by default.
pub(super) const NAP: Duration = Duration::from_micros(100);

/// Reads that follow each other sooner than this are close.
const CLOSE: Duration = Duration::from_micros(50);

/// So many close reads in succession are dense traffic, rather than a few messages that belong
/// together.
const STREAK: u32 = 4;

/// A nap that has gathered fewer packets than this is the last.
const WORTH: usize = 2;

/// A read that brings so many bytes is a batch anyhow; and a nap must not fill the socket.
const LARGE: usize = 16 * 1024;

/// What a read has brought that took all that had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    pub(super) packets: usize,
    pub(super) bytes: usize,
    /// This side has written something since the read before.
    pub(super) may_be_answer: bool,
}

/// How densely things come.
#[derive(Debug, Default)]
pub(super) struct Density {
    /// When the last read was.
    last: Option<Timestamp>,
    /// A nap came before the next read.
    napped: bool,
    /// How many reads in succession were dense.
    streak: u32,
}

impl Density {
    /// Notes a read. `true`: the traffic is dense, and goes one way.
    pub(super) fn note(&mut self, brought: Brought, now: Timestamp) -> bool {
        let is_close = self.last.replace(now).is_some_and(|last| now < last + CLOSE);
        let is_dense = if std::mem::take(&mut self.napped) {
            brought.packets >= WORTH
        } else {
            brought.packets > 0 && is_close
        };
        let counts = is_dense && brought.bytes < LARGE && !brought.may_be_answer;
        self.streak = if counts { self.streak.saturating_add(1) } else { 0 };
        self.streak >= STREAK
    }

    /// Notes that the reader naps before the next read.
    pub(super) fn nap(&mut self) {
        self.napped = true;
    }
}
