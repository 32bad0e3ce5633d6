//! A record with what tells that it is one, and whole.

use std::borrow::Cow;

/// A record with its checksum.
#[derive(Clone, Debug)]
pub(super) struct Sealed<'a> {
    pub(super) number: i64,
    /// The name of the store that it belongs to.
    pub(super) store: i64,
    pub(super) sum: i64,
    pub(super) body: Cow<'a, [u8]>,
}

impl<'a> Sealed<'a> {
    pub(super) fn new(store: i64, number: i64, body: &'a [u8]) -> Self {
        Self { number, store, sum: sum(store, number, body), body: body.into() }
    }

    pub(super) fn is_intact(&self) -> bool {
        self.sum == sum(self.store, self.number, &self.body)
    }
}

/// A number as a file has it. Those of a store never come near the end.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as the store gives it.
pub(super) fn given(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// FNV-1a: a single byte that is wrong always changes it.
fn sum(store: i64, number: i64, body: &[u8]) -> i64 {
    let head = store.to_le_bytes().into_iter().chain(number.to_le_bytes());
    let all = head.chain(body.iter().copied());
    let step = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    i64::from_le_bytes(all.fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_breaks_the_seal() {
        let sealed = Sealed::new(7, 8, b"body");
        assert!(sealed.is_intact());
        assert!(!Sealed { number: 9, ..sealed.clone() }.is_intact());
        assert!(!Sealed { store: 9, ..sealed.clone() }.is_intact());
        assert!(!Sealed { sum: sealed.sum ^ 1, ..sealed.clone() }.is_intact());
        for body in [&b"bodx"[..], b"bod", b"body\0", b""] {
            assert!(!Sealed { body: body.into(), ..sealed.clone() }.is_intact());
        }
    }
}
