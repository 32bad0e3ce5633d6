//! Maps by numbers that nobody else has chosen.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by numbers that this side has given: nobody can choose them so that they meet in one place, and
/// each event looks some of them up.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Mixes numbers by a multiplication.
#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl NumberHasher {
    fn mix(&mut self, number: u64) {
        // The golden ratio, as a fraction of 2^64.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        // A map takes a thing's place from the lower bits, where multiplying mixes little.
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number.unsigned_abs() as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_spread() {
        let builder = BuildHasherDefault::<NumberHasher>::default();
        for step in [1, 2, 7, 1 << 20] {
            let hashes = || (0..1024_u64).map(|number| builder.hash_one(("a kind", number * step)));
            // By the highest bits it tells apart what lies in one place.
            let places: HashSet<u64> = hashes().map(|hash| hash % 1024).collect();
            let tags: HashSet<u64> = hashes().map(|hash| hash >> 57).collect();
            assert!(places.len() > 500, "{step}: {}", places.len());
            assert!(tags.len() > 100, "{step}: {}", tags.len());
        }
    }
}
