//! Small messages of a flood, several to one allocation.
//!
//! They are freed by other threads than the one that allocates them, which costs more than copying
//! them does.

use bytes::{Bytes, BytesMut};

/// The size of one allocation. A message keeps all of it in memory for as long as it is kept.
const SHELF: usize = 1024;

/// The smallest and the largest message for which that is worth it, in bytes. A smaller one would keep
/// too much for its size.
const SMALLEST: usize = 128;
const LARGEST: usize = SHELF / 4;

/// What is left of one allocation.
#[derive(Default)]
pub(super) struct Shelf {
    left: BytesMut,
}

impl Shelf {
    /// A copy of a message.
    pub(super) fn copy(&mut self, message: &[u8]) -> Bytes {
        if !(SMALLEST..=LARGEST).contains(&message.len()) {
            return Bytes::copy_from_slice(message);
        }
        if self.left.capacity() < message.len() {
            self.left = BytesMut::with_capacity(SHELF);
        }
        self.left.extend_from_slice(message);
        self.left.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_neighbours(one: &Bytes, other: &Bytes) -> bool {
        one.as_ptr_range().end == other.as_ptr()
    }

    #[test]
    fn small_messages_lie_side_by_side() {
        let mut shelf = Shelf::default();
        let texts: Vec<Vec<u8>> = (0..20).map(|number| vec![number; 200]).collect();
        let copies: Vec<Bytes> = texts.iter().map(|text| shelf.copy(text)).collect();
        assert!(copies.iter().zip(&texts).all(|(copy, text)| copy == text));
        // 1,024 bytes have room for five.
        let neighbours = copies.windows(2).filter(|pair| are_neighbours(&pair[0], &pair[1]));
        assert_eq!(neighbours.count(), 16);
    }

    #[test]
    fn a_message_of_another_size_lies_alone() {
        let mut shelf = Shelf::default();
        for size in [0, 1, SMALLEST - 1, LARGEST + 1, 10 * SHELF] {
            let copy = shelf.copy(&vec![1; size]);
            assert_eq!((copy.len(), shelf.left.capacity()), (size, 0));
        }
        assert_eq!(shelf.copy(&[1; SMALLEST]), [1; SMALLEST][..]);
        assert_eq!(shelf.left.capacity(), SHELF - SMALLEST);
    }
}
