//! From a host and a port to a connected TCP socket.

pub(super) mod dns;
mod eyeballs;
mod presence;
mod remembered;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use self::dns::Resolver;
use self::eyeballs::{connect_first, start};
pub(super) use self::remembered::Remembered;
use super::attempt::Attempt;
use super::begun::BegunConnect;
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
    /// Begins to connect; `None` where a name has to be looked up before, and where it fails at once: then who dials
    /// finds out why.
    pub(super) fn begin(&self, host: &str, port: u16) -> Option<BegunConnect> {
        let address = SocketAddr::new(host.parse::<IpAddr>().ok()?, port);
        start(&address, &self.tcp).ok()
    }

    /// Connects; the socket is non-blocking. A cancellation ends it at once.
    // Apart, so that it shares its stack with the handshakes that follow.
    #[inline(never)]
    pub(super) fn dial(&self, host: &str, port: u16, attempt: &Attempt) -> Result<TcpStream> {
        attempt.waker().check()?;
        attempt.note_peer(None);
        let addresses = self.addresses(host, port, attempt)?;
        attempt.enter(Stage::Tcp, self.timeouts.tcp);
        let BegunConnect { address, socket, sent, .. } =
            connect_first(&addresses, &self.tcp, attempt)?;
        let socket = TcpStream::from(socket);
        attempt.note_sent_ahead(sent);
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

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;
    use crate::net::testing::attempt;

    #[test]
    fn what_was_begun_is_gone_on_with_and_only_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (dialler, attempt) = (Dialler::default(), attempt());
        attempt.go_on_with(dialler.begin("127.0.0.1", port));
        let begun = listener.accept().unwrap().1;
        let dial = || dialler.dial("127.0.0.1", port, &attempt).unwrap().local_addr().unwrap();
        assert_eq!(dial(), begun);
        assert_ne!(dial(), begun);
    }

    #[test]
    fn what_was_begun_to_another_address_is_dropped() {
        let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [to_one, to_other] = [&one, &other].map(|it| it.local_addr().unwrap().port());
        let (dialler, attempt) = (Dialler::default(), attempt());
        attempt.go_on_with(dialler.begin("127.0.0.1", to_one));
        let mut dropped = one.accept().unwrap().0;
        let socket = dialler.dial("127.0.0.1", to_other, &attempt).unwrap();
        assert_eq!(socket.peer_addr().unwrap().port(), to_other);
        assert_eq!(dropped.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_connection_that_took_the_request_is_made_though_its_peer_has_reset_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (dialler, attempt) = (Dialler::default(), attempt());
        let begun = dialler.begin("127.0.0.1", port).unwrap();
        let mut accepted = listener.accept().unwrap().0;
        attempt.go_on_with(begun.send(b"request"));
        accepted.read_exact(&mut [0; 7]).unwrap();
        SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).unwrap();
        drop(accepted);
        let mut socket = dialler.dial("127.0.0.1", port, &attempt).unwrap();
        let error = socket.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_name_is_left_to_who_dials() {
        assert!(Dialler::default().begin("localhost", 1).is_none());
    }
}
