//! The heartbeat of a session, as its server has it.
//!
//! Who pings is the dialect's to say. Where the server does, it pings `pingInterval` after the last
//! pong, and something has to come within `pingTimeout` from when the ping was written. Where the client
//! does, something has to come within both times together.
//!
//! While the reader holds still, what is due may have come already, and is not missed. But the client waits for
//! signs of life too: it gets pings, or pongs for the pings that may lie unread, though nobody has asked.

use super::SessionOptions;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::proto::dialect::Pinger;

/// Who pings, and since when something is due.
#[derive(Debug)]
pub(super) struct Pulse {
    pinger: Pinger,
    /// Where the server pings: a pong is awaited.
    awaits_pong: bool,
    /// The reader holds still: when the client got its last sign of life.
    held: Option<Timestamp>,
    /// When the client was heard of the last time, or pinged since.
    since: Timestamp,
}

/// What the passing of the time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PulseStep {
    None,
    /// A ping is to be sent.
    Ping,
    /// A pong is, for what may lie unread.
    Pong,
    /// The client is gone.
    Lost,
}

impl Pulse {
    pub(super) fn new(pinger: Pinger, now: Timestamp) -> Self {
        Self { pinger, awaits_pong: false, held: None, since: now }
    }

    /// When to call [`expire`](Self::expire). `is_busy`: what was handed out before is yet to be written, and
    /// the ping with it or behind it.
    pub(super) fn deadline(&self, options: &SessionOptions, is_busy: bool) -> Option<Timestamp> {
        match (self.pinger, self.held) {
            (Pinger::Server, _) if !self.awaits_pong => Some(self.since + options.ping_interval),
            // What is being written is a sign of life, and has a deadline of its own.
            (Pinger::Server, _) | (_, Some(_)) if is_busy => None,
            (Pinger::Server, Some(signed)) => Some(signed + options.ping_interval),
            // A client may wait for so long, and not have pinged just now.
            (Pinger::Client, Some(signed)) => Some(signed + options.ping_timeout / 2),
            (Pinger::Server, None) => Some(self.since + options.ping_timeout),
            (Pinger::Client, None) => {
                Some(self.since + options.ping_interval + options.ping_timeout)
            }
        }
    }

    pub(super) fn expire(
        &mut self,
        options: &SessionOptions,
        is_busy: bool,
        now: Timestamp,
    ) -> PulseStep {
        if self.deadline(options, is_busy).is_none_or(|deadline| deadline > now) {
            return PulseStep::None;
        }
        let is_held = self.held.is_some();
        self.held = self.held.and(Some(now));
        match self.pinger {
            Pinger::Client if is_held => PulseStep::Pong,
            Pinger::Client => PulseStep::Lost,
            Pinger::Server if self.awaits_pong && !is_held => PulseStep::Lost,
            Pinger::Server => {
                self.awaits_pong = true;
                self.since = now;
                PulseStep::Ping
            }
        }
    }

    /// Something has come.
    pub(super) fn heard(&mut self, now: Timestamp) {
        if self.pinger == Pinger::Client || self.awaits_pong {
            self.since = now;
        }
    }

    /// The client has answered a ping. One that nobody has sent is answered by nothing.
    pub(super) fn ponged(&mut self, now: Timestamp) {
        if self.awaits_pong {
            self.awaits_pong = false;
            self.since = now;
        }
    }

    /// What was handed out is written: a ping among it is from now on on its way.
    pub(super) fn written(&mut self, now: Timestamp) {
        if self.awaits_pong {
            self.since = now;
        }
    }

    pub(super) fn hold(&mut self, now: Timestamp) {
        self.held = Some(now);
    }

    pub(super) fn resume(&mut self, now: Timestamp) {
        if self.held.take().is_some() {
            self.heard(now);
        }
    }

    /// The error of a client that was not heard of.
    pub(super) fn silent(&self, options: &SessionOptions) -> Error {
        let (interval, timeout) = (options.ping_interval, options.ping_timeout);
        let what = match self.pinger {
            Pinger::Server => {
                format!("the client did not answer a ping within {}", Rounded(timeout))
            }
            Pinger::Client => {
                let limit = interval.saturating_add(timeout);
                format!("the client sent nothing for {}", Rounded(limit))
            }
        };
        let limits =
            format!("pingInterval {}, pingTimeout {}", Rounded(interval), Rounded(timeout));
        Error::new(ErrorKind::Transport, format!("{what} ({limits})")).timed_out()
    }
}
