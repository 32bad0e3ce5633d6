//! Whether handlers are quick enough to be run by the thread that serves the connections.

use std::time::Duration;

use crate::core::time::Timestamp;

/// How long a task of the pool may take, if further ones are not to be left to it: others can do them at the same time, and
/// to wake a thread for one adds little.
const QUICK: Duration = Duration::from_micros(100);

/// How far tasks may be above that in all, those that were below it set against them. Where the system gave the processor to
/// somebody else for a moment, that is no reason.
const ABOVE: Duration = Duration::from_millis(1);

/// How long those of a turn may take in all.
const IN_TURN: Duration = Duration::from_millis(10);

/// How long they are left to the pool.
const LEFT: Duration = Duration::from_millis(20);

/// How quick handlers have been so far.
#[derive(Debug, Default)]
pub(super) struct Quickness {
    /// How long they have taken in this turn.
    in_turn: Duration,
    /// How far they are above [`QUICK`] each.
    above: Duration,
    /// They are left to the pool until then.
    left_until: Option<Timestamp>,
}

impl Quickness {
    pub(super) fn begin_turn(&mut self, now: Timestamp) {
        self.in_turn = Duration::ZERO;
        self.left_until.take_if(|until| *until <= now);
    }

    /// Whether handlers are left to the pool.
    pub(super) fn is_doubted(&self) -> bool {
        self.left_until.is_some()
    }

    /// So many tasks of the pool were done by the thread that serves: none where it had no room.
    pub(super) fn note(&mut self, tasks: u32, time: Duration, now: Timestamp) {
        self.in_turn += time;
        self.above = (self.above + time).saturating_sub(QUICK * tasks);
        if tasks == 0 || self.above > ABOVE || self.in_turn > IN_TURN {
            self.doubt(now);
        }
    }

    /// Handlers take their time. They are on trial when they are run here again.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.above = ABOVE;
        self.left_until = Some(now + LEFT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp(Duration::from_micros(micros))
    }

    /// Whether they are doubted after tasks that each take so many microseconds.
    fn doubts(quickness: &mut Quickness, times: &[u64]) -> bool {
        for micros in times {
            quickness.note(1, Duration::from_micros(*micros), at(0));
        }
        quickness.is_doubted()
    }

    #[test]
    fn tasks_are_left_to_the_pool_when_they_are_slow_on_the_whole() {
        for (times, are_doubted) in [
            (&[100; 99][..], false),
            (&[1100], false),
            (&[1101], true),
            (&[600, 600], false),
            (&[600, 600, 101], true),
            // One that was held up for a moment is forgiven, if those beside it are quick.
            (&[1000, 50, 50, 1000], true),
            (&[1000, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1000], false),
        ] {
            assert_eq!(doubts(&mut Quickness::default(), times), are_doubted, "{times:?}");
        }
    }

    #[test]
    fn those_of_a_turn_may_take_ten_milliseconds_however_quick_each_is() {
        let mut quickness = Quickness::default();
        assert!(!doubts(&mut quickness, &[100; 100]));
        quickness.begin_turn(at(0));
        assert!(!doubts(&mut quickness, &[100; 100]));
        assert!(doubts(&mut quickness, &[1]));
    }

    #[test]
    fn where_there_was_no_room_for_one_all_are_left_to_the_pool() {
        let mut quickness = Quickness::default();
        quickness.note(0, Duration::ZERO, at(0));
        assert!(quickness.is_doubted());
    }

    #[test]
    fn after_a_while_they_are_on_trial() {
        let mut quickness = Quickness::default();
        quickness.doubt(at(5));
        for (micros, is_doubted) in [(20_004, true), (20_005, false)] {
            quickness.begin_turn(at(micros));
            assert_eq!(quickness.is_doubted(), is_doubted);
        }
        assert!(!doubts(&mut quickness, &[100]));
        assert!(doubts(&mut quickness, &[101]), "the first slow one is enough");
    }
}
