//! The connection of a client.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A connection, which never blocks.
pub(crate) enum ServerStream {
    Tcp(TcpStream),
}

impl ServerStream {
    pub(crate) fn is_secure(&self) -> bool {
        false
    }

    pub(crate) fn shut_down_writing(&mut self) -> io::Result<()> {
        let Self::Tcp(stream) = self;
        stream.shutdown(Shutdown::Write)
    }
}

impl Read for ServerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Tcp(stream) = self;
        stream.read(buffer)
    }
}

impl Write for ServerStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self::Tcp(stream) = self;
        stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for ServerStream {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        let Self::Tcp(stream) = self;
        stream.register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        let Self::Tcp(stream) = self;
        stream.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let Self::Tcp(stream) = self;
        stream.deregister(registry)
    }
}
