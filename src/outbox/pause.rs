//! How long to wait before something is tried again.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// A pause that becomes longer with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
    end: Option<Instant>,
}

impl Pause {
    /// Something failed.
    pub(super) fn begin(&mut self, now: Instant) {
        let length = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.end = now.checked_add(length);
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.end = None;
    }

    /// When it ends, if it has not.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        self.end.filter(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_becomes_longer_up_to_a_limit_and_is_short_again_after_success() {
        let now = Instant::now();
        let mut pause = Pause::default();
        assert_eq!(pause.end(now), None);
        let mut lengths = Vec::new();
        for _ in 0..40 {
            pause.begin(now);
            lengths.push(pause.end(now).unwrap() - now);
        }
        assert_eq!((lengths[0], lengths[1], lengths[39]), (SHORTEST, 2 * SHORTEST, LONGEST));
        assert_eq!(pause.end(now + LONGEST), None);
        pause.reset();
        pause.begin(now);
        assert_eq!(pause.end(now), Some(now + SHORTEST));
    }
}
