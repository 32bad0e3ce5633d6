//! Whether what comes, or goes, does so fast enough.

use std::time::Duration;

use crate::core::time::Timestamp;

/// The least that has to move, in bytes per second and on the average: the slowest of mobile networks have more.
const FLOOR: u128 = 512;

/// How a request comes, or its response goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    began: Timestamp,
    /// How many bytes have moved since, in all and up to the last look.
    moved: u128,
    seen: u128,
}

/// How the rest comes of what has come by half.
pub(super) struct HalfPacket {
    pub(super) pace: Pace,
    /// When it is to be looked at.
    pub(super) until: Timestamp,
}

impl Pace {
    /// It begins now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { began: now, moved: 0, seen: 0 }
    }

    /// So many bytes have moved.
    pub(super) fn note(&mut self, bytes: usize) {
        self.moved += bytes as u128;
    }

    /// Looks at it, at the end of a period: whether it has moved in that, and is not too slow in all.
    pub(super) fn goes_on(&mut self, now: Timestamp) -> bool {
        let has_moved = self.moved > std::mem::replace(&mut self.seen, self.moved);
        let least = now.since(self.began).as_millis() * FLOOR / Duration::from_secs(1).as_millis();
        has_moved && self.moved >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(count: u64) -> Timestamp {
        Timestamp(Duration::from_secs(count))
    }

    #[test]
    fn what_moves_goes_on_unless_it_does_too_slowly() {
        let mut pace = Pace::new(second(100));
        assert!(!pace.goes_on(second(120)), "nothing has come");
        pace.note(40 * 512);
        assert!(pace.goes_on(second(140)));
        pace.note(20 * 512 - 1);
        assert!(!pace.goes_on(second(160)), "a byte too few");
        pace.note(1_000_000);
        assert!(pace.goes_on(second(180)));
        assert!(!pace.goes_on(second(200)), "it has stopped, however fast it was");
    }
}
