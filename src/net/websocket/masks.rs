//! Masks for frames (RFC 6455 §5.3).

use rustix::rand::{GetRandomFlags, getrandom};

use crate::net::framing::Mask;

/// How many bytes the system is asked for at first: those of 16 masks.
const FEW: usize = 64;

/// How many it is asked for at most, where many are needed.
const MANY: usize = 2048;

/// Where masks come from. Whoever chooses what is sent must not know them before.
#[derive(Default)]
pub(super) struct Masks {
    pool: Vec<u8>,
    /// Where the next one begins.
    next: usize,
}

impl Masks {
    /// Another one.
    pub(super) fn draw(&mut self) -> Mask {
        if self.next == self.pool.len() {
            self.refill();
        }
        let mut mask = Mask::default();
        let end = self.next + mask.len();
        mask.copy_from_slice(&self.pool[self.next..end]);
        self.next = end;
        mask
    }

    /// Each time twice as many, so that a link which seldom writes takes little memory.
    fn refill(&mut self) {
        self.pool.resize((2 * self.pool.len()).clamp(FEW, MANY), 0);
        let filled = getrandom(&mut self.pool, GetRandomFlags::empty()).unwrap_or_default();
        // A signal may have cut it short.
        self.pool.truncate(filled - filled % size_of::<Mask>());
        if self.pool.is_empty() {
            // A system without that call has no better ones.
            self.pool.extend(std::iter::repeat_with(|| fastrand::u8(..)).take(FEW));
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_mask_is_given_twice() {
        let mut masks = Masks::default();
        let drawn: BTreeSet<Mask> = (0..MANY).map(|_| masks.draw()).collect();
        // Two may be the same by chance, once in two thousand times; two pairs of them once in some million.
        assert!(drawn.len() >= MANY - 1, "{drawn:?}");
    }
}
