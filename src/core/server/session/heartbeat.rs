//! The heartbeat of a session, as its server has it.
//!
//! Who pings is the dialect's to say. Where the server does, it pings `pingInterval` after the last
//! pong, and something has to come within `pingTimeout` from when the ping was written. Where the client
//! does, something has to come within both times together.

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
    /// The reader holds still: what is due may have come already.
    is_held: bool,
    /// When the client was heard of the last time, or pinged since.
    since: Timestamp,
}

/// What the passing of the time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PulseStep {
    None,
    /// A ping is to be sent.
    Ping,
    /// The client is gone.
    Lost,
}

impl Pulse {
    pub(super) fn new(pinger: Pinger, now: Timestamp) -> Self {
        Self { pinger, awaits_pong: false, is_held: false, since: now }
    }

    /// When to call [`expire`](Self::expire). `is_busy`: what was handed out before is yet to be written, and
    /// the ping with it or behind it.
    pub(super) fn deadline(&self, options: &SessionOptions, is_busy: bool) -> Option<Timestamp> {
        match self.pinger {
            Pinger::Server if !self.awaits_pong => Some(self.since + options.ping_interval),
            _ if self.is_held => None,
            Pinger::Server if is_busy => None,
            Pinger::Server => Some(self.since + options.ping_timeout),
            Pinger::Client => Some(self.since + options.ping_interval + options.ping_timeout),
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
        if self.pinger == Pinger::Client || self.awaits_pong {
            return PulseStep::Lost;
        }
        self.awaits_pong = true;
        self.since = now;
        PulseStep::Ping
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

    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    pub(super) fn resume(&mut self, now: Timestamp) {
        if self.is_held {
            self.is_held = false;
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
