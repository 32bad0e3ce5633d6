//! Our streams as ureq's transport: the only file that uses what ureq may change in any release.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Uri;
use rustix::event::PollFlags;
use rustix::net::sockopt::set_tcp_quickack;
use socket2::SockRef;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error as HttpError};

use super::exchange::{Exchange, ROUND_TRIP};
use crate::error::{Error, ErrorKind, Stage};
use crate::net::answer::{Beginning, MAX_HEAD};
use crate::net::attempt::Attempt;
use crate::net::network::Net;
use crate::net::stream::Stream;
use crate::net::tls::late_refusal;
use crate::options::endpoint::Endpoint;
use crate::sync::lock::lock;

/// The size of the buffers of a connection in each direction, in bytes. Longer heads make them grow.
const BUFFER: usize = 16 * 1024;

/// How much of a request waits in the system to be sent, in bytes. Nobody sees how that moves, and the
/// system would take megabytes: a body that is all in there is not answered before it has arrived.
const MAX_UNSENT: u32 = 16 * 1024;

/// How long a connection is kept when the server does not say how long it does. Most servers and
/// proxies keep it longer; an unexpected end is noticed before a connection is used again.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// An agent that does nothing on its own account: no redirection, no proxy, no deadline.
pub(super) fn agent(connector: StreamConnector) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .max_idle_connections(2)
        .max_idle_connections_per_host(2)
        .max_idle_age(MAX_IDLE)
        .max_response_header_size(MAX_HEAD)
        .build();
    Agent::with_parts(config, connector, NoResolver)
}

/// Gives ureq streams that are dialled as those of WebSockets are.
#[derive(Debug)]
pub(super) struct StreamConnector {
    pub(super) net: Arc<Net>,
    /// The one server that is dialled, which a URI cannot fully name: it has no place for the
    /// zone of a link-local address.
    pub(super) server: Arc<Mutex<Option<Endpoint>>>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) attempt: Arc<Attempt>,
    /// Whether there was an answer already.
    pub(super) answered: Arc<AtomicBool>,
}

impl StreamConnector {
    /// The limit of the first request, which the server answers at once. Later ones may wait for
    /// packets.
    fn first_limit(&self) -> Option<Duration> {
        let first = !self.answered.load(Ordering::Relaxed);
        self.net.dialler.timeouts.http.filter(|_| first)
    }
}

impl Connector for StreamConnector {
    type Out = Connection;

    fn connect(
        &self,
        _: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, HttpError> {
        let server = lock(&self.server).clone().ok_or(HttpError::ConnectionFailed)?;
        let stream = self
            .net
            .stream(&server, &self.attempt)
            .map_err(|error| HttpError::Other(Box::new(error)))?;
        // Where the system cannot, what moves slowly is only harder to tell from what does not.
        let _ = SockRef::from(&**stream.socket()).set_tcp_notsent_lowat(MAX_UNSENT);
        self.attempt.enter(Stage::Http, self.first_limit());
        Ok(Some(Connection {
            stream,
            secure: server.secure,
            buffers: LazyBuffers::new(BUFFER, BUFFER),
            output_size: BUFFER,
            input_size: BUFFER,
            net: Arc::clone(&self.net),
            exchange: Arc::clone(&self.exchange),
            kept: false,
            awaits_head: true,
            last_read: Instant::now(),
        }))
    }
}

/// One connection, with ureq's buffers.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    secure: bool,
    buffers: LazyBuffers,
    output_size: usize,
    input_size: usize,
    net: Arc<Net>,
    exchange: Arc<Exchange>,
    /// It has answered a request and was kept.
    kept: bool,
    /// The final answer has not begun.
    awaits_head: bool,
    last_read: Instant,
}

