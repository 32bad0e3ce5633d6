//! What a flood is read into, in which its messages stay, for whoever gets them.
//!
//! That saves copying them. But one message that is kept keeps all of its chunk, so only so many
//! are lent at a time. The WebSocket holds each, and uses it again when nobody else has a message of it: other threads
//! then never free one, which would cost the lock of the allocator, and the allocator does not give the memory back to
//! the system, and ask for it again, all the time.

use std::mem::replace;
use std::ops::RangeInclusive;

use bytes::Bytes;

/// How much may be lent at a time, in bytes: as much as may wait for a consumer, within these.
const LENDABLE: RangeInclusive<usize> = 128 * 1024..=1024 * 1024;

/// The size of the smallest chunk, in bytes. The faster it comes the larger they are, up to a quarter of what may be lent: each
/// read tells the peer that there is room again, which costs as much as to copy 16 KiB.
const SMALLEST: usize = 32 * 1024;

/// The chunks that are lent, and those that may be used again.
pub(super) struct Chunks {
    /// How much may be lent at a time, in bytes.
    lendable: usize,
    /// The size of the next one.
    size: usize,
    /// Those in which there were messages: one of them, and the chunk's size.
    filled: Vec<(Bytes, usize)>,
    /// One in which there was no message.
    spare: Option<Vec<u8>>,
    /// The size of the one that is being read, as long as it is not in `filled`.
    begun: Option<usize>,
    /// Whether the one that is being read is lent.
    is_lent: bool,
}

impl Chunks {
    /// Chunks of which about so much may be lent at a time, in bytes.
    pub(super) fn new(lendable: usize) -> Self {
        Self {
            lendable: lendable.clamp(*LENDABLE.start(), *LENDABLE.end()),
            size: SMALLEST,
            filled: Vec::new(),
            spare: None,
            begun: None,
            is_lent: false,
        }
    }

