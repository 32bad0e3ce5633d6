//! Messages out of the bytes that a client sends, as they come.

use bytes::Bytes;
use tungstenite::protocol::frame::coding::CloseCode;

use super::FrameFault;
use super::FrameFault::Protocol;
use super::blocks::MessageBlocks;
use super::header::{FrameHeader, MOST, Opcode};
use crate::net::framing::append_masked;
use crate::net::server::growth::grow;
use crate::proto::dialect::Frame;
use crate::proto::text::SharedText;

/// What a message may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameLimits {
    /// Its length, in bytes.
    pub(crate) message: usize,
    /// Its frames, empty ones too.
    pub(crate) fragments: u32,
}

/// What a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    Message(Frame),
    /// To be answered by a pong with the same content.
    Ping(Bytes),
    Pong(Bytes),
    /// The last thing that it sends: a code, unless it gave none, and a reason. It is to be answered by a close
    /// frame with the same code.
    Close(Option<(u16, SharedText)>),
}

/// Reads the frames of one client.
///
/// It is given the bytes as they are read, and keeps of them what belongs to a message that is not whole.
/// Between two messages it keeps nothing; a message that comes in one piece takes no memory but its own.
#[derive(Debug)]
pub(crate) struct FrameReader {
    limits: FrameLimits,
    partial: Option<Box<Partial>>,
}

/// What has come of a message, and of the frame that is being read.
#[derive(Debug, Default)]
struct Partial {
    /// The header that is being read, and how much of it has come.
    header: [u8; MOST],
    have: usize,
    frame: Option<OpenFrame>,
    /// What the message is, once its first frame has begun.
    kind: Option<MessageKind>,
    /// The message, as far as it has come.
    content: Vec<u8>,
    fragments: u32,
    /// The content of a control frame, which may come between two frames of a message.
    control: Vec<u8>,
}

/// A frame whose header has come.
#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    header: FrameHeader,
    /// How much of its content has come.
    passed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageKind {
    Text,
    Binary,
}

impl FrameReader {
    pub(crate) fn new(limits: FrameLimits) -> Self {
        Self { limits, partial: None }
    }

    /// Takes bytes off the front of `bytes`, up to the end of what it gives; `None` when all are taken.
    /// Nothing is to be read behind an error, or a close. Where there are blocks, small messages get memory of those.
    pub(crate) fn next(
        &mut self,
        bytes: &mut &[u8],
        blocks: Option<&mut MessageBlocks>,
    ) -> Result<Option<Inbound>, FrameFault> {
        if self.partial.is_none() {
            if bytes.is_empty() {
                return Ok(None);
            }
            if let Some(inbound) = self.next_whole(bytes, blocks)? {
                return Ok(Some(inbound));
            }
        }
        let partial = self.partial.get_or_insert_default();
        let inbound = partial.next(bytes, self.limits)?;
        if partial.is_empty() {
            self.partial = None;
        }
        Ok(inbound)
    }

    /// Whether a message, or a frame, has begun and is not whole.
    pub(crate) fn is_amid_message(&self) -> bool {
        self.partial.is_some()
    }

