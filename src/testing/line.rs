//! The line between the clients of a test and its server, which fails on command. All of it is one thread.

use std::collections::VecDeque;
use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::sync::eventfd::EventFd;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn};

/// How much of one direction may be on its way, in bytes; then nothing more is read.
const MOST: usize = 256 * 1024;

/// Longer is as good as silence.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 3600);

/// What a line is told. Each is answered when it is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum LineOrder {
    /// From now on, connections lead here.
    LeadTo(SocketAddr),
    /// New connections are accepted, or else refused.
    Listen(bool),
    /// Connections that come wait to be accepted, or else do not.
    Hold(bool),
    /// All connections are reset, with what is on its way.
    Cut,
    /// Nothing passes, or else it does again.
    Silence(bool),
    /// Whatever is sent from now on takes so long.
    Delay(Duration),
}

/// A line. It ends when this is dropped.
pub(super) struct FaultyLine {
    orders: Sender<(LineOrder, Sender<Result<()>>)>,
    wake: Arc<EventFd>,
    pub(super) address: SocketAddr,
}

impl FaultyLine {
    /// Makes a line at a free port of loopback, which refuses connections.
    pub(super) fn new() -> Result<Self> {
        let port = reserve_port().map_err(|error| no_line(error, "no free port"))?;
        let address = port.local_addr().ok().and_then(|address| address.as_socket());
        let address = address.ok_or_else(|| Error::new(ErrorKind::Resource, "no address"))?;
        let wake = Arc::new(EventFd::new()?);
        let (orders, told) = unbounded();
        let thread = LineThread {
            told,
            wake: Arc::clone(&wake),
            address,
            leads_to: address,
            listener: None,
            holds: false,
            is_silent: false,
            delay: Duration::ZERO,
            connections: Vec::new(),
            _port: port,
        };
        spawn(Role::Line, None, move || thread.run())?;
        Ok(Self { orders, wake, address })
    }

    /// Has something done, and waits until it is.
    pub(super) fn tell(&self, order: LineOrder) -> Result<()> {
        let gone = || Error::new(ErrorKind::Resource, "the line of the test has ended");
        let (done, answer) = bounded(1);
        self.orders.send((order, done)).map_err(|_| gone())?;
        self.wake.raise();
        answer.recv().map_err(|_| gone())?
    }
}

impl Drop for FaultyLine {
    fn drop(&mut self) {
        // Without a sender, the thread ends.
        self.orders = unbounded().0;
        self.wake.raise();
    }
}

/// A socket that has a port without listening: nobody else gets it, and connections to it are refused.
fn reserve_port() -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // So that the listener, which has this too, may have the same port.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    Ok(socket)
}

fn no_line(error: std::io::Error, what: &'static str) -> Error {
    Error::new(ErrorKind::Resource, what).with_source(error)
}

struct LineThread {
    told: Receiver<(LineOrder, Sender<Result<()>>)>,
    wake: Arc<EventFd>,
    address: SocketAddr,
    leads_to: SocketAddr,
    listener: Option<TcpListener>,
    holds: bool,
    is_silent: bool,
    delay: Duration,
    connections: Vec<LineConnection>,
    /// Keeps the port while nobody listens.
    _port: Socket,
}

impl LineThread {
    fn run(mut self) {
        loop {
            self.wait();
            self.wake.lower();
            loop {
                match self.told.try_recv() {
                    Ok((order, done)) => {
                        let result = self.obey(order);
                        // Who has told it may be gone.
                        let _ = done.send(result);
                    }
                    Err(error) if error.is_disconnected() => return,
                    Err(_) => break,
                }
            }
            if !self.is_silent {
                self.accept();
                let now = Instant::now();
                let release = now + self.delay;
                self.connections.retain_mut(|connection| connection.pass(now, release));
            }
        }
    }

    /// Waits until there is something to do. While nothing passes, that is an order only.
    fn wait(&self) {
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let mut due = None;
        let now = Instant::now();
        if !self.is_silent {
            if let Some(listener) = self.listener.as_ref().filter(|_| !self.holds) {
                fds.push(PollFd::new(listener, PollFlags::IN));
            }
            for connection in &self.connections {
                connection.add_polled(&mut fds, now);
            }
            due = self.connections.iter().filter_map(|connection| connection.next_due(now)).min();
        }
        let left = due.map(|at| at - now);
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        // An interrupted wait is one without news.
        let _ = poll(&mut fds, left.as_ref());
    }

