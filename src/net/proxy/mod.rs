//! The way through a proxy: which one, and how to ask it.

mod environment;
mod http;
mod socks;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use rustix::event::PollFlags;

pub(super) use self::environment::Environment;
use super::signal::Signal;
use super::stream::retry;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::endpoint::Endpoint;
use crate::options::proxy::Protocol;
use crate::options::{Proxy, ProxyChoice};

/// Which proxy to use.
#[derive(Debug)]
pub(super) enum Proxies {
    /// What the environment says.
    Environment(Environment),
    /// This one, or none.
    Fixed(Option<Proxy>),
}

impl Proxies {
    /// Reads the environment, if that is to be asked.
    pub(super) fn new(choice: &ProxyChoice) -> Result<Self> {
        match choice {
            ProxyChoice::Environment => {
                let variable = |name: &str| std::env::var(name).ok();
                Ok(Self::Environment(Environment::read(variable)?))
            }
            ProxyChoice::None => Ok(Self::Fixed(None)),
            ProxyChoice::Given(proxy) => Ok(Self::Fixed(Some(proxy.clone()))),
        }
    }

    /// The proxy on the way to a server.
    pub(super) fn for_endpoint(&self, endpoint: &Endpoint) -> Option<&Proxy> {
        match self {
            Self::Environment(environment) => environment.for_endpoint(endpoint),
            Self::Fixed(proxy) => proxy.as_ref(),
        }
    }
}

/// Asks a proxy for the way to a server, over a connection to the proxy; from then on the bytes
/// are the server's.
pub(super) fn open_tunnel(
    socket: &TcpStream,
    proxy: &Proxy,
    endpoint: &Endpoint,
    signal: &Signal,
) -> Result<()> {
    let mut channel = Channel { socket, proxy, signal };
    match proxy.protocol {
        Protocol::Http => http::connect(&mut channel, endpoint),
        Protocol::Socks5 => socks::connect(&mut channel, endpoint),
    }
}

/// The error of a proxy that cannot be reached.
pub(super) fn unreachable(proxy: &Proxy, error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::Connect(_)) {
        return error;
    }
    let late = error.is_timeout();
    let outer = proxy_error(format!("the proxy {proxy} cannot be reached"))
        // Without its hint, which is about servers.
        .with_source(Error::new(error.kind(), error.message().to_owned()))
        .with_hint("is the proxy right? `Builder::no_proxy` does without any");
    if late { outer.timed_out() } else { outer }
}

fn proxy_error(what: String) -> Error {
    Error::new(ErrorKind::Connect(Stage::Proxy), what)
}

/// A connection to a proxy, before there is a tunnel.
struct Channel<'a> {
    socket: &'a TcpStream,
    proxy: &'a Proxy,
    signal: &'a Signal,
}

impl Channel<'_> {
    /// Sends all of it.
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match retry(|| self.socket.write(bytes)) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) => self.wait_out(error, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// Receives what has come, at most as much as fits; an end is an error.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match retry(|| self.socket.read(buffer)) {
                Ok(0) => return Err(self.error("closed the connection instead of answering")),
                Ok(received) => return Ok(received),
                Err(error) => self.wait_out(error, PollFlags::IN)?,
            }
        }
    }

    /// Receives exactly as much as fits.
    fn receive_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            filled += self.receive(&mut buffer[filled..])?;
        }
        Ok(())
    }

    fn wait_out(&self, error: io::Error, flags: PollFlags) -> Result<()> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return self.signal.wait_for_io(self.socket.as_fd(), flags);
        }
        Err(self.error("was lost before it answered").with_source(error))
    }

    /// An error that begins with the name of the proxy.
    fn error(&self, what: &str) -> Error {
        proxy_error(format!("the proxy {} {what}", self.proxy))
    }
}

#[cfg(test)]
mod tests;
