//! The deadline that the timer thread knows of.

use std::time::Duration;

use crate::core::time::Timestamp;

/// How often at most the timer thread is told of a later deadline. Under traffic each acknowledgement
/// that comes moves the deadline back to the heartbeat's, and each event that wants one moves it forth.
const RARELY: Duration = Duration::from_secs(1);

/// What a connection has told the timer thread.
///
/// An earlier deadline is always told. A later one need not be: the thread finds out when it looks. But on an
/// idle link, where each heartbeat moves the deadline, it would look once for each of them, and find nothing.
#[derive(Debug, Default)]
pub(super) struct Armed {
    at: Option<Timestamp>,
    /// When a later one was told, the last time.
    put_off: Option<Timestamp>,
}

impl Armed {
    /// This is the deadline now. `true`: the thread is to be told of it.
    pub(super) fn follow(&mut self, deadline: Timestamp, now: Timestamp) -> bool {
        if let Some(at) = self.at {
            let is_later = deadline > at;
            if deadline == at || is_later && !self.may_put_off(now) {
                return false;
            }
            if is_later {
                self.put_off = Some(now);
            }
        }
        self.at = Some(deadline);
        true
    }

    /// It has passed: the thread knows of none any more.
    pub(super) fn pass(&mut self) {
        self.at = None;
    }

    fn may_put_off(&self, now: Timestamp) -> bool {
        self.put_off.is_none_or(|before| now.since(before) >= RARELY)
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
        let told = [45_000, 46_000, 47_000].map(|deadline| armed.follow(at(deadline), at(0)));
        assert_eq!(told, [true, true, false]);
        armed.pass();
        assert!(armed.follow(at(47_000), at(1)));
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
        // Twice in the beginning, once when an earlier one is there again, and then once a second.
        assert_eq!(told, 2 + 1 + 9);
    }
}
