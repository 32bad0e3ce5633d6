//! The sockets that a server listens on.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::path::Path;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token, event};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::ServerStream;
use super::unix_path::UnixPath;
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "rustls")]
use crate::net::tls::rustls::acceptor::TlsAcceptor;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// One listening socket; non-blocking.
#[derive(Debug)]
pub(crate) struct ServerListener {
    socket: ListeningSocket,
    /// How its connections are encrypted.
    #[cfg(feature = "rustls")]
    tls: Option<Arc<TlsAcceptor>>,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener, #[allow(dead_code, reason = "it goes with the listener")] UnixPath),
}

/// What accepting has found.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A connection, and where it comes from; `None`: from this device, by a Unix socket.
    Stream(ServerStream, Option<SocketAddr>),
    /// Nobody waits.
    Nothing,
    /// This connection was lost before it was taken; there may be another one.
    Lost(Error),
    /// The system has no descriptor or no memory for another connection. Those who wait stay, and the listener
    /// is to be left alone for a while: the system tells of them only once.
    Exhausted(Error),
}

impl ServerListener {
    /// Listens on these addresses. With port 0 the system chooses one, the same for all addresses that have it.
    /// `[::]` means the older addresses too, unless `0.0.0.0` is among them.
    pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Vec<Self>> {
        let any_v4 = addresses.iter().any(|one| one.is_ipv4() && one.ip().is_unspecified());
        let mut chosen = 0;
        let mut listeners = Vec::new();
        for address in addresses {
            let mut address = *address;
            let is_to_choose = address.port() == 0;
            if is_to_choose {
                address.set_port(chosen);
            }
            let socket =
                tcp_socket(address, any_v4).map_err(|error| cannot_listen(&address, error))?;
            let listener = Self::of(ListeningSocket::Tcp(socket));
            if let Some(bound) = listener.local_addr().filter(|_| is_to_choose) {
                chosen = bound.port();
            }
            listeners.push(listener);
        }
        Ok(listeners)
    }

    /// Takes over a socket that listens already, from a service manager for example.
    pub(crate) fn given(socket: StdTcpListener) -> Result<Self> {
        socket.set_nonblocking(true).map_err(|error| cannot_listen(&"the given socket", error))?;
        Ok(Self::of(ListeningSocket::Tcp(TcpListener::from_std(socket))))
    }

    /// Listens on a Unix socket at a path that is free, or that a former server has left behind. The
    /// file is removed in the end.
    pub(crate) fn bind_unix(path: &Path) -> Result<Self> {
        let (socket, path) =
            UnixPath::bind(path).map_err(|error| cannot_listen(&path.display(), error))?;
        Ok(Self::of(ListeningSocket::Unix(socket, path)))
    }

    fn of(socket: ListeningSocket) -> Self {
        Self {
            socket,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// The same, with TLS over TCP.
    #[cfg(feature = "rustls")]
    pub(crate) fn with_tls(mut self, tls: &ServerEncryption) -> Self {
        self.tls = Some(Arc::clone(&tls.0));
        self
    }

    /// The address, with the port that the system has chosen; `None` with a Unix socket.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListeningSocket::Tcp(socket) => socket.local_addr().ok(),
            ListeningSocket::Unix(..) => None,
        }
    }

    /// Takes one connection.
    pub(crate) fn accept(&self) -> Accepted {
        let accepted = match &self.socket {
            ListeningSocket::Tcp(socket) => socket.accept().map(|(stream, address)| {
                // Without it, only small answers are late.
                let _ = stream.set_nodelay(true);
                (ServerStream::Tcp(stream), Some(address))
            }),
            ListeningSocket::Unix(socket, _) => {
                socket.accept().map(|(stream, _)| (ServerStream::Unix(stream), None))
            }
        };
        match accepted {
            Ok((stream, peer)) => self.encrypted(stream, peer),
            Err(error) => not_accepted(error),
        }
    }

    #[cfg(feature = "rustls")]
    fn encrypted(&self, stream: ServerStream, peer: Option<SocketAddr>) -> Accepted {
        match (&self.tls, stream) {
            (Some(tls), ServerStream::Tcp(socket)) => match tls.accept(socket) {
                Ok(stream) => Accepted::Stream(ServerStream::Tls(Box::new(stream)), peer),
                Err(error) => Accepted::Lost(error),
            },
            (_, stream) => Accepted::Stream(stream, peer),
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[allow(clippy::unused_self, reason = "what it is with rustls")]
    fn encrypted(&self, stream: ServerStream, peer: Option<SocketAddr>) -> Accepted {
        Accepted::Stream(stream, peer)
    }
}

/// How the connections of one or several listeners are encrypted.
#[cfg(feature = "rustls")]
#[derive(Clone, Debug)]
pub(crate) struct ServerEncryption(Arc<TlsAcceptor>);

#[cfg(feature = "rustls")]
impl ServerEncryption {
    /// Reads the certificates; one that cannot be used is an error here.
    pub(crate) fn new(options: crate::options::ServerTls) -> Result<Self> {
        Ok(Self(Arc::new(TlsAcceptor::new(options)?)))
    }
}

/// `only_v6`: what `[::]` means.
fn tcp_socket(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former server may still be in their last state.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn cannot_listen(place: &dyn std::fmt::Display, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another program, or another server of this one, listens there",
        io::ErrorKind::AddrNotAvailable => "no network of this device has the address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege, and paths rights",
        _ => "",
    };
    let what = format!("cannot listen on {place} ({error})");
    let error = Error::new(ErrorKind::Resource, what).with_source(error);
    if hint.is_empty() { error } else { error.with_hint(hint) }
}

/// What an error of accept(2) means. It reports also what has happened to a connection that waited.
fn not_accepted(error: io::Error) -> Accepted {
    match Errno::from_io_error(&error) {
        Some(Errno::WOULDBLOCK) => Accepted::Nothing,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
            let what = "no more connections can be taken";
            Accepted::Exhausted(Error::new(ErrorKind::Resource, what).with_source(error))
        }
        _ => {
            let what = "a connection was lost before it was taken";
            Accepted::Lost(Error::new(ErrorKind::Transport, what).with_source(error))
        }
    }
}

impl event::Source for ServerListener {
    fn register(&mut self, registry: &Registry, token: Token, wanted: Interest) -> io::Result<()> {
        match &mut self.socket {
            ListeningSocket::Tcp(socket) => socket.register(registry, token, wanted),
            ListeningSocket::Unix(socket, _) => socket.register(registry, token, wanted),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        wanted: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            ListeningSocket::Tcp(socket) => socket.reregister(registry, token, wanted),
            ListeningSocket::Unix(socket, _) => socket.reregister(registry, token, wanted),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            ListeningSocket::Tcp(socket) => socket.deregister(registry),
            ListeningSocket::Unix(socket, _) => socket.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests;
