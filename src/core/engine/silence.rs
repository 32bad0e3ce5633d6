//! What was heard of the peer, and when: for the errors that tell of silence.

use std::time::Duration;

use super::Engine;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::proto::dialect::Pinger;
use crate::proto::packet::Packet;

/// The last that came, and the last that went.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    heard: Option<(Timestamp, &'static str)>,
    spoke: Option<Timestamp>,
}

impl Traffic {
    pub(super) fn note_heard(&mut self, packet: &Packet, now: Timestamp) {
        let what = match packet {
            Packet::Open(_) => "the handshake",
            Packet::Close => "the end",
            Packet::Ping(_) => "a ping",
            Packet::Pong(_) => "a pong",
            Packet::Text(_) | Packet::Binary(_) => "a message",
            Packet::Upgrade | Packet::Noop => "an empty answer",
        };
        self.heard = Some((now, what));
    }

    pub(super) fn note_spoke(&mut self, now: Timestamp) {
        self.spoke = Some(now);
    }
}

impl Engine {
    /// For how long nothing has come and nothing was sent.
    pub(crate) fn quiet(&self, now: Timestamp) -> Option<Duration> {
        let (heard, _) = self.traffic.heard?;
        Some(now.since(self.traffic.spoke.map_or(heard, |spoke| spoke.max(heard))))
    }

    /// What came last, in words.
    pub(crate) fn last_heard(&self, now: Timestamp) -> String {
        match self.traffic.heard {
            Some((at, what)) => {
                format!("what came last, {} ago, was {what}", Rounded(now.since(at)))
            }
            None => "nothing has come so far".to_owned(),
        }
    }

    /// The error of a heartbeat that has not come.
    pub(super) fn silent(&self, now: Timestamp) -> Error {
        let (interval, timeout) = self
            .handshake
            .as_ref()
            .map_or_else(Default::default, |it| (it.ping_interval, it.ping_timeout));
        let limits =
            format!("pingInterval {}, pingTimeout {}", Rounded(interval), Rounded(timeout));
        let what = match self.dialect.pinger() {
            Pinger::Server => {
                let limit = Rounded(interval.saturating_add(timeout));
                format!("the server sent no ping for {limit} ({limits})")
            }
            Pinger::Client => {
                let timeout = Rounded(timeout);
                format!("the server did not answer a ping within {timeout} ({limits})")
            }
        };
        Error::new(ErrorKind::Transport, format!("{what}; {}", self.last_heard(now)))
            .with_hint(
                "is the network still there, and the server not overloaded? A device that slept \
                 finds its session ended like this too",
            )
            .timed_out()
    }
}
