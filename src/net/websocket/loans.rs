//! Read buffers in which messages of a flood stay, for whoever gets them.
//!
//! That saves copying them. But one message that is kept keeps all of its buffer, so only so many
//! buffers are lent at a time. The WebSocket holds each until nobody else does: other threads then
//! never free one, which would cost the lock of the allocator.

use bytes::Bytes;

/// How much may be lent at a time, in bytes.
const MOST: usize = 512 * 1024;

/// The longest header of a frame that a server sends.
const LONGEST_HEADER: usize = 10;

/// The buffers that are lent.
#[derive(Default)]
pub(super) struct Loans {
    /// A message in each, and how large it is at most.
    buffers: Vec<(Bytes, usize)>,
    /// Where the last message ends.
    end: usize,
    /// Whether its buffer is lent.
    is_lent: bool,
}

impl Loans {
    /// Lends the buffer in which a message lies, of this size or a smaller one. `false`: too much is lent, or
    /// the message is empty.
    pub(super) fn lend(&mut self, message: &Bytes, size: usize) -> bool {
        if message.is_empty() {
            return false;
        }
        let start = message.as_ptr() as usize;
        // Nothing but its header is between it and the one before: both are in one buffer.
        let is_next = start.wrapping_sub(self.end) <= LONGEST_HEADER;
        self.end = start + message.len();
        if !is_next {
            self.take_back();
            let lent: usize = self.buffers.iter().map(|(_, size)| size).sum();
            self.is_lent = lent.saturating_add(size) <= MOST;
            if self.is_lent {
                self.buffers.push((message.clone(), size));
            }
        }
        self.is_lent
    }

    /// Frees the buffers that nobody else has any more.
    pub(super) fn take_back(&mut self) {
        self.buffers.retain(|(message, _)| !message.is_unique());
        if self.buffers.is_empty() {
            self.buffers = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = MOST / 4;

    /// Messages of 100 bytes that lie in one buffer, each behind a header.
    fn in_one_buffer<const N: usize>() -> [Bytes; N] {
        let buffer = Bytes::from(vec![1; SIZE]);
        std::array::from_fn(|number| buffer.slice(number * 104 + 4..(number + 1) * 104))
    }

    #[test]
    fn as_many_buffers_are_lent_as_are_allowed_and_not_one_more() {
        let mut loans = Loans::default();
        let buffers: [[Bytes; 3]; 6] = std::array::from_fn(|_| in_one_buffer());
        for (number, messages) in buffers.iter().enumerate() {
            for message in messages {
                assert_eq!(loans.lend(message, SIZE), number < 4, "{number}");
            }
        }
        assert_eq!(loans.buffers.len(), 4);
    }

    #[test]
    fn a_buffer_is_lent_for_as_long_as_somebody_has_a_message_of_it() {
        let mut loans = Loans::default();
        let mut buffers: Vec<[Bytes; 3]> = (0..4).map(|_| in_one_buffer()).collect();
        for [first, others @ ..] in &buffers {
            assert!(loans.lend(first, SIZE) && others.iter().all(|other| loans.lend(other, SIZE)));
        }
        let [kept, ..] = buffers.remove(2);
        assert!(!loans.lend(&in_one_buffer::<1>()[0], SIZE));
        buffers.clear();
        loans.take_back();
        assert_eq!(loans.buffers, [(kept.clone(), SIZE)]);
        drop(kept);
        loans.take_back();
        assert!(loans.buffers.is_empty());
    }

    #[test]
    fn large_buffers_weigh_more_and_what_is_empty_is_not_lent() {
        let mut loans = Loans::default();
        let buffers: [[Bytes; 1]; 4] = std::array::from_fn(|_| in_one_buffer());
        assert!(!loans.lend(&Bytes::new(), SIZE));
        assert!(!loans.lend(&buffers[0][0], MOST + 1));
        assert!(loans.lend(&buffers[1][0], MOST - SIZE));
        assert!(!loans.lend(&buffers[2][0], SIZE + 1));
        assert!(loans.lend(&buffers[3][0], SIZE));
    }
}
