//! Opening a TCP connection to the first of several addresses that answers (RFC 8305).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepidle, set_tcp_nodelay, set_tcp_user_timeout, socket_error,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};
use socket2::SockRef;

use crate::error::reached::{Tried, listed};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::attempt::Attempt;
use crate::net::begun::BegunConnect;
use crate::net::waker::poll_within;
use crate::options::TcpOptions;

/// How long one address is tried alone before the next one joins it (RFC 8305 §8).
const STAGGER: Duration = Duration::from_millis(250);

/// How many addresses of one name are tried: a name server may list thousands.
const MAX_ADDRESSES: usize = 16;

/// Connects to whichever of the addresses answers first, and makes the socket non-blocking.
pub(super) fn connect_first(
    addresses: &[SocketAddr],
    tcp: &TcpOptions,
    attempt: &Attempt,
) -> Result<BegunConnect> {
    let mut race = Race::new(addresses, tcp, attempt.take_begun());
    loop {
        attempt.waker().check()?;
        if let Some(winner) = race.start_due() {
            return Ok(winner);
        }
        attempt.tries(race.so_far());
        if race.is_lost() {
            return Err(race.into_error());
        }
        if let Some(winner) = race.wait(attempt)? {
            return Ok(winner);
        }
    }
}

/// Why an address could not be connected to: in our words, and in the system's.
#[derive(Debug)]
pub(super) struct StartError {
    what: Option<String>,
    source: io::Error,
}

/// The state of one race.
struct Race<'a> {
    tcp: &'a TcpOptions,
    /// What was begun before the race.
    begun: Option<BegunConnect>,
    waiting: VecDeque<SocketAddr>,
    running: Vec<BegunConnect>,
    failed: Vec<(SocketAddr, StartError)>,
    next_start: Instant,
}

impl<'a> Race<'a> {
    fn new(addresses: &[SocketAddr], tcp: &'a TcpOptions, begun: Option<BegunConnect>) -> Self {
        Self {
            tcp,
            begun,
            waiting: interleave(addresses),
            running: Vec::new(),
            failed: Vec::new(),
            next_start: Instant::now(),
        }
    }

    /// Starts all that are due: the first, one more each stagger, one more for each failure.
    fn start_due(&mut self) -> Option<BegunConnect> {
        while self.running.is_empty() || Instant::now() >= self.next_start {
            let address = self.waiting.pop_front()?;
            let begun = self.begun.take().filter(|begun| begun.address == address);
            match begun.map_or_else(|| start(&address, self.tcp), Ok) {
                Ok(winner) if winner.is_connected => return Some(winner),
                Ok(running) => {
                    self.running.push(running);
                    self.next_start = Instant::now() + STAGGER;
                }
                Err(error) => self.failed.push((address, error)),
            }
        }
        None
    }

