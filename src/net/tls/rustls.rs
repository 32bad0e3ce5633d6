//! TLS by rustls, over a non-blocking socket.

#[cfg(feature = "server")]
pub(in crate::net) mod acceptor;
mod clock;
mod config;
mod reason;
mod session;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use ::rustls::pki_types::ServerName;
use ::rustls::{ClientConfig, ClientConnection, Error as RustlsError};
use rustix::event::PollFlags;

use self::clock::FlooredVerifier;
use self::session::TlsSession;
use super::errors::{cut_off, tls_error};
use crate::error::{Error, Result};
use crate::net::attempt::Attempt;
use crate::net::nonblocking::would_block;
use crate::net::passed::Passed;
use crate::options::Tls;

/// A configuration, which holds the sessions to resume.
#[derive(Debug)]
pub(super) struct RustlsConnector {
    config: Arc<ClientConfig>,
    floored: Option<Arc<FlooredVerifier>>,
}

/// An encrypted connection.
#[derive(Debug)]
pub(in crate::net) struct RustlsStream {
    session: TlsSession<ClientConnection>,
    socket: Arc<TcpStream>,
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
    ) -> Result<Box<RustlsStream>> {
        let mut stream = self.begin(socket, name, attempt)?;
        let RustlsStream { session, socket } = &mut *stream;
        while session.is_handshaking() || session.wants_write() {
            attempt.waker().check()?;
            let (result, flags) = if session.wants_write() {
                (session.push(&**socket), PollFlags::OUT)
            } else {
                (session.pull(&**socket), PollFlags::IN)
            };
            if would_block(&result) {
                attempt.wait_for_io(socket.as_fd(), flags)?;
            } else {
                result.map_err(|error| handshake_error(error, name))?;
            }
        }
        Ok(stream)
    }

    /// A session that has its first message to send.
    // A kilobyte is moved here, some times. The frame would lie under those that check certificates, the
    // deepest of a connection.
    #[inline(never)]
    fn begin(
        &self,
        socket: Arc<TcpStream>,
        name: &str,
        attempt: &Attempt,
    ) -> Result<Box<RustlsStream>> {
        let server = ServerName::try_from(name.to_owned()).map_err(|error| {
            tls_error(format!("`{name}` is no name that a certificate can have")).with_source(error)
        })?;
        if let Some(suspicion) = self.floored.as_ref().and_then(|floored| floored.suspicion()) {
            attempt.warn(suspicion);
        }
        let connection = ClientConnection::new(Arc::clone(&self.config), server)
            .map_err(|error| reason::explain(error, name))?;
        Ok(Box::new(RustlsStream { session: TlsSession::new(connection), socket }))
    }
}

impl RustlsStream {
    /// Says to the peer that nothing more will be written, in TLS and then in TCP.
    pub(in crate::net) fn half_close(&mut self) {
        self.session.say_end(&*self.socket);
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub(in crate::net) fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// How many bytes the socket has given and taken so far.
    pub(in crate::net) fn passed(&self) -> Passed {
        self.session.passed()
    }

    pub(in crate::net) fn is_socket_emptied(&self) -> bool {
        self.session.is_socket_emptied()
    }

    /// Whether there are encrypted bytes that the socket has not taken.
    pub(in crate::net) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }
}

impl Read for RustlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.read(&*self.socket, buffer)
    }
}

impl Write for RustlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.write(&*self.socket, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.session.push(&*self.socket)
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
