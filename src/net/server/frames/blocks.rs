//! Memory in which the messages of a flood lie side by side.
//!
//! A message of its own is allocated by the thread that reads and freed by the one that handles it, and each then waits for
//! the lock of the other's allocator. In a flood, messages get their memory out of few blocks, which stay with the thread
//! that reads. But one message that is kept keeps its block, so only so many are lent at a time.

use bytes::{Bytes, BytesMut};

use crate::net::framing::mask_bytes;

/// The size of a block, in bytes.
const BLOCK: usize = 16 * 1024;

/// How many are lent at a time.
const MOST: usize = 64;

/// The longest message that gets memory of a block, in bytes.
const LONGEST: usize = 2 * 1024;

/// The blocks of a thread.
#[derive(Debug, Default)]
pub(crate) struct MessageBlocks {
    /// What is left of each; the last is filled.
    blocks: Vec<BytesMut>,
    /// This turn of the thread has lent some.
    is_used: bool,
}

impl MessageBlocks {
    /// A message without its mask. `None`: it is empty, or too long, or too much is lent.
    pub(super) fn unmask(&mut self, masked: &[u8], mask: [u8; 4]) -> Option<Bytes> {
        if masked.is_empty() || masked.len() > LONGEST {
            return None;
        }
        self.is_used = true;
        let block = self.with_room_for(masked.len())?;
        block.extend_from_slice(masked);
        mask_bytes(block, mask, 0);
        Some(block.split().freeze())
    }

    fn with_room_for(&mut self, length: usize) -> Option<&mut BytesMut> {
        if self.blocks.last().is_none_or(|block| block.capacity() < length) {
            match self.blocks.iter_mut().position(is_free) {
                Some(free) => {
                    let free = self.blocks.swap_remove(free);
                    self.blocks.push(free);
                }
                None if self.blocks.len() < MOST => {
                    self.blocks.push(BytesMut::with_capacity(BLOCK));
                }
                None => return None,
            }
        }
        self.blocks.last_mut()
    }

    /// A turn of the thread is over. Where it had no use for them, the blocks are freed of which nobody has a message
    /// any more.
    pub(crate) fn end_turn(&mut self) {
        if std::mem::take(&mut self.is_used) || self.blocks.is_empty() {
            return;
        }
        self.blocks.retain_mut(|block| !is_free(block));
        if self.blocks.is_empty() {
            self.blocks = Vec::new();
        }
    }
}

/// Whether nobody has a message of a block. Then all of it is there again.
fn is_free(block: &mut BytesMut) -> bool {
    block.try_reclaim(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn lend(blocks: &mut MessageBlocks, length: usize) -> Option<Bytes> {
        let masked: Vec<u8> = MASK.iter().cycle().map(|byte| byte ^ 7).take(length).collect();
        let message = blocks.unmask(&masked, MASK);
        assert!(message.iter().all(|message| **message == vec![7; length]));
        message
    }

    #[test]
    fn messages_lie_in_few_blocks_which_are_used_again() {
        let mut blocks = MessageBlocks::default();
        for _ in 0..1000 {
            let messages: Vec<_> = (0..100).map(|_| lend(&mut blocks, 200).unwrap()).collect();
            assert!(
                messages
                    .windows(2)
                    .filter(|two| two[0].as_ptr().wrapping_add(200) != two[1].as_ptr())
                    .count()
                    <= 2
            );
        }
        assert!(blocks.blocks.len() <= 3, "{}", blocks.blocks.len());
        blocks.end_turn();
        assert!(!blocks.blocks.is_empty());
        blocks.end_turn();
        assert!(blocks.blocks.is_empty());
    }

    #[test]
    fn only_so_much_is_lent_though_one_message_of_each_is_kept() {
        let mut blocks = MessageBlocks::default();
        let per_block = BLOCK / LONGEST;
        let mut kept: Vec<_> = (0..MOST)
            .map(|_| (0..per_block).map(|_| lend(&mut blocks, LONGEST).unwrap()).last().unwrap())
            .collect();
        assert_eq!(lend(&mut blocks, 1), None);
        blocks.end_turn();
        blocks.end_turn();
        assert_eq!(blocks.blocks.len(), MOST);
        kept.pop();
        assert!(lend(&mut blocks, 1).is_some());
        blocks.end_turn();
        blocks.end_turn();
        assert_eq!(blocks.blocks.len(), MOST - 1);
    }

    #[test]
    fn what_is_long_or_empty_is_not_lent() {
        let mut blocks = MessageBlocks::default();
        assert_eq!((lend(&mut blocks, 0), lend(&mut blocks, LONGEST + 1)), (None, None));
        assert!(blocks.blocks.is_empty());
    }
}
