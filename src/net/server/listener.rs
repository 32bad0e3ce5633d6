//! Where clients come in.

use std::io;
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use super::stream::ServerStream;
use crate::error::{Error, ErrorKind, Result};

/// A socket that listens.
pub(crate) struct ServerListener(pub(crate) TcpListener);

impl ServerListener {
    pub(crate) fn bind(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| {
            Error::new(ErrorKind::Resource, format!("cannot listen at {address}"))
                .with_source(error)
        })?;
        Ok(Self(listener))
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    pub(crate) fn accept(&mut self) -> io::Result<(ServerStream, Option<SocketAddr>)> {
        let (stream, address) = self.0.accept()?;
        stream.set_nodelay(true)?;
        Ok((ServerStream::Tcp(stream), Some(address)))
    }
}

impl Source for ServerListener {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.0.register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.0.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}
