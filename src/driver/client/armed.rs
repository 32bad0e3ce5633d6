//! The deadline that the timer thread knows of.

use std::time::Duration;

use crate::core::time::Timestamp;

/// How often at most the timer thread is told of a later deadline, in the long run. Under traffic each acknowledgement
/// that comes moves the deadline back to the heartbeat's, and each event that wants one moves it forth.
const RARELY: Duration = Duration::from_secs(1);

/// How many times it may be told in a row: a connection that is made puts the deadline off when its session opens, when a namespace
/// is joined, and when it has moved to WebSocket, and is idle then.
const IN_A_ROW: u32 = 4;

/// What a connection has told the timer thread.
///
/// An earlier deadline is always told. A later one need not be: the thread finds out when it looks. But on an
/// idle link, where each heartbeat moves the deadline, it would look once for each of them, and find nothing.
#[derive(Debug, Default)]
pub(super) struct Armed {
    at: Option<Timestamp>,
    /// Up to when it would have been told of later ones, had it been told of one each second.
    put_off_until: Option<Timestamp>,
}

impl Armed {
    /// This is the deadline now. `true`: the thread is to be told of it.
    pub(super) fn follow(&mut self, deadline: Timestamp, now: Timestamp) -> bool {
        let is_told = match self.at {
            Some(at) if deadline == at => false,
            Some(at) if deadline > at => self.put_off(now),
            _ => true,
        };
        if is_told {
            self.at = Some(deadline);
        }
        is_told
    }

    /// It has passed: the thread knows of none any more.
    pub(super) fn pass(&mut self) {
        self.at = None;
    }

    /// `false`: it was told of a later one too often.
    fn put_off(&mut self, now: Timestamp) -> bool {
        let until = self.put_off_until.map_or(now, |until| until.max(now)) + RARELY;
        let may = until <= now + RARELY * IN_A_ROW;
        if may {
            self.put_off_until = Some(until);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp(Duration::from_millis(milliseconds))
    }

    #[test]
    fn an_earlier_deadline_is_told_at_once_and_the_same_one_once() {
        let mut armed = Armed::default();
        let told =
            [45_000, 45_000, 5_000, 5_000, 4_999].map(|deadline| armed.follow(at(deadline), at(0)));
        assert_eq!(told, [true, false, true, false, true]);
    }

    #[test]
    fn behind_one_that_has_passed_the_next_is_told_at_once() {
        let mut armed = Armed::default();
        let told =
            [41, 42, 43, 44, 45, 46].map(|deadline| armed.follow(at(deadline * 1000), at(0)));
        assert_eq!(told, [true, true, true, true, true, false]);
        armed.pass();
        assert!(armed.follow(at(47_000), at(1)));
    }

    #[test]
    fn a_connection_that_is_made_leaves_nothing_to_wake_up_for() {
        let mut armed = Armed::default();
        // The limit of the attempt, that of joining, the heartbeat; an upgrade, and the heartbeat again.
        let told = [20_000, 20_001, 45_000, 20_002, 45_000]
            .map(|deadline| armed.follow(at(deadline), at(2)));
        assert_eq!(told, [true; 5]);
    }

    #[test]
    fn heartbeats_put_the_deadline_off() {
        let mut armed = Armed::default();
        for heartbeat in (0..1_000_000).step_by(25_000) {
            assert!(armed.follow(at(heartbeat + 45_000), at(heartbeat)), "{heartbeat}");
        }
    }

    #[test]
    fn traffic_puts_it_off_once_a_second() {
        let mut armed = Armed::default();
        let mut told = 0;
        // For ten seconds, an event every millisecond that wants its acknowledgement in five seconds, and has it
        // before the next one.
        for now in 0..10_000 {
            told += usize::from(armed.follow(at(now + 5_000), at(now)));
            told += usize::from(armed.follow(at(45_000), at(now)));
        }
        // Of the first one, of four later ones in a row, each followed by an earlier one, and then of one each second.
        assert_eq!(told, 1 + 4 * 2 + 9);
    }
}
