//! Which of the addresses of a service it is the turn of.

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
        if self.has_served && self.first_left.is_some_and(is_over) {
            self.return_to_first();
        }
        self.has_served = false;
        self.is_new = false;
    }

    /// The session ends, and was of use.
    pub(super) fn stay(&mut self) {
        self.has_served = true;
    }

    /// The current attempt failed.
    pub(super) fn go_on(&mut self, options: &ManagerOptions, now: Timestamp) {
        if self.is_new {
            return;
        }
        if self.current == 0 {
            self.first_left = Some(now);
        }
        self.current += 1;
        if self.current > options.backups {
            *self = Self::default();
        }
    }

    /// The next attempt begins with the first address.
    pub(super) fn return_to_first(&mut self) {
        *self = Self { is_new: true, ..Self::default() };
    }
}
