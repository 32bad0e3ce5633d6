//! What has passed, what was dropped, and what made no sense.

use std::time::Duration;

use super::round_trip::RoundTrip;
use super::{Client, Cycle};
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::event::drop_reason::DropReason;

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets without an addressee (unknown namespaces and acknowledgements), and those that
    /// made no sense when they came.
    pub(crate) ignored: usize,
    /// Outgoing events that were dropped, for whatever reason.
    pub(crate) dropped: usize,
    /// Those among them that were dropped for a reason that users are told.
    pub(crate) gave_way: usize,
    pub(crate) expired: usize,
    pub(crate) too_large: usize,
    pub(crate) unacknowledged: usize,
    pub(crate) session_ended: usize,
    /// Those among them that were volatile.
    pub(crate) volatile: usize,
    /// Events that were written, and that nobody will ever know of whether the server has read them.
    pub(crate) unconfirmed: usize,
    /// Attempts to connect that came to nothing.
    pub(crate) failed_attempts: u64,
    /// The events and answers that came for a joined namespace.
    pub(crate) received: EventSum,
    /// Those that were handed to a transport.
    pub(crate) sent: EventSum,
}

/// An amount of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventSum {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

impl EventSum {
    pub(super) fn add(&mut self, events: Load) {
        self.events += events.packets as u64;
        self.bytes += events.bytes as u64;
    }
}

impl Tally {
    /// Outgoing events that the program has dropped by itself.
    pub(crate) fn discarded(&self) -> usize {
        let others = self.gave_way
            + self.expired
            + self.too_large
            + self.unacknowledged
            + self.session_ended
            + self.volatile;
        self.dropped - others
    }

    /// Counts what was dropped.
    pub(super) fn note_drop(&mut self, load: Load, reason: Option<DropReason>) {
        let count = load.packets;
        self.dropped += count;
        match reason {
            Some(DropReason::GaveWay) => self.gave_way += count,
            Some(DropReason::Expired) => self.expired += count,
            Some(DropReason::TooLarge) => self.too_large += count,
            Some(DropReason::Unacknowledged) => self.unacknowledged += count,
            Some(DropReason::SessionEnded) => self.session_ended += count,
            None => {}
        }
    }
}

impl<A> Client<A> {
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts a packet that makes no sense. `true`: it is the first of its kind in this session, and
    /// worth a line in the log.
    pub(super) fn note_nonsense(&mut self, kind: Nonsense) -> bool {
        self.tally.ignored += 1;
        let is_first = !self.nonsense.contains(&kind);
        if is_first {
            self.nonsense.push(kind);
        }
        is_first
    }

    pub(crate) fn round_trip(&self) -> RoundTrip {
        self.round_trip
    }

    /// For how long the session has been open.
    pub(crate) fn connected_for(&self, now: Timestamp) -> Option<Duration> {
        (self.cycle == Cycle::Open).then(|| now.since(self.since))
    }

    /// How many acknowledgements are awaited.
    pub(crate) fn awaited_acks(&self) -> usize {
        self.namespaces.iter().map(|namespace| namespace.acks.len()).sum()
    }
}

/// Which packets make no sense. A line of the log tells the first of each kind in a session; what a
/// server repeats is counted only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nonsense {
    /// A packet for a namespace that nobody has asked for.
    UnknownNamespace,
    /// An event or an acknowledgement without data.
    NoData,
    /// An acknowledgement that nobody waits for.
    UnknownAck,
    /// An event of a namespace that is not joined.
    StrayEvent,
    /// More events before the answer to CONNECT than can be kept.
    EarlyEvent,
    /// A CONNECT for a namespace that is joined, or that nobody has asked for in this session.
    StrayConnect,
    /// A refusal or a DISCONNECT for a namespace that is not joined.
    StrayRefusal,
    /// A second Engine.IO handshake.
    SecondHandshake,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_for_no_other_reason_was_discarded() {
        let tally = Tally {
            dropped: 163,
            gave_way: 1,
            expired: 2,
            too_large: 4,
            unacknowledged: 8,
            session_ended: 16,
            volatile: 32,
            ..Tally::default()
        };
        assert_eq!(tally.discarded(), 100);
    }
}
