//! How densely things come, and whether the thread of a WebSocket naps before it looks again. Both directions are
//! measured so: what is read, and what is written, where a nap means to let events accumulate
//! (`core/client/accumulating.rs`).
//!
//! A server that writes each event by itself makes the socket readable some hundred thousand times per
//! second. To wake up for each, to read it, and to wake its consumer costs many times what the event
//! itself does, and the server pays for the wake-ups as well. So in the midst of such traffic the
//! thread does not look at the socket for a moment, and then takes at once all that has come.
//!
//! Nothing that somebody waits for is late by that: there is no nap after a read that may have brought
//! an answer, none while something is awaited, and whoever writes ends it.

use std::time::Duration;

use crate::core::engine::Work;
use crate::core::load::Load;
use crate::core::time::Timestamp;

/// How long the first nap is. The system adds its timer slack, 50 µs by default.
const NAP: Duration = Duration::from_micros(100);

/// How many times as long a nap becomes at most.
const LONGEST: usize = 4;

/// Batches that follow each other sooner than this are close.
const CLOSE: Duration = Duration::from_micros(50);

/// How many close batches in succession make dense traffic: fewer are some messages that belong
/// together.
const STREAK: u32 = 4;

/// A nap before a batch of fewer packets than this is the last.
const WORTH: usize = 2;

/// A nap that brings fewer packets than so many for each [`NAP`] of its length is followed by a shorter
/// one.
const MANY: usize = 8;

/// So many bytes without a nap are enough for a batch anyhow.
const LARGE: usize = 16 * 1024;

/// A nap that brings so many bytes is followed by a shorter one: by default a socket takes 64 KiB at
/// first.
const FULL: usize = 48 * 1024;

/// What was read together, where that was all that had come; or what is written together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) packets: usize,
    pub(super) bytes: usize,
    /// This side has written since the batch before; never where it is what is written.
    pub(super) may_be_answer: bool,
}

impl Batch {
    /// What this work has to write, if it is that.
    pub(super) fn of_work(work: &Work) -> Option<Self> {
        let Work::Write(shipment) = work else { return None };
        let Load { packets, bytes } = shipment.load();
        Some(Self { packets, bytes, may_be_answer: false })
    }

    /// Whether it is large enough without a nap.
    pub(super) fn is_large(self) -> bool {
        self.bytes >= LARGE
    }
}

/// How densely things come.
#[derive(Debug, Default)]
pub(super) struct Density {
    /// When the last batch was.
    last: Option<Timestamp>,
    /// How many [`NAP`]s long the nap is before the next batch; 0: there is none.
    napping: usize,
    /// How long the next one would be.
    length: usize,
    /// How many batches in succession were dense.
    streak: u32,
}

impl Density {
    /// Notes a batch. `true`: the traffic is dense and goes one way, so that a nap pays.
    pub(super) fn note(&mut self, batch: Batch, now: Timestamp) -> bool {
        let is_close = self.last.replace(now).is_some_and(|last| now < last + CLOSE);
        let napped = std::mem::take(&mut self.napping);
        let is_dense = match napped {
            0 => batch.packets > 0 && is_close && !batch.is_large(),
            _ => batch.packets >= WORTH,
        };
        let counts = is_dense && !batch.may_be_answer;
        self.streak = if counts { self.streak.saturating_add(1) } else { 0 };
        let is_worth_its_length = batch.packets >= MANY * napped && batch.bytes < FULL;
        self.length = match napped {
            0 => 1,
            length if !is_worth_its_length => 1.max(length / 2),
            length if batch.bytes < FULL / 2 => LONGEST.min(length * 2),
            length => length,
        };
        self.streak >= STREAK
    }

    /// The thread naps before the next batch, for so long.
    pub(super) fn begin_nap(&mut self) -> Duration {
        self.napping = self.length;
        NAP * u32::try_from(self.napping).unwrap_or(1)
    }