impl Connection {
    /// Repeats a call of the stream until it no longer would block; `wanted` is what it waits for.
    fn blocking<T>(
        &mut self,
        wanted: PollFlags,
        mut call: impl FnMut(&mut Stream, &mut LazyBuffers) -> io::Result<T>,
    ) -> Result<T, HttpError> {
        loop {
            match call(&mut self.stream, &mut self.buffers) {
                Ok(value) => return Ok(value),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.wait(wanted).map_err(|error| HttpError::Other(Box::new(error)))?;
                    if wanted == PollFlags::OUT {
                        self.stream.attempt().note_room();
                    }
                }
                Err(error) => {
                    // The system says so where the reset came behind the end.
                    self.note_end(|| error.kind() == io::ErrorKind::BrokenPipe);
                    return Err(HttpError::Other(Box::new(lost(error))));
                }
            }
        }
    }

    /// Notes the end of the connection. `is_reset`: where nothing has come of an answer, that shows
    /// that the request was not read.
    fn note_end(&self, is_reset: impl FnOnce() -> bool) {
        let Some(known) = self.exchange.note_end() else { return };
        if !known.on_kept {
            return;
        }
        self.net.keep_alive.note_end(self.last_read.elapsed());
        if known.has_ended_soon() && is_reset() {
            self.exchange.note_unread();
        }
    }

    /// Waits for the time of a round trip whether the server's system resets a connection whose end has come:
    /// because something was sent behind that end, and nobody has read it then.
    fn wait_for_reset(&self) -> bool {
        let attempt = self.stream.attempt();
        attempt.limit(ROUND_TRIP);
        // poll(2) always tells of a reset.
        let is_reset = attempt.wait_for_io(self.stream.as_fd(), PollFlags::empty()).is_ok();
        attempt.lift_limit();
        is_reset
    }

    /// Reads what has come, once something has; `false` at the end.
    fn read_more(&mut self) -> Result<bool, HttpError> {
        if self.buffers.input_append_buf().is_empty() {
            if self.input_size >= MAX_HEAD {
                return Err(HttpError::LargeResponseHeader(MAX_HEAD, MAX_HEAD));
            }
            self.grow_input();
        }
        // A server with Nagle's algorithm that writes head and body by themselves keeps the body back
        // until the head is confirmed, which the system would do 40 ms later. It forgets this by itself.
        let _ = set_tcp_quickack(&self.stream, true);
        let amount = self
            .blocking(PollFlags::IN, |stream, buffers| stream.read(buffers.input_append_buf()))?;
        if amount == 0 {
            self.note_end(|| self.wait_for_reset());
            if !self.stream.tells_truncation() {
                // Only a body without a length ends so, and this one may have been cut.
                let end = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(HttpError::Other(Box::new(lost(end))));
            }
        }
        self.exchange.note_received(&self.buffers.input_append_buf()[..amount]);
        self.buffers.input_appended(amount);
        self.last_read = Instant::now();
        Ok(amount > 0)
    }

    /// Passes over answers that are not final: ureq refuses them where they have headers.
    fn skip_interim(&mut self) {
        while self.awaits_head {
            match Beginning::of(self.buffers.input()) {
                Beginning::Unknown => return,
                Beginning::Interim(length) => self.buffers.input_consume(length),
                Beginning::Final => self.awaits_head = false,
            }
        }
    }

    /// Makes room for an answer whose head is longer than the buffer.
    fn grow_input(&mut self) {
        self.input_size = (self.input_size * 2).min(MAX_HEAD);
        let mut larger = LazyBuffers::new(self.input_size, self.output_size);
        let kept = self.buffers.input();
        larger.input_append_buf()[..kept.len()].copy_from_slice(kept);
        larger.input_appended(kept.len());
        self.buffers = larger;
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        // ureq writes a header whole or not at all.
        let head = self.exchange.head();
        if head > self.output_size && self.buffers.input().is_empty() {
            self.output_size = head;
            self.buffers = LazyBuffers::new(self.input_size, self.output_size);
        }
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), HttpError> {
        self.exchange.note_sending(self.kept);
        self.awaits_head = true;
        let mut sent = 0;
        while sent < amount {
            sent += self.blocking(PollFlags::OUT, |stream, buffers| {
                stream.write(&buffers.output()[sent..amount])
            })?;
        }
        self.blocking(PollFlags::OUT, |stream, _| stream.flush())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, HttpError> {
        loop {
            let has_more = self.read_more()?;
            self.skip_interim();
            if !has_more || !self.awaits_head || !self.buffers.input().is_empty() {
                return Ok(has_more);
            }
        }
    }

    /// Whether the connection is as quiet as it must be between requests: the end of the stream,
    /// an error and bytes that nobody asked for all make it unusable.
    fn is_open(&mut self) -> bool {
        let idle = self.last_read.elapsed();
        let keep_alive = &self.net.keep_alive;
        if keep_alive.is_over(idle) {
            return false;
        }
        let quiet = self.stream.read(&mut [0; 1]);
        if matches!(quiet, Ok(0)) {
            keep_alive.note_end(idle);
        }
        self.kept = matches!(quiet, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.kept
    }

    fn is_tls(&self) -> bool {
        self.secure
    }
}

/// The error of a lost connection. It goes through ureq as an error of ours, because ureq takes
/// some of the system's errors, a reset among them, for the regular end of a body.
fn lost(error: io::Error) -> Error {
    late_refusal(&error).unwrap_or_else(|| {
        let what = format!("the connection failed during an HTTP request ({})", error.kind());
        Error::new(ErrorKind::Transport, what).with_source(error)
    })
}

/// ureq is given no addresses: [`Net::stream`] looks up the name itself.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, HttpError> {
        Ok(self.empty())
    }
}
