//! From a host and a port to a connected TCP socket.

pub(super) mod dns;
mod eyeballs;
mod presence;
mod remembered;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use self::dns::Resolver;
use self::eyeballs::connect_first;
pub(super) use self::remembered::Remembered;
use super::attempt::Attempt;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::{TcpOptions, Timeouts};

/// How long a look-up may take where there is another way, and nothing else is said.
const LIMIT_WITH_ANOTHER_WAY: Duration = Duration::from_secs(5);

/// Connects to hosts with the options of one manager.
#[derive(Debug, Default)]
pub(super) struct Dialler {
    pub(super) resolver: Resolver,
    pub(super) tcp: TcpOptions,
    pub(super) timeouts: Timeouts,
    /// The addresses that have worked, where they are to be remembered.
    pub(super) remembered: Option<Remembered>,
}

impl Dialler {
    /// Connects; the socket is non-blocking. A cancellation ends it at once.
    // Apart, so that it shares its stack with the handshakes that follow.
    #[inline(never)]
    pub(super) fn dial(&self, host: &str, port: u16, attempt: &Attempt) -> Result<TcpStream> {
        attempt.waker().check()?;
        attempt.note_peer(None);
        let addresses = self.addresses(host, port, attempt)?;
        attempt.enter(Stage::Tcp, self.timeouts.tcp);
        let (address, socket) = connect_first(&addresses, &self.tcp, attempt)?;
        attempt.note_peer(Some(address));
        attempt.note_local(socket.local_addr().ok());
        attempt.lift_limit();
        Ok(socket)
    }

    /// The addresses of a host; the last one that has worked, where it cannot be looked up.
    fn addresses(&self, host: &str, port: u16, attempt: &Attempt) -> Result<Vec<SocketAddr>> {
        let known = self.remembered.as_ref().and_then(|remembered| remembered.of(host));
        let limit = self.timeouts.dns.or(known.map(|_| LIMIT_WITH_ANOTHER_WAY));
        attempt.enter(Stage::Dns, limit);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        match (self.resolver.look_up(host, port, attempt), known) {
            (Err(error), Some(known)) if error.stage() == Some(Stage::Dns) => {
                let what = format!("the last address of `{host}` is tried, {known}");
                let warning = Error::new(ErrorKind::Connect(Stage::Dns), what);
                attempt.warn(warning.with_source(error));
                Ok(vec![SocketAddr::new(known, port)])
            }
            (looked_up, _) => looked_up,
        }
    }

    /// Notes that a connection to this host was of use, at this address.
    pub(super) fn note_worked(&self, host: &str, address: Option<SocketAddr>) {
        if let (Some(remembered), Some(address)) = (&self.remembered, address) {
            remembered.note(host, address.ip());
        }
    }

    /// Why a connection between these addresses carries nothing any more, if the system knows it.
    pub(super) fn cut_off(&self, local: SocketAddr, peer: SocketAddr) -> Option<String> {
        presence::cut_off(local, peer, self.tcp.interface.as_deref())
    }
}