    /// The same, for as long as there may be.
    pub(super) fn begin_longest_nap(&mut self) -> Duration {
        self.length = LONGEST;
        self.begin_nap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Batch = Batch { packets: 1, bytes: 200, may_be_answer: false };

    /// Notes reads that follow each other by `gap`; whether a nap would follow the last.
    fn naps(density: &mut Density, clock: &mut Duration, gap: Duration, reads: &[Batch]) -> bool {
        let mut naps = false;
        for read in reads {
            *clock += gap;
            naps = density.note(*read, Timestamp(*clock));
            if naps {
                density.begin_nap();
            }
        }
        naps
    }

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn dense_traffic_is_napped_in_until_it_is_over() {
        let (mut density, mut clock) = (Density::default(), Duration::ZERO);
        let mut after = |gap, reads: &[Batch]| naps(&mut density, &mut clock, gap, reads);
        // The first read follows nothing.
        assert!(!after(micros(7), &[EVENT; 4]));
        assert!(after(micros(7), &[EVENT]));
        // The reads behind a nap are as far from each other as the nap is long.
        let gathered = Batch { packets: 20, bytes: 4000, ..EVENT };
        assert!(after(micros(150), &[gathered; 100]));
        assert!(!after(micros(150), &[EVENT]));
        assert!(!after(micros(7), &[EVENT; 3]));
        assert!(after(micros(7), &[EVENT]));
        assert!(!after(micros(150), &[Batch { packets: 0, ..EVENT }]));
    }

    #[test]
    fn the_denser_it_is_the_longer_are_the_naps() {
        let (mut density, mut clock) = (Density::default(), Duration::ZERO);
        assert!(naps(&mut density, &mut clock, micros(7), &[EVENT; 5]));
        let mut after = |packets, bytes| {
            let naps =
                naps(&mut density, &mut clock, micros(150), &[Batch { packets, bytes, ..EVENT }]);
            naps.then_some(density.napping)
        };
        assert_eq!([after(8, 1600), after(16, 3200), after(32, 6400)], [Some(2), Some(4), Some(4)]);
        assert_eq!([after(31, 6200), after(8, 1600), after(2, 400)], [Some(2), Some(1), Some(1)]);
        // What would fill the socket makes them shorter.
        assert_eq!([after(8, FULL / 2), after(8, FULL / 2 - 1)], [Some(1), Some(2)]);
        assert_eq!(
            [after(16, FULL - 1), after(16, FULL), after(16, FULL)],
            [Some(2), Some(1), Some(1)]
        );
    }

    #[test]
    fn what_others_write_makes_the_nap_as_long_as_it_may_be() {
        let mut density = Density::default();
        assert_eq!((density.begin_longest_nap(), density.begin_nap()), (4 * NAP, 4 * NAP));
    }

    #[test]
    fn requests_and_responses_are_not_napped_between_however_fast() {
        let (mut density, mut clock) = (Density::default(), Duration::ZERO);
        let answer = Batch { may_be_answer: true, ..EVENT };
        for _ in 0..1000 {
            assert!(!naps(&mut density, &mut clock, micros(10), &[answer]));
        }
        // Nor where each is answered by some events.
        for _ in 0..1000 {
            assert!(!naps(&mut density, &mut clock, micros(10), &[answer, EVENT, EVENT, EVENT]));
        }
    }

    #[test]
    fn an_answer_ends_dense_traffic() {
        let (mut density, mut clock) = (Density::default(), Duration::ZERO);
        assert!(naps(&mut density, &mut clock, micros(7), &[EVENT; 10]));
        let answer = Batch { packets: 20, may_be_answer: true, ..EVENT };
        assert!(!naps(&mut density, &mut clock, micros(7), &[answer]));
    }

    #[test]
    fn what_comes_now_and_then_or_in_large_pieces_is_not_napped_between() {
        let (mut density, mut clock) = (Density::default(), Duration::ZERO);
        assert!(!naps(&mut density, &mut clock, micros(50), &[EVENT; 100]));
        let large = Batch { packets: 4, bytes: LARGE, ..EVENT };
        assert!(!naps(&mut density, &mut clock, micros(7), &[large; 100]));
    }
}
