//! Which of the addresses of a service it is the turn of.

use std::time::Duration;

use crate::core::time::Timestamp;
use crate::options::ManagerOptions;

/// The turn goes round: on after each attempt that fails, and it stays where an attempt succeeds.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Counted from the first address, which is 0.
    current: usize,
    /// The turn was changed by the user, and the current attempt is of the turn before.
    is_new: bool,
    /// The session that ended last was of use, and no attempt has begun since.
    has_served: bool,
    /// When the turn went on from the first one.
    first_left: Option<Timestamp>,
    /// Until when addresses have asked to be left alone, by their place.
    closed: Vec<(usize, Timestamp)>,
}

impl Places {
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// An attempt begins. The first one after a session that was of use is with the first address
    /// again, if that was left long enough ago; those that follow go on from there.
    pub(super) fn begin(&mut self, options: &ManagerOptions, now: Timestamp) {
        let is_over =
            |left: Timestamp| options.fail_back_after.is_some_and(|after| now >= left + after);
        let is_free = self.pause_of(0, now).is_zero();
        if self.has_served && is_free && self.first_left.is_some_and(is_over) {
            self.restart();
        }
        self.has_served = false;
        self.is_new = false;
    }

    /// The session ends, and was of use.
    pub(super) fn stay(&mut self) {
        self.has_served = true;
    }

    /// The server of the current attempt asks to be left alone for so long.
    pub(super) fn leave_alone(&mut self, time: Duration, now: Timestamp) {
        let current = self.current;
        self.closed.retain(|(place, until)| *place != current && now < *until);
        if !self.is_new && !time.is_zero() {
            self.closed.push((current, now + time));
        }
    }

    /// For how long the address that it is the turn of has yet to be left alone.
    pub(super) fn pause(&self, now: Timestamp) -> Duration {
        self.pause_of(self.current, now)
    }

    fn pause_of(&self, place: usize, now: Timestamp) -> Duration {
        let until = self.closed.iter().find(|(closed, _)| *closed == place);
        until.map_or(Duration::ZERO, |(_, until)| until.since(now))
    }

    /// The current attempt failed: the turn goes to the next address that need not be left alone, or where all have
    /// to be, to the one that is free first.
    pub(super) fn go_on(&mut self, options: &ManagerOptions, now: Timestamp) {
        if self.is_new {
            return;
        }
        let count = options.backups + 1;
        let others_first = (1..=count).map(|step| (self.current + step) % count);
        match others_first.min_by_key(|place| self.pause_of(*place, now)) {
            None | Some(0) => self.restart(),
            Some(next) => {
                if self.current == 0 {
                    self.first_left = Some(now);
                }
                self.current = next;
            }
        }
    }

    /// The first address is another one: the next attempt begins with it.
    pub(super) fn return_to_first(&mut self) {
        self.closed.retain(|(place, _)| *place != 0);
        self.restart();
        self.is_new = true;
    }

    /// The turn is that of the first address.
    fn restart(&mut self) {
        *self = Self { closed: std::mem::take(&mut self.closed), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: u32) -> Timestamp {
        Timestamp(MINUTE * minutes)
    }

    #[test]
    fn of_several_wishes_of_one_address_the_last_one_counts() {
        let mut places = Places::default();
        for asked in [1, 5, 2] {
            places.leave_alone(MINUTE * asked, at(0));
            assert_eq!(places.pause(at(0)), MINUTE * asked);
        }
        places.leave_alone(Duration::ZERO, at(0));
        assert!(places.pause(at(0)).is_zero() && places.closed.is_empty());
    }

    #[test]
    fn what_other_addresses_have_asked_for_is_forgotten_when_it_is_over() {
        let mut places = Places { current: 1, ..Places::default() };
        places.leave_alone(MINUTE, at(0));
        places.current = 2;
        places.leave_alone(MINUTE * 9, at(0));
        places.current = 0;
        places.leave_alone(Duration::ZERO, at(2));
        assert_eq!(places.closed, [(2, at(9))]);
    }

    #[test]
    fn another_first_address_has_asked_for_nothing_and_the_others_keep_their_wishes() {
        let mut places = Places::default();
        places.leave_alone(MINUTE, at(0));
        places.current = 1;
        places.leave_alone(MINUTE, at(0));
        places.return_to_first();
        assert_eq!(
            (places.pause_of(0, at(0)), places.pause_of(1, at(0))),
            (Duration::ZERO, MINUTE)
        );
        // The attempt under way is of the address before.
        places.leave_alone(MINUTE, at(0));
        assert!(places.pause(at(0)).is_zero());
    }
}
