//! TLS by rustls, over a non-blocking socket.

mod clock;
mod config;
mod reason;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use ::rustls::pki_types::ServerName;
use ::rustls::{ClientConfig, ClientConnection, Error as RustlsError};
use rustix::event::PollFlags;

use self::clock::FlooredVerifier;
use super::errors::{cut_off, tls_error};
use crate::error::{Error, Result};
use crate::net::attempt::Attempt;
use crate::net::nonblocking::{retry, would_block};
use crate::net::passed::Passed;
use crate::options::Tls;

/// A configuration, which holds the sessions to resume.
#[derive(Debug)]
pub(super) struct RustlsConnector {
    config: Arc<ClientConfig>,
    floored: Option<Arc<FlooredVerifier>>,
}

/// An encrypted connection.
///
/// Reading writes nothing but what rustls itself has to say, such as an answer to a change of
/// keys, and writing never reads. So all that was received is with the caller, or in the socket
/// where poll(2) sees it, once a read would block.
#[derive(Debug)]
pub(in crate::net) struct RustlsStream {
    connection: ClientConnection,
    socket: Arc<TcpStream>,
    /// The last read from the socket has taken all that had come.
    emptied: bool,
    /// How many bytes the socket has given and taken.
    passed: Passed,
}

/// Notes whether a read takes all that has come.
struct Emptying<'a> {
    socket: &'a TcpStream,
    emptied: &'a mut bool,
}

impl RustlsConnector {
    pub(super) fn new(options: &Tls) -> Result<Self> {
        let (config, floored) = config::client_config(options)?;
        Ok(Self { config: Arc::new(config), floored })
    }

    pub(super) fn connect(
        &self,
        socket: Arc<TcpStream>,
        name: &str,
        attempt: &Attempt,
    ) -> Result<RustlsStream> {
        let server = ServerName::try_from(name.to_owned()).map_err(|error| {
            tls_error(format!("`{name}` is no name that a certificate can have")).with_source(error)
        })?;
        if let Some(suspicion) = self.floored.as_ref().and_then(|floored| floored.suspicion()) {
            attempt.warn(suspicion);
        }
        let connection = ClientConnection::new(Arc::clone(&self.config), server)
            .map_err(|error| reason::explain(error, name))?;
        let mut stream =
            RustlsStream { connection, socket, emptied: false, passed: Passed::default() };
        while stream.connection.is_handshaking() || stream.connection.wants_write() {
            attempt.waker().check()?;
            let (result, flags) = if stream.connection.wants_write() {
                (stream.push(), PollFlags::OUT)
            } else {
                (stream.pull(), PollFlags::IN)
            };
            if would_block(&result) {
                attempt.wait_for_io(stream.socket.as_fd(), flags)?;
            } else {
                result.map_err(|error| handshake_error(error, name))?;
            }
        }
        Ok(stream)
    }
}

impl RustlsStream {
    /// Takes in what the socket has, and says what that calls for. At the end of the stream this
    /// succeeds, and the session's reader knows.
    fn pull(&mut self) -> io::Result<()> {
        let mut socket = Emptying { socket: &self.socket, emptied: &mut self.emptied };
        let taken = retry(|| self.connection.read_tls(&mut socket))?;
        self.passed.read = self.passed.read.wrapping_add(taken);
        if let Err(error) = self.connection.process_new_packets() {
            // The alert that tells the peer; the error is reported whether it arrives or not.
            let _ = self.push();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if taken == 0 && self.connection.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Sends what is encrypted already.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            let taken = retry(|| self.connection.write_tls(&mut &*self.socket))?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.passed.written = self.passed.written.wrapping_add(taken);
        }
        Ok(())
    }

    /// Says to the peer that nothing more will be written, in TLS and then in TCP.
    pub(in crate::net) fn half_close(&mut self) {
        self.connection.send_close_notify();
        // If this cannot be sent now, the end of the TCP stream says the same.
        let _ = self.push();
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub(in crate::net) fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// How many bytes the socket has given and taken so far.
    pub(in crate::net) fn passed(&self) -> Passed {
        self.passed
    }

    /// Whether the last read from the socket has taken all that had come. Where a read of this
    /// stream has not filled its buffer, rustls has nothing more to give either.
    pub(in crate::net) fn is_socket_emptied(&self) -> bool {
        self.emptied
    }

    /// Whether there are encrypted bytes that the socket has not taken.
    pub(in crate::net) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }
}

impl Read for Emptying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer)?;
        *self.emptied = read < buffer.len();
        Ok(read)
    }
}

impl Read for RustlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What a former read had to say and the socket did not take, then what this one
                    // has. What is left makes `wants_write` true.
                    let _ = self.push();
                    self.pull()?;
                    let _ = self.push();
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
}

impl Write for RustlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            // First what was left: rustls holds at most its own buffer, whatever is offered.
            match self.push() {
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

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

/// An alert that comes after the handshake: with TLS 1.3 the server looks at the client's
/// certificate only then.
pub(in crate::net) fn late_refusal(error: &io::Error) -> Option<Error> {
    match error.get_ref()?.downcast_ref::<RustlsError>()? {
        error @ RustlsError::AlertReceived(_) => Some(reason::explain(error.clone(), "")),
        _ => None,
    }
}

fn handshake_error(error: io::Error, name: &str) -> Error {
    let rustls = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>());
    match rustls {
        Some(error) => reason::explain(error.clone(), name),
        None => cut_off(error, name),
    }
}
