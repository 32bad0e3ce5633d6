//! Frames that a server sends: without a mask, each message in one.

use super::header::MOST_IN_CONTROL;
use crate::error::start_of;
use crate::net::framing::{BINARY, FramePrefix, TEXT};
use crate::proto::dialect::Frame;

const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8a;

/// Appends a message.
pub(crate) fn write_frame(frame: &Frame, to: &mut Vec<u8>) {
    let (opcode, content) = match frame {
        Frame::Text(text) => (TEXT, text.as_bytes()),
        Frame::Binary(bytes) => (BINARY, &bytes[..]),
    };
    to.extend_from_slice(FramePrefix::new(opcode, content.len() as u64, None).as_bytes());
    to.extend_from_slice(content);
}

/// Appends the answer to a ping, with the ping's content.
pub(crate) fn write_pong(content: &[u8], to: &mut Vec<u8>) {
    let content = &content[..content.len().min(MOST_IN_CONTROL)];
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
    let size = code.len() + content.len();
    to.extend_from_slice(FramePrefix::new(opcode, size as u64, None).as_bytes());
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
    fn a_message_is_one_frame_without_a_mask() {
        let binary = Frame::Binary(Bytes::from(vec![7; 126]));
        let expected = [&[0x82, 126, 0, 126][..], &[7; 126]].concat();
        assert_eq!(written(|to| write_frame(&binary, to)), expected);
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