    /// How much is to be read into the next one.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// One to read into.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let is_unused =
            |(message, size): &(Bytes, usize)| *size == self.size && message.is_unique();
        let mut chunk = match (self.spare.take(), self.filled.iter().rposition(is_unused)) {
            (Some(spare), _) => spare,
            (None, Some(at)) => {
                let (mut message, _) = self.filled.remove(at);
                // All of it would be moved to the front.
                message.truncate(1);
                message.into()
            }
            (None, None) => Vec::new(),
        };
        chunk.clear();
        chunk.reserve_exact(self.size);
        self.begun = Some(self.size);
        chunk
    }

    /// Takes one back in which there was no message.
    pub(super) fn put_back(&mut self, chunk: Vec<u8>) {
        self.spare = Some(chunk);
    }

    /// Fits the size of the next one to how much was in the last one.
    pub(super) fn fit(&mut self, filled: usize) {
        let size = if filled == self.size {
            self.size * 2
        } else if filled < self.size / 4 {
            self.size / 2
        } else {
            self.size
        };
        let size = size.clamp(SMALLEST, self.lendable / 4);
        if size != self.size {
            self.size = size;
            self.free_unused(false);
        }
    }

    /// Lends the chunk that is being read to a message of it, unless that came in fragments and so has memory of its own.
    /// `false`: too much is lent, or the message is empty.
    pub(super) fn lend(&mut self, message: &Bytes) -> bool {
        if message.is_empty() {
            return false;
        }
        if let Some(size) = self.begun {
            if message.is_unique() {
                return true;
            }
            self.begun = None;
            self.filled.push((message.clone(), size));
            let lent = self.filled.iter().filter(|(message, _)| !message.is_unique());
            self.is_lent = lent.map(|(_, size)| size).sum::<usize>() <= self.lendable;
        }
        self.is_lent
    }

    /// To be called when all that has come is read: frees what nobody has any more, but for one as long as the flood
    /// lasts.
    pub(super) fn rest(&mut self, is_flooded: bool) {
        if !is_flooded {
            self.size = SMALLEST;
        }
        self.free_unused(is_flooded);
    }

    /// Frees what nobody has any more, or all of that but one.
    fn free_unused(&mut self, mut but_one: bool) {
        if !but_one {
            self.spare = None;
        }
        but_one &= self.spare.is_none();
        let next = self.size;
        self.filled.retain(|(message, size)| {
            !message.is_unique() || (*size == next && replace(&mut but_one, false))
        });
        if self.filled.is_empty() {
            self.filled = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 100 bytes out of a chunk, cut as tungstenite does it.
    fn messages(chunk: Vec<u8>, number: usize) -> Vec<Bytes> {
        let capacity = chunk.capacity();
        let mut rest = bytes::BytesMut::from_iter(chunk);
        assert_eq!(rest.capacity(), capacity, "it was copied");
        (0..number).map(|_| rest.split_to(100).freeze()).collect()
    }

    fn filled(chunks: &mut Chunks) -> Vec<Bytes> {
        let mut chunk = chunks.take();
        chunk.resize(chunks.size(), 1);
        messages(chunk, 3)
    }

    /// Chunks that have grown as far as they may.
    fn largest(lendable: usize) -> Chunks {
        let mut chunks = Chunks::new(lendable);
        for _ in 0..10 {
            chunks.fit(chunks.size());
        }
        chunks
    }

    #[test]
    fn as_many_chunks_are_lent_as_are_allowed_and_not_one_more() {
        for (lendable, size) in
            [(usize::MAX, 256), (1_048_576, 256), (512_000, 125), (100_000, 32), (0, 32)]
        {
            let mut chunks = largest(lendable);
            assert_eq!(chunks.size(), size * 1024, "{lendable}");
            let mut kept = Vec::new();
            for number in 0..7 {
                let messages = filled(&mut chunks);
                for message in &messages {
                    assert_eq!(chunks.lend(message), number < 4, "{number}");
                }
                // What is not lent was copied.
                kept.extend((number < 4).then_some(messages));
                assert!(chunks.filled.len() <= 5);
            }
            kept.remove(2);
            let messages = filled(&mut chunks);
            assert!(chunks.lend(&messages[0]));
        }
    }

    #[test]
    fn a_chunk_is_used_again_when_nobody_has_a_message_of_it() {
        let mut chunks = Chunks::new(usize::MAX);
        let mut places = Vec::new();
        let mut kept = Vec::new();
        for number in 0..9 {
            let messages = filled(&mut chunks);
            assert!(chunks.lend(&messages[0]) && chunks.lend(&messages[1]));
            places.push(messages[0].as_ptr());
            if number == 4 {
                kept.push(messages[1].clone());
            }
        }
        places.dedup();
        assert_eq!(places.len(), 2);
        assert!(kept[0].iter().all(|byte| *byte == 1));
    }

    #[test]
    fn one_without_a_message_is_used_again() {
        let mut chunks = Chunks::new(usize::MAX);
        let chunk = chunks.take();
        let place = chunk.as_ptr();
        chunks.put_back(chunk);
        let again = chunks.take();
        assert_eq!(again.as_ptr(), place);
        assert!(!chunks.lend(&Bytes::new()));
        assert!(chunks.filled.is_empty());
    }

    #[test]
    fn a_message_that_came_in_fragments_says_nothing_of_its_chunk() {
        let mut chunks = Chunks::new(usize::MAX);
        let messages = filled(&mut chunks);
        assert!(chunks.lend(&Bytes::from(vec![1; 100])));
        assert!(chunks.filled.is_empty());
        assert!(chunks.lend(&messages[0]));
        assert_eq!(chunks.filled.len(), 1);
    }

    #[test]
    fn as_much_is_read_at_once_as_came_the_last_time_or_up_to_four_times_that() {
        let mut chunks = Chunks::new(usize::MAX);
        let mut sizes = |filled: &[usize]| -> Vec<usize> {
            let size = |filled: &usize| {
                chunks.fit(filled * 1024);
                chunks.size() / 1024
            };
            filled.iter().map(size).collect()
        };
        assert_eq!(sizes(&[32, 63, 64, 128, 256, 256]), [64, 64, 128, 256, 256, 256]);
        assert_eq!(sizes(&[64, 63, 32, 31, 16, 15, 1]), [256, 128, 128, 64, 64, 32, 32]);
    }

    #[test]
    fn those_of_another_size_are_freed() {
        let mut chunks = Chunks::new(usize::MAX);
        for left in [1, 0] {
            let messages = filled(&mut chunks);
            assert!(chunks.lend(&messages[0]));
            drop(messages);
            chunks.fit(if left == 1 { chunks.size() / 2 } else { chunks.size() });
            assert_eq!(chunks.filled.len(), left);
        }
    }

    #[test]
    fn a_rest_frees_what_nobody_has_but_for_one_in_a_flood() {
        for (is_flooded, has_spare, left) in [(true, false, 2), (true, true, 1), (false, true, 1)] {
            let mut chunks = Chunks::new(usize::MAX);
            let keep = |_| {
                let messages = filled(&mut chunks);
                assert!(chunks.lend(&messages[0]));
                messages
            };
            let mut kept: Vec<Vec<Bytes>> = (0..4).map(keep).collect();
            if has_spare {
                let spare = chunks.take();
                chunks.put_back(spare);
            }
            kept.truncate(1);
            chunks.rest(is_flooded);
            assert_eq!(chunks.filled.len(), left);
            assert_eq!(chunks.spare.is_some(), has_spare && is_flooded);
        }
    }
}