    fn is_lost(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Blocks until a connection is made or has failed, or the next start is due.
    fn wait(&mut self, attempt: &Attempt) -> Result<Option<BegunConnect>> {
        let mut fds = Vec::with_capacity(self.running.len() + 1);
        fds.push(attempt.waker().polled());
        fds.extend(self.running.iter().map(|it| PollFd::new(&it.socket, PollFlags::OUT)));
        let next_start = (!self.waiting.is_empty())
            .then(|| self.next_start.saturating_duration_since(Instant::now()));
        let limit = [next_start, attempt.time_left()?].into_iter().flatten().min();
        poll_within(&mut fds, limit)?;
        let ready: Vec<bool> = fds[1..].iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        attempt.waker().check()?;
        Ok(self.finish(&ready))
    }

    /// Looks at those that are ready: the first that is connected wins.
    fn finish(&mut self, ready: &[bool]) -> Option<BegunConnect> {
        let mut ready = ready.iter().copied();
        for running in std::mem::take(&mut self.running) {
            if !ready.next().unwrap_or(false) {
                self.running.push(running);
                continue;
            }
            match socket_error(&running.socket) {
                Ok(Ok(())) => return Some(running),
                Ok(Err(error)) | Err(error) => {
                    self.failed.push((running.address, io::Error::from(error).into()));
                    self.next_start = Instant::now();
                }
            }
        }
        None
    }

    /// What is known of each address.
    fn so_far(&self) -> Vec<Tried> {
        let failed = self.failed.iter().map(|(address, error)| (address, Some(error.to_string())));
        let running = self.running.iter().map(|running| (&running.address, None));
        let tried = failed.chain(running);
        tried.map(|(address, failure)| Tried { address: *address, failure }).collect()
    }

    fn into_error(self) -> Error {
        let mut tried = listed(&self.so_far());
        if tried.is_empty() {
            tried.push_str("no address to connect to");
        }
        let error = Error::new(ErrorKind::Connect(Stage::Tcp), tried);
        let all = |is_it: fn(io::ErrorKind) -> bool| {
            self.failed.iter().all(|(_, error)| is_it(error.source.kind()))
        };
        let hint = if self.failed.iter().any(|(_, error)| error.what.is_some()) {
            "are the local address and the interface right?"
        } else if self.failed.is_empty() {
            "is the name right?"
        } else if all(|kind| kind == io::ErrorKind::ConnectionRefused) {
            "is the server running, and is the port right?"
        } else if all(|kind| kind == io::ErrorKind::TimedOut) {
            "is the address right, or does a firewall swallow what is sent there?"
        } else {
            "is there a network, and a way to this address?"
        };
        let is_late = !self.failed.is_empty() && all(|kind| kind == io::ErrorKind::TimedOut);
        let error = error.with_hint(hint);
        let error = if is_late { error.timed_out() } else { error };
        match self.failed.into_iter().next() {
            Some((_, StartError { source, .. })) => error.with_source(source),
            None => error,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(what) = &self.what {
            return f.write_str(what);
        }
        f.write_str(match self.source.kind() {
            io::ErrorKind::ConnectionRefused => "refused",
            io::ErrorKind::ConnectionReset => "reset",
            io::ErrorKind::TimedOut => "no answer",
            io::ErrorKind::HostUnreachable => "the host cannot be reached",
            io::ErrorKind::NetworkUnreachable => "there is no way to this network",
            _ => return write!(f, "{}", self.source),
        })
    }
}

impl From<io::Error> for StartError {
    fn from(source: io::Error) -> Self {
        Self { what: None, source }
    }
}

impl From<Errno> for StartError {
    fn from(source: Errno) -> Self {
        io::Error::from(source).into()
    }
}

/// Starts to connect, which never blocks.
pub(super) fn start(
    address: &SocketAddr,
    tcp: &TcpOptions,
) -> std::result::Result<BegunConnect, StartError> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    set_tcp_nodelay(&socket, true)?;
    if let Some(idle) = tcp.keepalive {
        set_socket_keepalive(&socket, true)?;
        set_tcp_keepidle(&socket, idle)?;
    }
    if let Some(limit) = tcp.user_timeout {
        set_tcp_user_timeout(&socket, u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))?;
    }
    bind_locally(&socket, address, tcp)?;
    let is_connected = match connect(&socket, address) {
        Ok(()) => true,
        // An interrupted connect goes on by itself, exactly as one in progress does.
        Err(Errno::INPROGRESS | Errno::INTR) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(BegunConnect { address: *address, socket, is_connected, sent: 0 })
}

/// Ties a socket to the interface and to the address on this side.
fn bind_locally(
    socket: &OwnedFd,
    peer: &SocketAddr,
    tcp: &TcpOptions,
) -> std::result::Result<(), StartError> {
    let explained = |what: String| move |source: io::Error| StartError { what: Some(what), source };
    if let Some(name) = &tcp.interface {
        SockRef::from(socket)
            .bind_device(Some(name.as_bytes()))
            .map_err(explained(format!("cannot use the interface {name}")))?;
    }
    let Some(local) = tcp.local_address else { return Ok(()) };
    if local.is_ipv4() != peer.is_ipv4() {
        let what = format!("not reachable from the local address {local}");
        return Err(explained(what)(io::ErrorKind::AddrNotAvailable.into()));
    }
    bind(socket, &SocketAddr::new(local, 0))
        .map_err(|error| explained(format!("cannot use the local address {local}"))(error.into()))
}

/// Alternates between the families, each in its given order, starting with the first address's.
fn interleave(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let v4_first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == v4_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = VecDeque::new();
    while mixed.len() < MAX_ADDRESSES {
        let before = mixed.len();
        mixed.extend(first.next());
        mixed.extend(second.next());
        if mixed.len() == before {
            break;
        }
    }
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use rustix::net::sockopt::set_socket_linger;
    use rustix::net::{bind, getsockname, listen, socket};

    use super::*;
    use crate::net::testing::{LIMIT, attempt, cancel_ends, spawn};

    fn first(addresses: &[SocketAddr], attempt: &Attempt) -> Result<TcpStream> {
        connect_first(addresses, &TcpOptions::default(), attempt).map(|winner| winner.socket.into())
    }

    /// An address where nobody listens.
    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// An address that answers nothing, and what must live for it to stay so: a listener whose
    /// queue is full.
    fn black_hole() -> (SocketAddr, OwnedFd, Vec<OwnedFd>) {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        let mut fillers = Vec::new();
        for _ in 0..4 {
            fillers.push(start(&address, &TcpOptions::default()).unwrap().socket);
        }
        (address, listener, fillers)
    }

    #[test]
    fn families_alternate_in_the_order_of_the_system() {
        let v4 = |n: u8| SocketAddr::from(([10, 0, 0, n], 1));
        let v6 = |n: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 1));
        for (given, expected) in [
            (vec![], vec![]),
            (vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
            (vec![v6(1), v6(2), v4(1), v4(2)], vec![v6(1), v4(1), v6(2), v4(2)]),
            (vec![v4(1), v6(1), v6(2), v6(3)], vec![v4(1), v6(1), v6(2), v6(3)]),
        ] {
            assert_eq!(interleave(&given), expected);
        }
        let many: Vec<_> = (0..200).map(v4).collect();
        assert_eq!(interleave(&many).len(), MAX_ADDRESSES);
    }

