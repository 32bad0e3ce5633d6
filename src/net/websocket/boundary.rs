//! Finds out where messages end, in the bytes that tungstenite reads.
//!
//! It keeps the buffers that its largest message needed, and does not tell whether there is
//! anything in them. Between two messages there is not, once all is read, and they can be given back.
//! Of a close frame that breaks the protocol it tells nothing, or something else than came: so what is
//! in that is kept here.

/// The longest header of a frame: opcode, length, extended length, mask.
const MAX_HEADER: usize = 14;

/// How a close frame begins that is nothing else.
const CLOSE: u8 = 0x88;

/// The most bytes in a control frame.
const MAX_CONTROL: usize = 125;

/// The place in the stream, in terms of frames.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// The header that is being read.
    header: [u8; MAX_HEADER],
    /// How much of it has come.
    have: usize,
    /// The size of the frame that is being read, without its header.
    frame: u64,
    /// What is still to come of it.
    left: u64,
    /// The size of the largest frame that was read to its end.
    largest: u64,
    /// More frames of the same message follow.
    fragmented: bool,
    /// What has come of the content of the first close frame, once that has begun.
    close: Option<Vec<u8>>,
    /// It is being read.
    in_close: bool,
}

impl Boundary {
    /// Notes what was read. Gives how many of these bytes the last message ends with; none, where
    /// no message ends.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let (all, mut bytes, mut end) = (bytes.len(), bytes, 0);
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped =
                    usize::try_from(self.left).map_or(bytes.len(), |n| n.min(bytes.len()));
                self.left -= skipped as u64;
                if self.left == 0 {
                    self.largest = self.largest.max(self.frame);
                }
                self.note_close(&bytes[..skipped]);
                bytes = &bytes[skipped..];
            } else {
                bytes = rest;
                self.header[self.have] = first;
                self.have += 1;
                if self.have == self.header_len() {
                    self.begin_frame();
                }
            }
            if self.is_between_messages() {
                end = all - bytes.len();
            }
        }
        end
    }

    /// Takes the last message that has begun as not read yet. Gives how much of its frame was still to come.
    pub(super) fn start_again(&mut self) -> u64 {
        let left = self.left;
        let close = self.close.take().filter(|_| !self.in_close || left == 0);
        *self = Self { close, ..Self::default() };
        left
    }

    /// The size of the largest frame that was read to its end since the beginning, or since it started again.
    pub(super) fn largest_frame(&self) -> usize {
        usize::try_from(self.largest).unwrap_or(usize::MAX)
    }

    /// Whether what was read so far ends with a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.fragmented
    }

    /// What the first close frame has in it, or of it has come.
    pub(super) fn close(&self) -> Option<&[u8]> {
        self.close.as_deref()
    }

    fn note_close(&mut self, content: &[u8]) {
        if let Some(close) = self.close.as_mut().filter(|_| self.in_close) {
            close.extend_from_slice(content);
        }
    }

    /// How long the header is, as far as that is known: at least one byte more than there is.
    fn header_len(&self) -> usize {
        let Some(second) = self.header[..self.have].get(1) else { return 2 };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn begin_frame(&mut self) {
        let extended = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        self.left = match self.header[1] & 0x7f {
            126 => extended(&self.header[2..4]),
            127 => extended(&self.header[2..10]),
            length => u64::from(length),
        };
        self.frame = self.left;
        let (last, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        // Pings and the like may come in the middle of a message.
        if opcode < 8 {
            self.fragmented = !last;
        }
        let is_close = self.header[0] == CLOSE && usize::from(self.header[1]) <= MAX_CONTROL;
        self.in_close = is_close && self.close.is_none();
        if self.in_close {
            self.close = Some(Vec::new());
        }
        self.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After which bytes a message has just ended, whole or fed byte by byte.
    #[track_caller]
    fn ends(bytes: &[u8], expected: &[usize]) {
        let mut boundary = Boundary::default();
        let mut found = Vec::new();
        for (index, byte) in bytes.iter().enumerate() {
            boundary.pass(&[*byte]);
            if boundary.is_between_messages() {
                found.push(index + 1);
            }
        }
        assert_eq!(found, expected);
        for end in 0..=bytes.len() {
            let mut boundary = Boundary::default();
            let passed = [boundary.pass(&bytes[..end]), boundary.pass(&bytes[end..])];
            let last = |to: usize| expected.iter().rev().find(|&&at| at <= to);
            assert_eq!(passed[0], *last(end).unwrap_or(&0));
            assert_eq!(passed[1], last(bytes.len()).map_or(0, |at| at.saturating_sub(end)));
            assert_eq!(boundary.is_between_messages(), expected.contains(&bytes.len()));
        }
    }

    #[test]
    fn short_messages_end_with_their_last_byte() {
        ends(&[0x81, 2, b'4', b'2', 0x82, 0, 0x81, 1, b'2'], &[4, 6, 9]);
    }

    #[test]
    fn what_a_close_frame_has_in_it_is_kept() {
        let frames = [
            &[0x81, 1, b'2', 0x88, 4, 0x03, 0xe7, b'n', b'o'][..],
            &[0x81, 1, b'x', 0x88, 1, b'x'],
        ]
        .concat();
        for at in 0..frames.len() {
            let mut boundary = Boundary::default();
            boundary.pass(&frames[..at]);
            assert_eq!(boundary.close().is_some(), at >= 5);
            boundary.pass(&frames[at..]);
            assert_eq!(boundary.close(), Some(&[0x03, 0xe7, b'n', b'o'][..]));
        }
        // What is no close frame, although it has the opcode of one.
        for strange in [&b"HTTP/1.1 400 Bad"[..], b"\x88\xffx", b"\x08\x02no"] {
            let mut boundary = Boundary::default();
            boundary.pass(strange);
            assert_eq!(boundary.close(), None);
        }
    }

    #[test]
    fn what_starts_again_is_as_if_it_had_not_been_read() {
        let frames =
            [&[0x81, 1, b'2', 0x88, 4, 0x03, 0xe7, b'n', b'o'][..], &[0x81, 2, b'2', b'3']];
        let frames = frames.concat();
        for at in 0..=frames.len() {
            let mut boundary = Boundary::default();
            let end = boundary.pass(&frames[..at]);
            boundary.start_again();
            assert!(boundary.is_between_messages());
            assert_eq!(boundary.close().is_some(), end >= 9, "{at}");
            assert_eq!(boundary.pass(&frames[end..]), frames.len() - end);
            assert_eq!(boundary.close(), Some(&[0x03, 0xe7, b'n', b'o'][..]), "{at}");
        }
    }

    #[test]
    fn the_largest_frame_is_one_that_has_ended() {
        let mut boundary = Boundary::default();
        boundary.pass(&[0x81, 3, b'a', b'b', b'c', 0x82, 1, b'd', 0x81, 9, b'e']);
        assert_eq!(boundary.largest_frame(), 3);
        assert_eq!(boundary.start_again(), 8);
        assert_eq!(boundary.largest_frame(), 0);
    }

    #[test]
    fn a_fragmented_message_ends_with_its_last_fragment_and_pings_between_do_not_count() {
        ends(&[0x01, 1, b'a', 0x89, 1, b'p', 0x00, 0, 0x80, 1, b'b'], &[11]);
    }

    #[test]
    fn long_lengths_are_understood() {
        let mut bytes = vec![0x82, 126, 1, 0];
        bytes.extend([0x81; 256]);
        ends(&bytes, &[260]);
        let mut bytes = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1];
        bytes.resize(bytes.len() + 65_537, 0x81);
        let mut boundary = Boundary::default();
        boundary.pass(&bytes[..65_000]);
        assert!(!boundary.is_between_messages());
        boundary.pass(&bytes[65_000..]);
        assert!(boundary.is_between_messages());
    }

    #[test]
    fn an_announced_length_beyond_all_bounds_is_only_counted() {
        let mut boundary = Boundary::default();
        boundary.pass(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]);
        boundary.pass(&[0; 1000]);
        assert!(!boundary.is_between_messages());
    }
}
