//! Hands a `Bytes` through serde, whose data model knows only borrowed or copied bytes.
//!
//! The giver puts it into a slot of the thread, just around the call that gives the plain bytes;
//! a taker who knows of the slot gets the shared memory, any other type the plain bytes.

use std::cell::Cell;

use bytes::Bytes;

/// The name of newtype struct by which a type says that it takes shared bytes.
pub(super) const SHARED: &str = "$siot::Shared";

thread_local! {
    static SLOT: Cell<Option<Bytes>> = const { Cell::new(None) };
}

/// Calls `give` while `bytes` lie in the slot.
pub(super) fn give<R>(bytes: &Bytes, give: impl FnOnce(&[u8]) -> R) -> R {
    // A thread that is ending has no slot any more: then the taker copies.
    let _ = SLOT.try_with(|slot| slot.set(Some(bytes.clone())));
    let result = give(bytes);
    let _ = SLOT.try_with(Cell::take);
    result
}

/// The bytes in the slot, if `value` is their content; else a copy of `value`.
pub(super) fn take_or_copy(value: &[u8]) -> Bytes {
    match SLOT.try_with(Cell::take) {
        Ok(Some(bytes)) if bytes.as_ptr() == value.as_ptr() && bytes.len() == value.len() => bytes,
        _ => Bytes::copy_from_slice(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_shared_and_anything_else_is_copied() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let taken = give(&bytes, take_or_copy);
        assert_eq!(taken.as_ptr(), bytes.as_ptr());
        let taken = give(&bytes, |_| take_or_copy(&[9]));
        assert_eq!(taken, [9][..]);
    }

    #[test]
    fn what_is_only_a_part_of_what_is_given_is_copied() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        assert_eq!(give(&bytes, |given| take_or_copy(&given[..2])), [1, 2][..]);
        assert_eq!(give(&bytes, |given| take_or_copy(&given[1..])), [2, 3][..]);
    }

    #[test]
    fn nothing_stays_behind_where_nobody_takes() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        give(&bytes, |_| ());
        assert_ne!(take_or_copy(&bytes).as_ptr(), bytes.as_ptr());
    }
}
