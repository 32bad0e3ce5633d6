//! The mask of a client's frames (RFC 6455 §5.3).

/// How many bytes are unmasked at once.
const WORD: usize = 8;

/// Appends the bytes without their mask, of which `offset` bytes of the same frame have been before.
pub(super) fn unmask_into(content: &mut Vec<u8>, bytes: &[u8], mask: [u8; 4], offset: usize) {
    let from = content.len();
    content.extend_from_slice(bytes);
    unmask(&mut content[from..], mask, offset);
}

/// Takes the mask off bytes of which `offset` of the same frame have been before.
pub(super) fn unmask(bytes: &mut [u8], mut mask: [u8; 4], offset: usize) {
    mask.rotate_left(offset % 4);
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
            unmask_into(&mut content, &masked[..at], mask, 0);
            unmask_into(&mut content, &masked[at..], mask, at);
            assert_eq!(content[1..], clear, "{at}");
        }
    }
}
