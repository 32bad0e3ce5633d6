//! From a host and a port to a connected TCP socket.

pub(super) mod dns;
mod eyeballs;

use std::net::{IpAddr, SocketAddr, TcpStream};

use self::dns::Resolver;
use self::eyeballs::connect_first;
use super::attempt::Attempt;
use crate::error::{Result, Stage};
use crate::options::{TcpOptions, Timeouts};

/// Connects to hosts with the options of one manager.
#[derive(Debug, Default)]
pub(super) struct Dialler {
    pub(super) resolver: Resolver,
    pub(super) tcp: TcpOptions,
    pub(super) timeouts: Timeouts,
}

impl Dialler {
    /// Connects; the socket is non-blocking. A cancellation ends it at once.
    // Apart, so that it shares its stack with the handshakes that follow.
    #[inline(never)]
    pub(super) fn dial(&self, host: &str, port: u16, attempt: &Attempt) -> Result<TcpStream> {
        attempt.waker().check()?;
        attempt.reached(None);
        attempt.enter(Stage::Dns, self.timeouts.dns);
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.resolver.look_up(host, port, attempt)?,
        };
        attempt.enter(Stage::Tcp, self.timeouts.tcp);
        let socket = connect_first(&addresses, &self.tcp, attempt)?;
        attempt.reached(socket.peer_addr().ok());
        attempt.lift_limit();
        Ok(socket)
    }
}
