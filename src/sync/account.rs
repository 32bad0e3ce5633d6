//! What waits for one consumer, held against its bounds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::gate::Gate;
use crate::options::WhenFull;

/// The number of an account in its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(unreachable_pub)]
pub struct AccountId(pub(super) usize);

/// The only account of a mailbox that has one.
pub(crate) const ONLY: AccountId = AccountId(0);

/// The second account of a mailbox that has two.
pub(crate) const SECOND: AccountId = AccountId(1);

/// The bounds of what waits for one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) when_full: WhenFull,
}

/// The sizes of what waits for one consumer, in its order. The things themselves are kept elsewhere,
/// in the same order.
pub(crate) struct Account {
    bounds: Bounds,
    sizes: VecDeque<usize>,
    /// How many of them, the oldest, are within the bounds. The others are in the reserve.
    within: usize,
    /// The bytes of those.
    bytes: usize,
    /// How many were dropped for want of room.
    lost: usize,
    /// Nothing comes any more; it ends with what waits.
    retired: bool,
    gate: Arc<Gate>,
}

/// What may come besides without any consequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    events: usize,
    /// The events have fewer bytes than this.
    bytes: usize,
}

/// What becomes of something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It was entered, and so many of the oldest left for it.
    Entered { evicted: usize },
    /// It is dropped.
    Refused,
}

impl Room {
    /// Uses some of it for an event of this size, if it is enough.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let is_enough = self.events > 0 && size < self.bytes;
        if is_enough {
            self.events -= 1;
            self.bytes -= size;
        }
        is_enough
    }
}

impl Account {
    pub(crate) fn new(bounds: Bounds, gate: Arc<Gate>) -> Self {
        Self { bounds, sizes: VecDeque::new(), within: 0, bytes: 0, lost: 0, retired: false, gate }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.sizes.iter().skip(self.within).sum::<usize>()
    }

    /// How many were dropped for want of room.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    /// Something was dropped that had its place.
    pub(super) fn note_lost(&mut self) {
        self.lost += 1;
    }

    /// Nothing comes any more.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
    }

    /// Whether nothing waits, and nothing comes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.retired && self.sizes.is_empty()
    }

    /// Whether the reader should hold still for this consumer.
    pub(crate) fn pushes_back(&self) -> bool {
        self.bounds.when_full == WhenFull::Wait
            && (self.within < self.sizes.len()
                || self.within >= self.bounds.events
                || self.bytes >= self.bounds.bytes
                || (self.within > 0 && self.gate.is_full()))
    }

    /// What may come until the reader should hold still, or something is dropped.
    pub(crate) fn room(&self) -> Room {
        if self.within < self.sizes.len() {
            return Room::default();
        }
        Room {
            events: self.bounds.events.saturating_sub(self.within + 1),
            bytes: self.bounds.bytes.saturating_sub(self.bytes).min(self.gate.room()),
        }
    }

    /// Enters something of this size, as the policy has it.
    pub(crate) fn enter(&mut self, size: usize) -> Admission {
        let mut evicted = 0;
        if !self.fits(size) {
            match self.bounds.when_full {
                WhenFull::DropNewest => {
                    self.lost += 1;
                    return Admission::Refused;
                }
                WhenFull::DropOldest => {
                    while !self.sizes.is_empty() && !self.fits(size) {
                        self.leave();
                        evicted += 1;
                    }
                    self.lost += evicted;
                }
                WhenFull::Wait => {}
            }
        }
        self.sizes.push_back(size);
        if self.within + 1 == self.sizes.len() && self.fits(size) {
            self.take_in(size);
        } else {
            self.gate.enter_reserve(size);
        }
        Admission::Entered { evicted }
    }

    /// The oldest leaves. `true` when that is a reason to look whether the reader can go on.
    pub(crate) fn leave(&mut self) -> bool {
        let was_behind = self.is_behind();
        let Some(size) = self.sizes.pop_front() else { return false };
        let mut reason = if self.within > 0 {
            self.within -= 1;
            self.bytes -= size;
            self.gate.leave(size)
        } else {
            self.gate.leave_reserve(size)
        };
        reason |= self.move_up();
        reason || (was_behind && !self.is_behind())
    }

    /// Those in the reserve move up, as far as there is room now. `true` when that is a reason to look
    /// whether the reader can go on.
    pub(crate) fn move_up(&mut self) -> bool {
        let mut reason = false;
        while let Some(&next) = self.sizes.get(self.within).filter(|size| self.fits(**size)) {
            self.take_in(next);
            reason |= self.gate.leave_reserve(next);
        }
        reason
    }

    /// All leave.
    pub(crate) fn clear(&mut self) {
        while !self.sizes.is_empty() {
            self.leave();
        }
    }

    /// Whether this much fits within the bounds. Anything fits if nothing is there.
    fn fits(&self, size: usize) -> bool {
        self.within == 0
            || (self.within < self.bounds.events
                && self.bytes.saturating_add(size) <= self.bounds.bytes
                && self.gate.has_room(size))
    }

    fn take_in(&mut self, size: usize) {
        self.within += 1;
        self.bytes += size;
        self.gate.enter(size);
    }

    /// Whether more than half of the bounds is used.
    fn is_behind(&self) -> bool {
        self.within > self.bounds.events / 2
            || self.bytes > self.bounds.bytes / 2
            || self.within < self.sizes.len()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.clear();
    }
}
