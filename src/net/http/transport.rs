//! Our streams as ureq's transport: the only file that uses what ureq may change in any release.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, Uri};
use rustix::event::PollFlags;
use socket2::SockRef;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error as HttpError};

use crate::error::{Error, ErrorKind, Stage};
use crate::net::attempt::Attempt;
use crate::net::network::Net;
use crate::net::stream::Stream;
use crate::net::tls::late_refusal;
use crate::options::endpoint::Endpoint;

/// The size of the buffers of a connection in each direction, and so the longest headers.
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
        .build();
    Agent::with_parts(config, connector, NoResolver)
}

/// Gives ureq streams that are dialled as those of WebSockets are.
#[derive(Debug)]
pub(super) struct StreamConnector {
    pub(super) net: Arc<Net>,
    /// The one server that is dialled, which a URI cannot fully name: it has no place for the
    /// zone of a link-local address.
    pub(super) server: Arc<OnceLock<Endpoint>>,
    pub(super) keep_alive: Arc<KeepAlive>,
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
        let server = self.server.get().ok_or(HttpError::ConnectionFailed)?;
        let stream = self
            .net
            .stream(server, &self.attempt)
            .map_err(|error| HttpError::Other(Box::new(error)))?;
        // Where the system cannot, what moves slowly is only harder to tell from what does not.
        let _ = SockRef::from(&**stream.socket()).set_tcp_notsent_lowat(MAX_UNSENT);
        self.attempt.enter(Stage::Http, self.first_limit());
        Ok(Some(Connection {
            stream,
            secure: server.secure,
            buffers: LazyBuffers::new(BUFFER, BUFFER),
            keep_alive: Arc::clone(&self.keep_alive),
            last_read: Instant::now(),
        }))
    }
}

/// The time that the server keeps idle connections, from its `Keep-Alive` header.
///
/// Node's servers close after 5 s. Whoever writes a POST in that very moment does not learn
/// whether it was read, so a connection is not used again in its last second.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    /// In seconds; zero while unknown.
    seconds: AtomicU32,
}

impl KeepAlive {
    /// Takes note of `Keep-Alive: timeout=5`.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let seconds = headers
            .get("keep-alive")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| {
                value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))
            })
            .and_then(|seconds| seconds.parse().ok());
        if let Some(seconds) = seconds {
            self.seconds.store(seconds, Ordering::Relaxed);
        }
    }

    /// Whether the server may be about to close a connection that was idle for so long.
    fn is_over(&self, idle: Duration) -> bool {
        let seconds = self.seconds.load(Ordering::Relaxed);
        seconds > 0 && idle + Duration::from_secs(1) >= Duration::from_secs(seconds.into())
    }
}

/// One connection, with ureq's buffers.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    secure: bool,
    buffers: LazyBuffers,
    keep_alive: Arc<KeepAlive>,
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
                Err(error) => return Err(HttpError::Other(Box::new(lost(error)))),
            }
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), HttpError> {
        let mut sent = 0;
        while sent < amount {
            sent += self.blocking(PollFlags::OUT, |stream, buffers| {
                stream.write(&buffers.output()[sent..amount])
            })?;
        }
        self.blocking(PollFlags::OUT, |stream, _| stream.flush())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, HttpError> {
        if self.buffers.input_append_buf().is_empty() {
            return Err(HttpError::LargeResponseHeader(BUFFER, BUFFER));
        }
        let amount = self
            .blocking(PollFlags::IN, |stream, buffers| stream.read(buffers.input_append_buf()))?;
        if amount == 0 && !self.stream.tells_truncation() {
            // Only a body without a length ends so, and this one may have been cut.
            let end = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(HttpError::Other(Box::new(lost(end))));
        }
        self.buffers.input_appended(amount);
        self.last_read = Instant::now();
        Ok(amount > 0)
    }

    /// Whether the connection is as quiet as it must be between requests: the end of the stream,
    /// an error and bytes that nobody asked for all make it unusable.
    fn is_open(&mut self) -> bool {
        if self.keep_alive.is_over(self.last_read.elapsed()) {
            return false;
        }
        let quiet = self.stream.read(&mut [0; 1]);
        matches!(quiet, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn is_tls(&self) -> bool {
        self.secure
    }
}

/// The error of a lost connection. It goes through ureq as an error of ours, because ureq takes
/// some of the system's errors, a reset among them, for the regular end of a body.
fn lost(error: io::Error) -> Error {
    late_refusal(&error).unwrap_or_else(|| {
        Error::new(ErrorKind::Transport, "the connection failed during an HTTP request")
            .with_source(error)
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
