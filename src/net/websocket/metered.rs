//! The stream as tungstenite reads and writes it: counted, and cut where a message ends.

use std::io::{self, Read, Write};
use std::mem::replace;

use bytes::Bytes;

use super::boundary::Boundary;
use super::masks::Masks;
use crate::net::framing::{FramePrefix, append_masked};
use crate::net::stream::Stream;

/// How much is gathered before it is written, in bytes.
const ENOUGH: usize = 128 * 1024;

/// A stream that notes what passes, and gathers what is written until it is flushed.
///
/// What would block is an error as with any stream. It is that also where nothing is read although
/// something could be: behind a short read, since that has taken all that had come; and at a cut.
pub(super) struct Metered {
    pub(super) stream: Stream,
    /// Where in its message the last byte lies that tungstenite was given.
    boundary: Boundary,
    /// The last read has taken all that had come: the next one needs no system call to know that
    /// it would block. More is found by poll(2), after which the one behind that reads again.
    emptied: bool,
    /// Whether tungstenite is to be given no more than the message that has begun.
    pub(super) cut: bool,
    /// The most that one read takes, in bytes.
    read_size: usize,
    /// What was read behind the head of the handshake, or behind a cut, and is yet to be given.
    behind: Bytes,
    /// The bytes read since the last [`Metered::restart`].
    pub(super) read: usize,
    /// The bytes written since then.
    pub(super) written: usize,
    /// What is to be written and was not taken yet: whole frames, but for the first.
    unsent: Vec<u8>,
    masks: Masks,
}

impl Metered {
    /// The stream behind these bytes.
    pub(super) fn new(stream: Stream, behind: Vec<u8>, read_size: usize) -> Self {
        // What came behind the head came by the read before.
        let emptied = !behind.is_empty() && stream.is_emptied();
        Self {
            stream,
            boundary: Boundary::default(),
            emptied,
            cut: false,
            read_size,
            behind: behind.into(),
            read: 0,
            written: 0,
            unsent: Vec::new(),
            masks: Masks::default(),
        }
    }

    /// Appends a message to what is to be written. `true`: that is enough to be flushed.
    pub(super) fn append(&mut self, opcode: u8, content: &[u8]) -> bool {
        let mask = self.masks.draw();
        let prefix = FramePrefix::new(opcode, content.len() as u64, Some(mask));
        self.unsent.extend_from_slice(prefix.as_bytes());
        append_masked(&mut self.unsent, content, mask, 0);
        self.unsent.len() > ENOUGH
    }

    /// Counts anew, with reads of another size.
    pub(super) fn restart(&mut self, read_size: usize) {
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        (self.cut, self.read, self.written) = (false, 0, 0);
        self.read_size = read_size;
    }

    /// Whether what tungstenite was given so far ends with a message. Where it asks for more, it has
    /// nothing in its buffer then.
    pub(super) fn is_between_messages(&self) -> bool {
        self.boundary.is_between_messages()
    }

    /// What the peer's close frame has in it, once one has come.
    pub(super) fn close_frame(&self) -> Option<&[u8]> {
        self.boundary.close()
    }

    /// Whether a read would block because of the cut alone.
    pub(super) fn is_at_cut(&self) -> bool {
        self.cut && self.is_between_messages()
    }

    /// Reads from the stream, and keeps apart what lies behind a cut.
    fn read_stream(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.read_size);
        let read = self.stream.read(&mut buffer[..most])?;
        self.emptied = self.stream.is_emptied();
        self.read = self.read.saturating_add(read);
        let end = self.boundary.pass(&buffer[..read]);
        if self.cut && 0 < end && end < read {
            self.boundary = Boundary::default();
            self.behind = Bytes::copy_from_slice(&buffer[end..read]);
            return Ok(end);
        }
        Ok(read)
    }

    /// Reads what was kept apart.
    fn read_behind(&mut self, buffer: &mut [u8]) -> usize {
        let read = self.behind.len().min(buffer.len());
        buffer[..read].copy_from_slice(&self.behind.split_to(read));
        self.boundary.pass(&buffer[..read]);
        read
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_cut() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !self.behind.is_empty() {
            return Ok(self.read_behind(buffer));
        }
        if replace(&mut self.emptied, false) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.read_stream(buffer)
    }
}

impl Write for Metered {
    /// What tungstenite writes are whole frames: they keep their order with the others.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unsent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let result = loop {
            if sent == self.unsent.len() {
                break self.stream.flush();
            }
            match self.stream.write(&self.unsent[sent..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => sent += taken,
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..sent);
        self.written = self.written.saturating_add(sent);
        result
    }
}
