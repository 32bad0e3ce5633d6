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
    /// The next message is to be given in spite of that. Nothing of it was yet.
    opened: bool,
    /// The most that one read takes, in bytes.
    read_size: usize,
    /// What was read behind the head of the handshake, or behind a cut, and is yet to be given.
    behind: Bytes,
    /// How much of the last frame in that is still to come.
    to_come: u64,
    /// Why nothing more could be read. What was read before is for tungstenite first: also a message that has not ended may
    /// have a ping in it, or break the protocol.
    pub(super) put_off: Option<io::Error>,
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
            opened: false,
            read_size,
            behind: behind.into(),
            to_come: 0,
            put_off: None,
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
        self.cut && !self.opened && self.is_between_messages()
    }

    /// Gives the next message in spite of the cut.
    pub(super) fn open(&mut self) {
        self.opened = true;
    }

    /// The size of what lies behind the cut, with all of a frame of which only a part has come.
    pub(super) fn begun_message(&self) -> usize {
        let to_come = usize::try_from(self.to_come).unwrap_or(usize::MAX);
        self.behind.len().saturating_add(to_come)
    }

    /// Reads behind the cut what has come, into an empty chunk of this size, and cuts it behind its last whole message. What
    /// lies behind that is kept apart again. Gives how much the chunk had before it was cut.
    pub(super) fn fill(&mut self, chunk: &mut Vec<u8>, size: usize) -> io::Result<usize> {
        if self.behind.is_empty() {
            self.check_more()?;
        }
        chunk.extend_from_slice(&self.behind);
        let mut filled = chunk.len();
        chunk.resize(size, 0);
        // TLS gives a record at a time.
        while filled < size {
            match self.read_more(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => {
                    self.put_off = Some(error);
                    break;
                }
            }
        }
        if filled == 0 {
            chunk.clear();
            return self.put_off.take().map_or(Ok(0), Err);
        }
        let end = self.boundary.pass(&chunk[..filled]);
        let largest = self.boundary.largest_frame();
        self.keep_apart(&chunk[end..filled]);
        chunk.truncate(end);
        // tungstenite asks for as much room behind all that it has as a message takes, though the message is there;
        // else it moves all of it to a new buffer.
        chunk.reserve_exact(largest);
        Ok(filled)
    }

    /// Reads from the stream, and keeps apart what lies behind a cut.
    fn read_stream(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.read_size);
        let read = self.read_more(&mut buffer[..most])?;
        let end = self.boundary.pass(&buffer[..read]);
        if self.cut && 0 < end && end < read {
            self.keep_apart(&buffer[end..read]);
            return Ok(end);
        }
        Ok(read)
    }

    fn read_more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check_more()?;
        let read = self.stream.read(buffer)?;
        self.emptied = self.stream.is_emptied();
        self.read = self.read.saturating_add(read);
        Ok(read)
    }

    /// An error where it is known that nothing more can be read; it is said once.
    fn check_more(&mut self) -> io::Result<()> {
        if let Some(error) = self.put_off.take() {
            return Err(error);
        }
        if replace(&mut self.emptied, false) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// Keeps what was read behind a message, until tungstenite is given it.
    fn keep_apart(&mut self, bytes: &[u8]) {
        self.to_come = self.boundary.start_again();
        self.behind = Bytes::copy_from_slice(bytes);
    }

    /// Reads what was kept apart.
    fn read_behind(&mut self, buffer: &mut [u8]) -> usize {
        // tungstenite asks for as much room as the message takes behind what it has of it: that is to be its header alone.
        let most = if self.opened { header_of(&self.behind) } else { buffer.len() };
        let read = self.behind.len().min(buffer.len()).min(most);
        buffer[..read].copy_from_slice(&self.behind.split_to(read));
        self.boundary.pass(&buffer[..read]);
        self.to_come = 0;
        read
    }
}

/// The size of the header with which these bytes begin. Those of a server have no mask.
fn header_of(bytes: &[u8]) -> usize {
    match bytes.get(1).map(|second| second & 0x7f) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_cut() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = if self.behind.is_empty() {
            self.read_stream(buffer)?
        } else {
            self.read_behind(buffer)
        };
        self.opened = false;
        Ok(read)
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
