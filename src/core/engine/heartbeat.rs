//! The heartbeat of an open session.

use std::time::Duration;

use crate::core::time::Timestamp;
use crate::proto::dialect::Pinger;
use crate::proto::handshake::Handshake;

/// Who pings, and until when the peer has to be heard.
#[derive(Debug)]
pub(super) struct Heartbeat {
    pinger: Pinger,
    interval: Duration,
    timeout: Duration,
    /// Where the client pings: a ping is out and nothing came since.
    waiting: bool,
    /// When the last ping came, or was due to be sent.
    pinged: Timestamp,
    deadline: Timestamp,
}

/// What the passing of the deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// A ping is to be sent.
    Ping,
    /// The peer is gone.
    Lost,
}

impl Heartbeat {
    pub(super) fn new(pinger: Pinger, handshake: &Handshake, now: Timestamp) -> Self {
        // With no time at all, each heartbeat would be late.
        let is_given = !handshake.ping_timeout.is_zero();
        let mut heartbeat = Self {
            pinger,
            interval: handshake.ping_interval,
            timeout: if is_given { handshake.ping_timeout } else { handshake.ping_interval },
            waiting: false,
            pinged: now,
            deadline: now,
        };
        heartbeat.restart(now);
        heartbeat
    }

    pub(super) fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// From when on the peer's part is due: its ping, or the answer to ours.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.pinger {
            Pinger::Server => Some(self.pinged + self.interval),
            Pinger::Client => self.waiting.then_some(self.pinged),
        }
    }

    /// The server pinged.
    pub(super) fn on_ping(&mut self, now: Timestamp) {
        if self.pinger == Pinger::Server {
            self.restart(now);
        }
    }

    /// The server answered a ping; gives how long that took.
    pub(super) fn on_pong(&mut self, now: Timestamp) -> Option<Duration> {
        if self.pinger == Pinger::Server {
            return None;
        }
        let took = self.waiting.then(|| now.since(self.pinged));
        self.restart(now);
        took
    }

    /// Anything else came. It counts only while an answer to a ping is awaited.
    pub(super) fn on_other(&mut self, now: Timestamp) {
        if self.waiting {
            self.deadline = now + self.interval + self.timeout;
        }
    }

    /// The deadline passed.
    pub(super) fn expire(&mut self, now: Timestamp) -> Beat {
        // The device was suspended for so long that the server has missed its ping and has given
        // the session up.
        let overdue = now >= self.deadline + self.timeout;
        if self.pinger == Pinger::Server || self.waiting || overdue {
            return Beat::Lost;
        }
        self.waiting = true;
        self.pinged = now;
        self.deadline = now + self.timeout;
        Beat::Ping
    }

    fn restart(&mut self, now: Timestamp) {
        self.waiting = false;
        self.pinged = now;
        self.deadline = now
            + match self.pinger {
                Pinger::Server => self.interval + self.timeout,
                Pinger::Client => self.interval,
            };
    }
}