    fn obey(&mut self, order: LineOrder) -> Result<()> {
        match order {
            LineOrder::LeadTo(address) => self.leads_to = address,
            LineOrder::Listen(false) => self.listener = None,
            LineOrder::Listen(true) if self.listener.is_some() => {}
            LineOrder::Listen(true) => self.listener = Some(listen(self.address)?),
            LineOrder::Hold(holds) => self.holds = holds,
            LineOrder::Cut => self.connections.drain(..).for_each(LineConnection::reset),
            LineOrder::Silence(is_silent) => self.is_silent = is_silent,
            LineOrder::Delay(delay) => self.delay = delay.min(LONGEST_DELAY),
        }
        Ok(())
    }

    fn accept(&mut self) {
        let Some(listener) = self.listener.as_ref().filter(|_| !self.holds) else { return };
        while let Ok((client, _)) = listener.accept() {
            match LineConnection::new(client, self.leads_to) {
                Ok(connection) => self.connections.push(connection),
                Err(error) => log_later!(Warn, "the server of a test is not there: {error}"),
            }
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listening = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listening().map_err(|error| no_line(error, "cannot listen for a test"))
}

/// A connection of a client, and the one to the server that it leads to.
struct LineConnection {
    client: TcpStream,
    server: TcpStream,
    up: LineWay,
    down: LineWay,
}

impl LineConnection {
    fn new(client: TcpStream, leads_to: SocketAddr) -> std::io::Result<Self> {
        let server = TcpStream::connect(leads_to)?;
        for stream in [&client, &server] {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
        }
        Ok(Self { client, server, up: LineWay::default(), down: LineWay::default() })
    }

    fn add_polled<'a>(&'a self, fds: &mut Vec<PollFd<'a>>, now: Instant) {
        for (stream, comes, goes) in
            [(&self.client, &self.up, &self.down), (&self.server, &self.down, &self.up)]
        {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, comes.has_room());
            flags.set(PollFlags::OUT, goes.is_due(now));
            // Without a question poll(2) would tell of ends over and over.
            if !flags.is_empty() {
                fds.push(PollFd::from_borrowed_fd(stream.as_fd(), flags));
            }
        }
    }

    /// When something is due next that is not yet.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        [&self.up, &self.down]
            .into_iter()
            .filter_map(LineWay::next_due)
            .filter(|at| *at > now)
            .min()
    }

    /// Passes on what can be. `false`: the connection has ended.
    fn pass(&mut self, now: Instant, release: Instant) -> bool {
        let Self { client, server, up, down } = self;
        let passed = up
            .pass(client, server, now, release)
            .and_then(|()| down.pass(server, client, now, release));
        if passed.is_err() {
            self.set_to_reset();
        }
        passed.is_ok() && !(self.up.has_ended && self.down.has_ended)
    }

    fn reset(self) {
        self.set_to_reset();
    }

    /// Has the system reset both connections when they are dropped, instead of ending them.
    fn set_to_reset(&self) {
        for stream in [&self.client, &self.server] {
            // What cannot be set has failed already.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// One direction of a connection.
#[derive(Default)]
struct LineWay {
    /// What is on its way, each with the time at which it arrives. Nothing at all is the end.
    waiting: VecDeque<(Instant, Vec<u8>)>,
    /// How many bytes that is.
    bytes: usize,
    /// How much of the first has been written.
    written: usize,
    /// The sender has ended it.
    is_ending: bool,
    /// The receiver was told so.
    has_ended: bool,
}

impl LineWay {
    fn has_room(&self) -> bool {
        !self.is_ending && self.bytes < MOST
    }

    fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(at, _)| *at)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|at| at <= now)
    }

    /// Reads what has come, and writes what is due.
    fn pass(
        &mut self,
        mut from: &TcpStream,
        mut to: &TcpStream,
        now: Instant,
        release: Instant,
    ) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while self.has_room() {
            match from.read(&mut buffer) {
                Ok(count) => {
                    self.is_ending = count == 0;
                    self.bytes += count;
                    // A shorter delay does not let later bytes overtake.
                    let last = self.waiting.back().map(|(at, _)| *at);
                    let release = last.map_or(release, |last| last.max(release));
                    self.waiting.push_back((release, buffer[..count].to_vec()));
                }
                Err(error) if error.kind() == IoKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while let Some((_, bytes)) = self.waiting.front().filter(|(at, _)| *at <= now) {
            if bytes.is_empty() {
                to.shutdown(Shutdown::Write)?;
                self.has_ended = true;
            } else {
                match to.write(&bytes[self.written..]) {
                    Ok(count) => self.written += count,
                    Err(error) if error.kind() == IoKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
                if self.written < bytes.len() {
                    continue;
                }
            }
            self.bytes -= bytes.len();
            self.written = 0;
            self.waiting.pop_front();
        }
        Ok(())
    }
}
