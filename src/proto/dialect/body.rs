//! What both revisions need to write and read the bodies of the polling transport.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::iter;

use super::BodyRoom;
use crate::error::{Error, ErrorKind, Result};
use crate::proto::packet::Packet;
use crate::proto::packet_text::{base64_len, read_text};
use crate::proto::too_large;

/// The hint for what looks like no server of ours at all.
pub(super) const NO_SERVER: &str = "this is probably not a Socket.IO server: \
                                    the page of a captive portal or a proxy, or another path?";

/// How much of what is no packet is read, for the error message.
pub(super) const SAMPLE: usize = 64;

/// How many packets fit into a body, at least one, and the size of that body. `between` is what stands
/// between two of them, in bytes; `size` gives what a packet takes.
pub(super) fn fitting(
    queue: &VecDeque<Packet>,
    room: BodyRoom,
    between: usize,
    size: impl Fn(&Packet) -> usize,
) -> (usize, usize) {
    let mut total = 0_usize;
    for (count, packet) in queue.iter().enumerate() {
        let between = if count > 0 { between } else { 0 };
        let larger = total.saturating_add(between).saturating_add(size(packet));
        if count > 0 && (count >= room.packets || larger > room.bytes) {
            return (count, total);
        }
        total = larger;
    }
    (queue.len(), total)
}

/// The packets that `next` gives, up to its first `None` or error.
pub(super) fn packets<'a>(
    mut next: impl FnMut() -> Result<Option<Packet>> + 'a,
) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
    let mut is_over = false;
    Box::new(iter::from_fn(move || {
        if is_over {
            return None;
        }
        let item = next().transpose();
        is_over = !matches!(item, Some(Ok(_)));
        item
    }))
}

/// The body of a response, read packet by packet.
pub(super) struct ResponseBody<'a> {
    reader: Box<dyn BufRead + 'a>,
    /// The most bytes of a packet.
    pub(super) max: usize,
    /// Whether anything that looks like a packet was read.
    pub(super) started: bool,
}

impl<'a> ResponseBody<'a> {
    pub(super) fn new(reader: Box<dyn BufRead + 'a>, max: usize) -> Self {
        Self { reader, max, started: false }
    }

    /// The next byte; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        peek(&mut self.reader).map_err(broken_body)
    }

    /// Passes over a byte that was seen by [`peek`](Self::peek).
    pub(super) fn skip(&mut self) {
        self.reader.consume(1);
    }

    /// Reads up to `length` bytes. Memory is taken as they come, not as they are announced.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(as_u64(length)).read_to_end(&mut bytes).map_err(broken_body)?;
        Ok(bytes)
    }

    /// Reads up to a separator, which belongs to the result, to the end, or one byte more than
    /// `limit`.
    pub(super) fn bytes_until(&mut self, separator: u8, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader
            .by_ref()
            .take(as_u64(limit).saturating_add(1))
            .read_until(separator, &mut bytes)
            .map_err(broken_body)?;
        Ok(bytes)
    }

    /// Makes a packet of its text; `mark` stands before base64. Bytes that are not UTF-8 become
    /// U+FFFD, as they do in browsers.
    pub(super) fn packet(&self, text: Vec<u8>, mark: &str) -> Result<Packet> {
        let text = String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let packet = read_text(text.into(), mark)?;
        match &packet {
            Packet::Binary(bytes) => self.check_size(bytes.len())?,
            Packet::Text(text) => self.check_size(text.as_frame().len())?,
            _ => {}
        }
        Ok(packet)
    }

    /// The most bytes of a packet in base64, behind its mark: the limit is for what base64 carries,
    /// so that both transports take the same.
    pub(super) fn max_base64(&self, mark: &str) -> usize {
        base64_len(self.max).saturating_add(mark.len())
    }

    pub(super) fn check_size(&self, length: usize) -> Result<()> {
        if length > self.max { Err(self.too_large(length)) } else { Ok(()) }
    }

    pub(super) fn too_large(&self, length: usize) -> Error {
        too_large("a packet", length, self.max)
    }

    /// The start of what is no packet, for the error message. What cannot be read is only missing
    /// there.
    pub(super) fn sample(&mut self) -> Vec<u8> {
        self.bytes(SAMPLE).unwrap_or_default()
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The next byte of a body; `None` at its end.
pub(super) fn peek(body: &mut (impl BufRead + ?Sized)) -> io::Result<Option<u8>> {
    loop {
        match body.fill_buf() {
            Ok(buffer) => return Ok(buffer.first().copied()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The error that a body could not be read.
#[cold]
pub(super) fn broken_body(error: io::Error) -> Error {
    Error::new(ErrorKind::Transport, "cannot read the body of a response").with_source(error)
}
