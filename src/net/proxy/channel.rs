//! A connection to a proxy, before there is a tunnel.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use rustix::event::PollFlags;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::attempt::Attempt;
use crate::net::nonblocking::retry;
use crate::options::Proxy;

/// An error of the way through a proxy.
pub(super) fn proxy_error(what: String) -> Error {
    Error::new(ErrorKind::Connect(Stage::Proxy), what)
}

/// A connection to a proxy, before there is a tunnel.
pub(super) struct Channel<'a> {
    pub(super) socket: &'a TcpStream,
    pub(super) proxy: &'a Proxy,
    pub(super) attempt: &'a Attempt,
}

impl Channel<'_> {
    /// Sends all of it.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match retry(|| self.socket.write(bytes)) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) => self.wait_out(error, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// Receives what has come, at most as much as fits; an end is an error.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match retry(|| self.socket.read(buffer)) {
                Ok(0) => return Err(self.error("closed the connection instead of answering")),
                Ok(received) => return Ok(received),
                Err(error) => self.wait_out(error, PollFlags::IN)?,
            }
        }
    }

    /// Receives exactly as much as fits.
    pub(super) fn receive_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            filled += self.receive(&mut buffer[filled..])?;
        }
        Ok(())
    }

    fn wait_out(&self, error: io::Error, flags: PollFlags) -> Result<()> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return self.attempt.wait_for_io(self.socket.as_fd(), flags);
        }
        Err(self.error("was lost before it answered").with_source(error))
    }

    /// An error that begins with the name of the proxy.
    pub(super) fn error(&self, what: &str) -> Error {
        proxy_error(format!("the proxy {} {what}", self.proxy))
    }
}
