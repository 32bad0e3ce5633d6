//! The stream as tungstenite reads and writes it: counted, and cut where a message ends.

use std::io::{self, Read, Write};
use std::mem::replace;

use super::boundary::Boundary;
use crate::net::stream::Stream;

/// A stream that notes what passes.
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
    /// What was read behind a cut.
    behind: Option<Vec<u8>>,
    /// How many bytes the last read has brought.
    pub(super) last_read: usize,
    /// The bytes read since the last [`Metered::restart`].
    pub(super) read: usize,
    /// The bytes written since then.
    pub(super) written: usize,
}

impl Metered {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            boundary: Boundary::default(),
            emptied: false,
            cut: false,
            behind: None,
            last_read: 0,
            read: 0,
            written: 0,
        }
    }

    /// Counts anew. These bytes tungstenite was given already.
    pub(super) fn restart(&mut self, given: &[u8]) {
        self.boundary.pass(given);
        (self.cut, self.read, self.written) = (false, 0, 0);
    }

    /// Whether what was read so far ends with a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.boundary.is_between_messages()
    }

    /// Where a cut is why a read would block: what was read behind it. tungstenite has nothing more
    /// in its buffer.
    pub(super) fn take_behind(&mut self) -> Option<Vec<u8>> {
        self.behind.take()
    }

    /// Reads what was kept behind a cut that is not wanted any more.
    fn read_behind(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let mut behind = self.behind.take().filter(|behind| !behind.is_empty())?;
        let read = behind.len().min(buffer.len());
        buffer[..read].copy_from_slice(&behind[..read]);
        self.boundary.pass(&buffer[..read]);
        behind.drain(..read);
        self.behind = Some(behind);
        Some(read)
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cut && self.is_between_messages() {
            self.behind.get_or_insert_default();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(read) = self.read_behind(buffer) {
            return Ok(read);
        }
        if replace(&mut self.emptied, false) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.stream.read(buffer)?;
        self.emptied = self.stream.is_emptied();
        self.read = self.read.saturating_add(read);
        self.last_read = read;
        let end = self.boundary.pass(&buffer[..read]);
        if self.cut && 0 < end && end < read {
            self.boundary = Boundary::default();
            self.behind = Some(buffer[end..read].to_vec());
            return Ok(end);
        }
        Ok(read)
    }
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.written = self.written.saturating_add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
