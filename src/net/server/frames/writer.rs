//! Frames that a server sends: without a mask, each message in one.

use super::header::MOST_IN_CONTROL;
use crate::error::start_of;
use crate::proto::dialect::Frame;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8a;

/// What stands in front of a message.
#[derive(Clone, Copy, Debug)]
struct FramePrefix {
    bytes: [u8; 10],
    length: usize,
}

impl FramePrefix {
    fn of(frame: &Frame) -> Self {
        let opcode = match frame {
            Frame::Text(_) => TEXT,
            Frame::Binary(_) => BINARY,
        };
        Self::new(opcode, frame.len() as u64)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn new(opcode: u8, size: u64) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = opcode;
        let big = size.to_be_bytes();
        let length = match size {
            0..=125 => {
                bytes[1] = big[7];
                2
            }
            126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&big[6..]);
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&big);
                10
            }
        };
        Self { bytes, length }
    }
}

/// Appends a message.
pub(crate) fn write_frame(frame: &Frame, to: &mut Vec<u8>) {
    to.extend_from_slice(FramePrefix::of(frame).as_bytes());
    match frame {
        Frame::Text(text) => to.extend_from_slice(text.as_bytes()),
        Frame::Binary(bytes) => to.extend_from_slice(bytes),
    }
}

/// Appends the answer to a ping, with the ping's content.
pub(crate) fn write_pong(content: &[u8], to: &mut Vec<u8>) {
    write_control(PONG, &[], content, to);
}

/// Appends a close frame. Of the reason, as many whole characters are said as there is room for; without a
/// code, none.
pub(crate) fn write_close(code: Option<u16>, reason: &str, to: &mut Vec<u8>) {
    match code {
        None => write_control(CLOSE, &[], &[], to),
        Some(code) => {
            let reason = start_of(reason, MOST_IN_CONTROL - 2);
            write_control(CLOSE, &code.to_be_bytes(), reason.as_bytes(), to);
        }
    }
}

fn write_control(opcode: u8, code: &[u8], content: &[u8], to: &mut Vec<u8>) {
    let content = &content[..content.len().min(MOST_IN_CONTROL - code.len())];
    let size = code.len() + content.len();
    to.extend_from_slice(FramePrefix::new(opcode, size as u64).as_bytes());
    to.extend_from_slice(code);
    to.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = vec![0xff];
        write(&mut bytes);
        assert_eq!(bytes.remove(0), 0xff);
        bytes
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (size, head) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (0xffff, &[0x82, 126, 0xff, 0xff]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::Binary(Bytes::from(vec![7; size]));
            assert_eq!(FramePrefix::of(&frame).as_bytes(), head);
            let bytes = written(|to| write_frame(&frame, to));
            assert_eq!(bytes, [head, &vec![7; size]].concat());
        }
        let text = Frame::Text("é".into());
        assert_eq!(written(|to| write_frame(&text, to)), [0x81, 2, 0xc3, 0xa9]);
    }

    #[test]
    fn control_frames_have_at_most_125_bytes() {
        assert_eq!(written(|to| write_pong(b"a", to)), [0x8a, 1, b'a']);
        assert_eq!(written(|to| write_pong(&[], to)), [0x8a, 0]);
        let long = written(|to| write_pong(&[b'x'; 126], to));
        assert_eq!((long.len(), long[1]), (127, 125));
        assert_eq!(written(|to| write_close(None, "x", to)), [0x88, 0]);
        assert_eq!(written(|to| write_close(Some(1000), "bye", to)), *b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn the_reason_of_a_close_is_cut_between_two_characters() {
        // 123 bytes have room for 61 of two bytes.
        let bytes = written(|to| write_close(Some(1001), &"é".repeat(62), to));
        assert_eq!(bytes[..4], [0x88, 124, 0x03, 0xe9]);
        assert_eq!(std::str::from_utf8(&bytes[4..]).unwrap(), "é".repeat(61));
    }
}