    /// How many bytes of messages are kept.
    #[cfg(any(test, fuzzing))]
    pub(in crate::net::server) fn kept(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.content.len() + partial.control.len())
    }

    /// The frame that these bytes begin with, if it is all there and a message by itself.
    fn next_whole(
        &self,
        bytes: &mut &[u8],
        blocks: Option<&mut MessageBlocks>,
    ) -> Result<Option<Inbound>, FrameFault> {
        let Some((header, length)) = FrameHeader::read(bytes)? else { return Ok(None) };
        let Some(kind) = MessageKind::of(header.opcode) else { return Ok(None) };
        check_size(0, header.length, self.limits)?;
        let end = usize::try_from(header.length).ok().and_then(|size| size.checked_add(length));
        let Some(content) = end.and_then(|end| bytes.get(length..end)).filter(|_| header.is_final)
        else {
            return Ok(None);
        };
        *bytes = &bytes[length + content.len()..];
        if let Some(message) = blocks.and_then(|blocks| blocks.unmask(content, header.mask)) {
            return kind.message(message).map(Some);
        }
        let mut message = Vec::with_capacity(content.len());
        append_masked(&mut message, content, header.mask, 0);
        kind.message(whole(message)).map(Some)
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.have == 0 && self.frame.is_none() && self.kind.is_none()
    }

    fn next(
        &mut self,
        bytes: &mut &[u8],
        limits: FrameLimits,
    ) -> Result<Option<Inbound>, FrameFault> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.next_header(bytes)? {
                    None => return Ok(None),
                    Some(header) => self.begin(header, limits)?,
                },
            };
            let Some(header) = self.pass(frame, bytes) else { return Ok(None) };
            self.frame = None;
            if header.opcode.is_control() {
                return control(header.opcode, std::mem::take(&mut self.control)).map(Some);
            }
            if let Some(kind) = self.kind.filter(|_| header.is_final) {
                (self.kind, self.fragments) = (None, 0);
                return kind.message(whole(std::mem::take(&mut self.content))).map(Some);
            }
        }
    }

    /// Takes in a header; `None`: it is not whole.
    fn next_header(&mut self, bytes: &mut &[u8]) -> Result<Option<FrameHeader>, FrameFault> {
        loop {
            if let Some((header, _)) = FrameHeader::read(&self.header[..self.have])? {
                self.have = 0;
                return Ok(Some(header));
            }
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            self.header[self.have] = *first;
            self.have += 1;
            *bytes = rest;
        }
    }

    /// Begins a frame, if it may stand here and fits.
    fn begin(&mut self, header: FrameHeader, limits: FrameLimits) -> Result<OpenFrame, FrameFault> {
        if !header.opcode.is_control() {
            match (self.kind, MessageKind::of(header.opcode)) {
                (None, None) => return Err(Protocol("a continuation of no message")),
                (Some(_), Some(_)) => return Err(Protocol("a message within a message")),
                (None, kind) => self.kind = kind,
                (Some(_), None) => {}
            }
            self.fragments += 1;
            if self.fragments > limits.fragments {
                return Err(FrameFault::TooManyFragments { max: limits.fragments });
            }
            check_size(self.content.len(), header.length, limits)?;
        }
        let frame = OpenFrame { header, passed: 0 };
        self.frame = Some(frame);
        Ok(frame)
    }

    /// Takes in the content of a frame; its header, when it is whole. Memory is taken as bytes come, not as they
    /// are announced.
    fn pass(&mut self, frame: OpenFrame, bytes: &mut &[u8]) -> Option<FrameHeader> {
        let OpenFrame { header, passed } = frame;
        let left = usize::try_from(header.length - passed).unwrap_or(usize::MAX);
        let (now, rest) = bytes.split_at(left.min(bytes.len()));
        *bytes = rest;
        let content =
            if header.opcode.is_control() { &mut self.control } else { &mut self.content };
        if header.is_final {
            grow(content, now.len(), left);
        }
        append_masked(content, now, header.mask, passed);
        let passed = passed + now.len() as u64;
        self.frame = Some(OpenFrame { header, passed });
        (passed == header.length).then_some(header)
    }
}

impl MessageKind {
    fn of(opcode: Opcode) -> Option<Self> {
        match opcode {
            Opcode::Text => Some(Self::Text),
            Opcode::Binary => Some(Self::Binary),
            _ => None,
        }
    }

    fn message(self, content: Bytes) -> Result<Inbound, FrameFault> {
        Ok(Inbound::Message(match self {
            Self::Text => Frame::Text(text(content)?),
            Self::Binary => Frame::Binary(content),
        }))
    }
}

/// Without room left over, the memory is taken over as it is.
fn whole(content: Vec<u8>) -> Bytes {
    content.into_boxed_slice().into()
}

fn control(opcode: Opcode, content: Vec<u8>) -> Result<Inbound, FrameFault> {
    let content = Bytes::from(content);
    match opcode {
        Opcode::Ping => Ok(Inbound::Ping(content)),
        Opcode::Pong => Ok(Inbound::Pong(content)),
        _ => match *content {
            [] => Ok(Inbound::Close(None)),
            [_] => Err(Protocol("a close frame with half a code")),
            [high, low, ..] => {
                let code = u16::from_be_bytes([high, low]);
                if !CloseCode::from(code).is_allowed() {
                    return Err(Protocol("a close code that nobody may send"));
                }
                Ok(Inbound::Close(Some((code, text(content.slice(2..))?))))
            }
        },
    }
}

fn text(content: Bytes) -> Result<SharedText, FrameFault> {
    SharedText::try_from(content).map_err(|_| FrameFault::NoUtf8)
}

/// Refuses a message that would have more bytes than are allowed, when the header says so.
fn check_size(have: usize, more: u64, limits: FrameLimits) -> Result<(), FrameFault> {
    let size = more.saturating_add(have as u64);
    if size > limits.message as u64 {
        return Err(FrameFault::TooLarge { size, max: limits.message });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
