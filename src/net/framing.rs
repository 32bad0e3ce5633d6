//! What the frames of both sides are made of (RFC 6455 §5.2, §5.3): what stands in front of a message, and the mask of what
//! a client sends.

/// What a frame has as its first byte that is a whole message.
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;

/// The longest: opcode, length, extended length, mask.
const MOST: usize = 14;

/// The bit beside the length that says that there is a mask.
const MASKED: u8 = 0x80;

/// In the place of a length: it follows in two bytes, or in eight.
const IN_TWO_BYTES: u8 = 0x7e;
const IN_EIGHT_BYTES: u8 = 0x7f;

/// How many bytes are masked at once.
const WORD: usize = 8;

/// The mask of a frame.
pub(super) type Mask = [u8; 4];

/// What stands in front of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct FramePrefix {
    bytes: [u8; MOST],
    length: usize,
}

impl FramePrefix {
    /// That of a message of so many bytes, with a mask or without.
    pub(super) fn new(opcode: u8, size: u64, mask: Option<Mask>) -> Self {
        let mut prefix = Self { bytes: [0; MOST], length: 0 };
        let masked = if mask.is_some() { MASKED } else { 0 };
        let big = size.to_be_bytes();
        match size {
            0..=125 => prefix.append(&[opcode, masked | big[7]]),
            126..=0xffff => prefix.append(&[opcode, masked | IN_TWO_BYTES, big[6], big[7]]),
            _ => {
                prefix.append(&[opcode, masked | IN_EIGHT_BYTES]);
                prefix.append(&big);
            }
        }
        prefix.append(mask.as_ref().map_or(&[], |mask| &mask[..]));
        prefix
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }
}

/// Appends bytes that have a mask without it, or the other way round; `offset` bytes of the same frame have been
/// before.
pub(super) fn append_masked(to: &mut Vec<u8>, bytes: &[u8], mask: Mask, offset: u64) {
    let from = to.len();
    to.extend_from_slice(bytes);
    mask_bytes(&mut to[from..], mask, offset);
}

/// Puts a mask on these bytes, or takes it off; `offset` bytes of the same frame have been before.
pub(super) fn mask_bytes(bytes: &mut [u8], mut mask: Mask, offset: u64) {
    mask.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = bytes.chunks_exact_mut(WORD);
    for chunk in words.by_ref() {
        let mut eight = [0; WORD];
        eight.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ word).to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_own_of_the_mask_wherever_it_is_cut() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let clear: Vec<u8> = (0..67).collect();
        let masked: Vec<u8> = (0..67).zip(mask.iter().cycle()).map(|(n, m)| n ^ m).collect();
        for at in 0..masked.len() {
            let mut content = b"x".to_vec();
            append_masked(&mut content, &masked[..at], mask, 0);
            append_masked(&mut content, &masked[at..], mask, at as u64);
            assert_eq!(content[1..], clear, "{at}");
        }
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (size, clear, masked) in [
            (0, &[0x82, 0][..], &[0x82, 0x80, 1, 2, 3, 4][..]),
            (125, &[0x82, 125], &[0x82, 0xfd, 1, 2, 3, 4]),
            (126, &[0x82, 126, 0, 126], &[0x82, 0xfe, 0, 126, 1, 2, 3, 4]),
            (0xffff, &[0x82, 126, 0xff, 0xff], &[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4]),
            (
                0x1_0000,
                &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0],
                &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
            ),
        ] {
            assert_eq!(FramePrefix::new(BINARY, size, None).as_bytes(), clear);
            assert_eq!(FramePrefix::new(BINARY, size, Some([1, 2, 3, 4])).as_bytes(), masked);
        }
    }
}
