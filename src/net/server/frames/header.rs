//! The header of a frame that a client sends.

use super::FrameFault;
use super::FrameFault::Protocol;

/// The longest header of a client's frame: opcode, length, extended length, mask.
pub(super) const MOST: usize = 14;

/// The most bytes in a control frame.
pub(super) const MOST_IN_CONTROL: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

impl FrameHeader {
    /// The header at the beginning of these bytes, and its length; `None`: more is needed. The first
    /// two bytes are judged as soon as they are there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameFault> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let is_final = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(Protocol("a reserved bit, although no extension was agreed on"));
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(Protocol("an opcode that is not known"))?;
        if second & 0x80 == 0 {
            return Err(Protocol("a frame without a mask"));
        }
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > MOST_IN_CONTROL {
            return Err(Protocol("a control frame of more than 125 bytes"));
        }
        if opcode.is_control() && !is_final {
            return Err(Protocol("a control frame in fragments"));
        }
        let extended: usize = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((length, mask)) = rest.get(..extended + 4).map(|rest| rest.split_at(extended))
        else {
            return Ok(None);
        };
        let length = match extended {
            0 => u64::from(short),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        if length >> 63 != 0 {
            return Err(Protocol("a length of 64 bits"));
        }
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        Ok(Some((Self { is_final, opcode, length, mask }, 2 + extended + 4)))
    }
}
