//! From an endpoint to a connected TCP socket.

use std::net::{IpAddr, SocketAddr, TcpStream};

use super::dns::Resolver;
use super::eyeballs::connect_first;
use super::signal::Signal;
use crate::endpoint::Endpoint;
use crate::error::{Result, Stage};

/// Connects to an endpoint; the socket is non-blocking. A cancellation ends it at once.
// Apart, so that it shares its stack with the handshakes that follow.
#[inline(never)]
pub(super) fn dial(endpoint: &Endpoint, resolver: &Resolver, signal: &Signal) -> Result<TcpStream> {
    signal.check()?;
    signal.enter(Stage::Dns);
    let addresses = match endpoint.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, endpoint.port)],
        Err(_) => resolver.look_up(&endpoint.host, endpoint.port, signal)?,
    };
    signal.enter(Stage::Tcp);
    connect_first(&addresses, signal)
}
