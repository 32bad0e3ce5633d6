//! Masks for frames (RFC 6455 §5.3).

use rustix::rand::{GetRandomFlags, getrandom};

use crate::net::framing::Mask;

/// How many bytes the system is asked for at once: those of 32 masks.
const POOL: usize = 128;

/// Where masks come from. Whoever chooses what is sent must not know them before.
pub(super) struct Masks {
    pool: [u8; POOL],
    /// Where the next one begins.
    next: usize,
}

impl Masks {
    pub(super) fn new() -> Self {
        Self { pool: [0; POOL], next: POOL }
    }

    /// Another one.
    pub(super) fn draw(&mut self) -> Mask {
        if self.next == POOL {
            self.refill();
        }
        let mut mask = Mask::default();
        let end = self.next + mask.len();
        mask.copy_from_slice(&self.pool[self.next..end]);
        self.next = end;
        mask
    }

    fn refill(&mut self) {
        let filled = getrandom(&mut self.pool, GetRandomFlags::empty()).unwrap_or_default();
        // A system without that call has no better ones.
        self.pool[filled..].fill_with(|| fastrand::u8(..));
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_mask_is_given_twice() {
        let mut masks = Masks::new();
        let drawn: BTreeSet<Mask> = (0..3 * POOL / 4).map(|_| masks.draw()).collect();
        // Two of some hundred may be the same by chance, once in a million times.
        assert!(drawn.len() >= 3 * POOL / 4 - 1, "{drawn:?}");
    }
}
