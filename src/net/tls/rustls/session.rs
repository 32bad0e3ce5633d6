//! One TLS session over a non-blocking socket, for either end of it.

#[cfg(feature = "server")]
use std::io::IoSlice;
use std::io::{self, Read, Write};
use std::ops::{Deref, DerefMut};

use ::rustls::{ConnectionCommon, SideData};

use crate::net::nonblocking::retry;
use crate::net::passed::Passed;

/// A session of a client or a server.
///
/// Reading writes nothing but what rustls itself has to say, such as an answer to a change of
/// keys, and writing never reads. So all that was received is with the caller, or in the socket
/// where poll(2) sees it, once a read would block.
#[derive(Debug)]
pub(super) struct TlsSession<C> {
    connection: C,
    /// The last read from the socket has taken all that had come.
    emptied: bool,
    /// How many bytes the socket has given and taken.
    passed: Passed,
}

/// Notes whether a read takes all that has come.
struct Emptying<'a, S> {
    socket: S,
    emptied: &'a mut bool,
}

impl<C, D> TlsSession<C>
where
    C: DerefMut + Deref<Target = ConnectionCommon<D>>,
    D: SideData,
{
    pub(super) fn new(connection: C) -> Self {
        Self { connection, emptied: false, passed: Passed::default() }
    }

    #[cfg(feature = "server")]
    pub(super) fn connection(&self) -> &C {
        &self.connection
    }

    /// Takes in what the socket has, and says what that calls for. At the end of the stream this
    /// succeeds, and the session's reader knows.
    pub(super) fn pull(&mut self, mut socket: impl Read + Write) -> io::Result<()> {
        let mut emptying = Emptying { socket: &mut socket, emptied: &mut self.emptied };
        let taken = retry(|| self.connection.read_tls(&mut emptying))?;
        self.passed.read = self.passed.read.wrapping_add(taken);
        if let Err(error) = self.connection.process_new_packets() {
            // The alert that tells the peer; the error is reported whether it arrives or not.
            let _ = self.push(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if taken == 0 && self.connection.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Sends what is encrypted already.
    pub(super) fn push(&mut self, mut socket: impl Write) -> io::Result<()> {
        while self.connection.wants_write() {
            let taken = retry(|| self.connection.write_tls(&mut socket))?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.passed.written = self.passed.written.wrapping_add(taken);
        }
        Ok(())
    }

    /// Says in TLS that nothing more will be written. If this cannot be sent now, the end of the TCP
    /// stream says the same.
    pub(super) fn say_end(&mut self, socket: impl Write) {
        self.connection.send_close_notify();
        let _ = self.push(socket);
    }

    pub(super) fn read<S: Read + Write + Copy>(
        &mut self,
        socket: S,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What a former read had to say and the socket did not take, then what this one
                    // has. What is left makes `wants_write` true.
                    let _ = self.push(socket);
                    self.pull(socket)?;
                    let _ = self.push(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    // rustls's own text is a paragraph with a link.
                    let text = "the connection ended without the end of TLS";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                result => return result,
            }
        }
    }

    /// Takes what the socket has room for, and what rustls keeps beyond that.
    pub(super) fn write<S: Write + Copy>(&mut self, socket: S, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            // First what was left: rustls holds at most its own buffer, whatever is offered.
            match self.push(socket) {
                Ok(()) => {}
                Err(error) if taken == 0 => return Err(error),
                Err(_) => return Ok(taken),
            }
            if taken == bytes.len() {
                return Ok(taken);
            }
            match self.connection.writer().write(&bytes[taken..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                more => taken += more,
            }
        }
    }

    /// The same with pieces, which share a record where they fit into one.
    #[cfg(feature = "server")]
    pub(super) fn write_vectored<S: Write + Copy>(
        &mut self,
        socket: S,
        pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.push(socket)?;
        let taken = self.connection.writer().write_vectored(pieces)?;
        // It is taken, whether it is out or not.
        let _ = self.push(socket);
        Ok(taken)
    }

    /// How many bytes the socket has given and taken so far.
    pub(super) fn passed(&self) -> Passed {
        self.passed
    }

    /// Whether the last read from the socket has taken all that had come. Where a read of this
    /// session has not filled its buffer, rustls has nothing more to give either.
    pub(super) fn is_socket_emptied(&self) -> bool {
        self.emptied
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether there are encrypted bytes that the socket has not taken.
    pub(super) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }
}

impl<S: Read> Read for Emptying<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer)?;
        *self.emptied = read < buffer.len();
        Ok(read)
    }
}
