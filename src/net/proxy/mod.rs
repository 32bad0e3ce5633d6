//! The way through a proxy: which one, and how to ask it.

mod channel;
mod environment;
mod http;
mod socks;

use std::net::TcpStream;

use self::channel::{Channel, proxy_error};
pub(super) use self::environment::Environment;
use super::attempt::Attempt;
use crate::error::{Error, ErrorKind, Result};
use crate::options::endpoint::Endpoint;
use crate::options::proxy::Protocol;
use crate::options::{Proxy, ProxyChoice};

/// Which proxy to use.
#[derive(Debug, PartialEq, Eq)]
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
    attempt: &Attempt,
) -> Result<()> {
    let mut channel = Channel { socket, proxy, attempt };
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
    let why = error.message();
    let outer = proxy_error(format!("the proxy {proxy} cannot be reached: {why}"))
        .with_hint("is the proxy right? `Builder::no_proxy` does without any")
        .with_source(error);
    if late { outer.timed_out() } else { outer }
}

#[cfg(test)]
mod tests;
