//! The connections that a server takes: non-blocking, over TCP, TLS or a Unix socket.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token, event};

use crate::error::Error;
use crate::net::nonblocking::retry;
#[cfg(feature = "rustls")]
use crate::net::tls::rustls::acceptor::{TlsServerStream, tls_failure};

/// One connection. Nothing of it blocks, or fails because a signal came; with TLS, the handshake is a part of reading and
/// writing.
#[derive(Debug)]
pub(crate) enum ServerStream {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsServerStream>),
}

/// Does the same with whichever it is.
macro_rules! each {
    ($stream:expr, $inner:ident => $what:expr) => {
        match $stream {
            ServerStream::Tcp($inner) => $what,
            ServerStream::Unix($inner) => $what,
            #[cfg(feature = "rustls")]
            ServerStream::Tls($inner) => $what,
        }
    };
}

impl ServerStream {
    pub(crate) fn is_secure(&self) -> bool {
        !matches!(self, Self::Tcp(_) | Self::Unix(_))
    }

    /// Whether TLS holds bytes that the socket has not taken: a write, a read or a flush is to follow when the
    /// socket has room.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.wants_write(),
        }
    }

    /// Whether a read that has given less than it had room for has taken all there was; the system tells
    /// of what comes after that.
    pub(crate) fn is_emptied_by_short_read(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => true,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.is_socket_emptied(),
        }
    }

    /// The certificate of the client in DER, and those that link it to its authority; empty where it
    /// has none.
    pub(crate) fn client_chain(&self) -> Vec<Bytes> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Vec::new(),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.client_chain(),
        }
    }

    /// Says to the peer that nothing more will be written.
    pub(crate) fn half_close(&mut self) {
        // It fails only if the connection is gone already.
        match self {
            Self::Tcp(stream) => drop(stream.shutdown(Shutdown::Write)),
            Self::Unix(stream) => drop(stream.shutdown(Shutdown::Write)),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.half_close(),
        }
    }

    /// What a failed read or write says of TLS: that a certificate is refused, for example.
    pub(crate) fn tls_failure(error: &io::Error) -> Option<Error> {
        #[cfg(feature = "rustls")]
        return tls_failure(error);
        #[cfg(not(feature = "rustls"))]
        {
            let _ = error;
            None
        }
    }
}

#[cfg(all(test, feature = "rustls"))]
impl ServerStream {
    /// One with TLS, and its client, which blocks.
    pub(crate) fn encrypted() -> (Self, impl Read + Write + Send) {
        crate::net::tls::rustls::acceptor::tests::connected()
    }
}

impl Read for ServerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => retry(|| stream.read(buffer)))
    }
}

impl Write for ServerStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => retry(|| stream.write(bytes)))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => retry(|| stream.write_vectored(pieces)))
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => stream.flush())
    }
}

impl AsFd for ServerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        each!(self, stream => stream.as_fd())
    }
}

impl event::Source for ServerStream {
    fn register(&mut self, registry: &Registry, token: Token, wanted: Interest) -> io::Result<()> {
        each!(self, stream => stream.register(registry, token, wanted))
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        wanted: Interest,
    ) -> io::Result<()> {
        each!(self, stream => stream.reregister(registry, token, wanted))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        each!(self, stream => stream.deregister(registry))
    }
}