    #[test]
    fn a_refused_connection_names_every_address_and_its_cause() {
        let addresses = [refusing(), refusing()];
        let error = first(&addresses, &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tcp));
        for address in addresses {
            assert!(error.message().contains(&address.to_string()), "{error}");
        }
        assert!(error.message().contains("refused"), "{error}");
        assert!(error.hint().is_some());
        let source = std::error::Error::source(&error).unwrap();
        let cause = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
        assert!(!error.to_string().contains(&source.to_string()), "{error}");
    }

    #[test]
    fn without_an_address_there_is_an_error() {
        let error = first(&[], &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tcp));
    }

    #[test]
    fn a_failure_starts_the_next_address_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // A connection with an error pending, as of one that was refused after a while.
        let broken = OwnedFd::from(TcpStream::connect(address).unwrap());
        let peer = listener.accept().unwrap().0;
        set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
        drop(peer);
        let tcp = TcpOptions::default();
        let mut race = Race::new(&[address], &tcp, None);
        let (hole, _listener, _fillers) = black_hole();
        let waiting = start(&hole, &tcp).unwrap();
        race.running.push(BegunConnect { address: refusing(), socket: broken, ..waiting });
        race.running.push(start(&hole, &tcp).unwrap());
        race.next_start = Instant::now() + Duration::from_secs(3600);
        assert!(race.start_due().is_none());
        assert!(race.wait(&attempt()).unwrap().is_none());
        assert_eq!(race.failed.len(), 1);
        assert!(race.start_due().is_some() || race.running.len() == 2);
    }

    #[test]
    fn an_address_that_does_not_answer_is_overtaken() {
        let (hole, _listener, _fillers) = black_hole();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let connected = spawn(move || first(&[hole, good], &attempt()));
        let stream = connected.recv_timeout(LIMIT).unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[test]
    fn a_cancellation_ends_a_connect_that_nobody_answers() {
        let (hole, _listener, _fillers) = black_hole();
        let (there, reached) = std::sync::mpsc::channel();
        cancel_ends(&reached, move |attempt| {
            there.send(()).unwrap();
            first(&[hole], attempt)
        });
    }

    #[test]
    fn the_socket_is_set_up_for_small_messages_and_dead_peers() {
        use rustix::net::sockopt::{socket_keepalive, tcp_keepidle, tcp_nodelay};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = first(&[listener.local_addr().unwrap()], &attempt()).unwrap();
        assert!(tcp_nodelay(&stream).unwrap() && socket_keepalive(&stream).unwrap());
        assert_eq!(tcp_keepidle(&stream).unwrap(), Duration::from_secs(60));
        let error = std::io::Read::read(&mut (&stream), &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn keepalive_and_the_limit_on_unconfirmed_data_can_be_set() {
        use rustix::net::sockopt::{socket_keepalive, tcp_keepidle, tcp_user_timeout};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = [listener.local_addr().unwrap()];
        let seconds = Duration::from_secs;
        let mut tcp = TcpOptions {
            keepalive: Some(seconds(7)),
            user_timeout: Some(seconds(9)),
            ..TcpOptions::default()
        };
        let winner = connect_first(&address, &tcp, &attempt()).unwrap();
        assert_eq!(winner.address, address[0]);
        assert_eq!(tcp_keepidle(&winner.socket).unwrap(), seconds(7));
        assert_eq!(tcp_user_timeout(&winner.socket).unwrap(), 9000);
        tcp.keepalive = None;
        let winner = connect_first(&address, &tcp, &attempt()).unwrap();
        assert_eq!(winner.address, address[0]);
        assert!(!socket_keepalive(&winner.socket).unwrap());
    }

    #[test]
    fn connections_come_from_the_local_address_and_interface_that_were_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = [listener.local_addr().unwrap()];
        let tcp = TcpOptions {
            local_address: Some("127.0.0.9".parse().unwrap()),
            interface: Some("lo".to_owned()),
            ..TcpOptions::default()
        };
        let winner = connect_first(&address, &tcp, &attempt()).unwrap();
        assert_eq!(winner.address, address[0]);
        let local = TcpStream::from(winner.socket).local_addr().unwrap();
        assert_eq!(local.ip().to_string(), "127.0.0.9");
        for (local_address, interface, part) in [
            (Some("192.0.2.1"), None, "192.0.2.1"),
            (Some("::1"), None, "not reachable from the local address ::1"),
            (None, Some("no-such-link"), "no-such-link"),
        ] {
            let tcp = TcpOptions {
                local_address: local_address.map(|address| address.parse().unwrap()),
                interface: interface.map(str::to_owned),
                ..TcpOptions::default()
            };
            let error = connect_first(&address, &tcp, &attempt()).unwrap_err();
            assert_eq!(error.stage(), Some(Stage::Tcp));
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn a_limit_ends_a_connect_that_nobody_answers() {
        let (hole, _listener, _fillers) = black_hole();
        let attempt = attempt();
        // Long enough to try both.
        attempt.enter(Stage::Tcp, Some(Duration::from_secs(1)));
        let error = first(&[refusing(), hole], &attempt).unwrap_err();
        assert_eq!((error.is_timeout(), error.stage()), (true, Some(Stage::Tcp)));
        assert!(error.message().contains(&format!("{hole}: no answer")), "{error}");
        assert!(error.message().contains("refused"), "{error}");
    }
}
