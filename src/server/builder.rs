//! The options of a server.

use std::fmt;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::handles::Server;
use super::recovery::ConnectionStateRecovery;
use crate::core::server::recovery::RecoveryLimits;
use crate::core::server::session::SessionOptions;
use crate::driver::server::door::{AllowRequest, Door};
use crate::driver::server::fallback::{Fallback, HttpReply, HttpRequest};
use crate::driver::server::handshake::SocketHandshake;
use crate::driver::server::hub_options::{HubOptions, RecoveryOptions};
use crate::driver::server::inbox::InboxBounds;
use crate::driver::server::parts::Hub;
use crate::driver::server::pool::PoolSize;
use crate::error::{Error, ErrorKind, Result};
use crate::net::server::cookie::set_cookie;
use crate::net::server::cors::CorsPolicy;
#[cfg(feature = "rustls")]
use crate::net::server::listener::ServerEncryption;
use crate::net::server::listener::ServerListener;
use crate::net::server::origin::KnownHosts;
#[cfg(feature = "rustls")]
use crate::options::ServerTls;
use crate::options::{Cors, ParserKind, SessionCookie, Transport};

/// The options of a [`Server`].
#[derive(Clone)]
#[must_use = "a server is made by `bind`"]
pub struct ServerBuilder {
    path: String,
    ping_interval: Duration,
    ping_timeout: Duration,
    upgrade_timeout: Duration,
    connect_timeout: Duration,
    ack_timeout: Duration,
    max_http_buffer_size: usize,
    transports: Vec<Transport>,
    allow_upgrades: bool,
    allow_eio3: bool,
    parser: ParserKind,
    send_bytes: usize,
    send_packets: usize,
    receive_events: usize,
    receive_bytes: usize,
    max_connections: usize,
    max_connections_per_address: usize,
    max_namespaces: usize,
    recovery: Option<ConnectionStateRecovery>,
    cut_slow_clients: bool,
    workers: usize,
    max_workers: usize,
    stack_size: usize,
    cors: Cors,
    hosts: Vec<String>,
    cookie: Option<SessionCookie>,
    allow_request: Option<Arc<AllowRequest>>,
    fallback: Option<Arc<Fallback>>,
    #[cfg(feature = "rustls")]
    tls: Option<ServerTls>,
    unix_sockets: Vec<PathBuf>,
    listeners: Vec<Arc<TcpListener>>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            path: "/socket.io/".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            ack_timeout: Duration::from_secs(45),
            max_http_buffer_size: 1_000_000,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            parser: ParserKind::Json,
            send_bytes: 1024 * 1024,
            send_packets: 8192,
            receive_events: 1024,
            receive_bytes: 1024 * 1024,
            max_connections: 16_384,
            max_connections_per_address: 16_384,
            max_namespaces: 64,
            recovery: None,
            cut_slow_clients: true,
            workers: (2 * cores).clamp(4, 32),
            max_workers: 64,
            stack_size: 512 * 1024,
            cors: Cors::new(),
            hosts: Vec::new(),
            cookie: None,
            allow_request: None,
            fallback: None,
            #[cfg(feature = "rustls")]
            tls: None,
            unix_sockets: Vec::new(),
            listeners: Vec::new(),
        }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// The path of requests. Slashes are added at both ends where they are missing. Default: `/socket.io/`.
    pub fn path(mut self, path: &str) -> Self {
        let trimmed = path.trim_matches('/');
        self.path = if trimmed.is_empty() { "/".into() } else { format!("/{trimmed}/") };
        self
    }

    /// The period of heartbeats. Default: 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// How long a client may take to answer a heartbeat. Default: 20 s.
    pub fn ping_timeout(mut self, limit: Duration) -> Self {
        self.ping_timeout = limit;
        self
    }

    /// How long the move of a session to a WebSocket may take. Default: 10 s.
    pub fn upgrade_timeout(mut self, limit: Duration) -> Self {
        self.upgrade_timeout = limit;
        self
    }

    /// How long a client may be connected without having joined a namespace. Default: 45 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long acknowledgements are awaited where nothing else is said. Default: 45 s.
    pub fn ack_timeout(mut self, limit: Duration) -> Self {
        self.ack_timeout = limit;
        self
    }

    /// The largest message that is taken, in bytes; clients are told (`maxPayload`). A larger one ends its
    /// connection. Default: 1,000,000.
    pub fn max_http_buffer_size(mut self, bytes: usize) -> Self {
        self.max_http_buffer_size = bytes;
        self
    }

    /// The transports that clients may use. Default: both.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = transports.into_iter().collect();
        self
    }

    /// Whether a session may move from polling to a WebSocket. Default: yes.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.allow_upgrades = allow;
        self
    }

    /// Whether clients of versions 1 and 2 are served. Default: no.
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.allow_eio3 = allow;
        self
    }

    /// How packets are written; all clients need the same. Default: JSON.
    pub fn parser(mut self, parser: ParserKind) -> Self {
        self.parser = parser;
        self
    }

    /// How many bytes may wait to be written to a client. Default: 1 MiB. One message, however large, may wait
    /// alone.
    pub fn send_bytes(mut self, bytes: usize) -> Self {
        self.send_bytes = bytes;
        self
    }

    /// How many messages may, each attachment being one. Default: 8,192.
    pub fn send_packets(mut self, count: usize) -> Self {
        self.send_packets = count;
        self
    }

    /// How many events may wait for the handlers of a socket before nothing is read from its client any more.
    /// Default: 1,024.
    pub fn receive_events(mut self, count: usize) -> Self {
        self.receive_events = count;
        self
    }

    /// How many bytes of events may. Default: 1 MiB.
    pub fn receive_bytes(mut self, bytes: usize) -> Self {
        self.receive_bytes = bytes;
        self
    }

    /// How many connections there may be, and how many sessions, which need no connection while their clients poll.
    /// Further connections are closed at once, further sessions refused with status 503. Default: 16,384.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// How many of both there may be from one address. Behind a proxy, or a router, many clients have the same.
    /// Default: as many as in all.
    pub fn max_connections_per_address(mut self, count: usize) -> Self {
        self.max_connections_per_address = count;
        self
    }

    /// Which web pages of other origins may use the server. Default: none.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    /// The names by which the server is known: requests for another host are refused, so that no page can lead a
    /// browser here by a name of its own (DNS rebinding). Addresses and `localhost` need not be named. Default:
    /// any name.
    pub fn hosts(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.hosts = names.into_iter().map(Into::into).collect();
        self
    }

    /// A cookie with the id of the session, for balancers that send each client to the same server. Default: none.
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// A function that decides, by the first request of a client, whether it is served; else it gets status 403. It
    /// runs on the pool, and may block. Default: all are.
    pub fn allow_request(
        mut self,
        function: impl Fn(&SocketHandshake) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.allow_request = Some(Arc::new(function));
        self
    }

    /// A function that answers requests for other paths: a page, a REST call. It runs on the pool, and may block; a
    /// panic is status 500. A slow request or answer is cut after 20 s or 30 s. Default: status 404.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::server::{HttpReply, Server};
    ///
    /// let server = Server::builder()
    ///     .fallback(|request| match (request.method(), request.path()) {
    ///         ("GET", "/") => HttpReply::ok("text/html; charset=utf-8", "<h1>Hello</h1>"),
    ///         _ => HttpReply::new(404),
    ///     })
    ///     .bind("127.0.0.1:3000")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallback(
        mut self,
        function: impl Fn(&HttpRequest) -> HttpReply + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Some(Arc::new(function));
        self
    }

    /// Encrypts what comes by TCP. Default: not.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Listens at a Unix socket too. A file that a former server has left there is replaced; in the end it is
    /// removed.
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_sockets.push(path.into());
        self
    }

    /// Takes over a socket that listens already, from a service manager for example.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when the system refuses a second descriptor for it.
    pub fn listener(mut self, listener: &TcpListener) -> Result<Self> {
        self.listeners.push(Arc::new(clone_of(listener)?));
        Ok(self)
    }

    /// How many namespaces a client may join. Default: 64.
    pub fn max_namespaces(mut self, count: usize) -> Self {
        self.max_namespaces = count;
        self
    }

    /// Clients that lose their connection come back to their socket, with its id, its rooms and its data, and get what
    /// they have missed. Each event has one argument more then, a string, by which clients tell what they have got.
    /// Default: each connection is a new socket.
    pub fn connection_state_recovery(mut self, recovery: ConnectionStateRecovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Whether a client that has no room for a broadcast is disconnected, so that it misses nothing without knowing.
    /// Else the broadcast passes it by. Either way
    /// [`BroadcastReport::behind`](crate::server::BroadcastReport::behind) has its id. Default: yes.
    pub fn cut_slow_clients(mut self, cut: bool) -> Self {
        self.cut_slow_clients = cut;
        self
    }

    /// How many handlers run at the same time. Default: two for each processor, from 4 to 32.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// How many threads for handlers there may be, with those whose handlers wait for acknowledgements, in whose place
    /// others run. Default: 64.
    pub fn max_workers(mut self, count: usize) -> Self {
        self.max_workers = count;
        self
    }

    /// The size of the stacks of those threads, in bytes. Default: 512 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Starts a server that listens at these addresses, and at those that were named before. With port 0 the system
    /// chooses one, which [`Server::local_addrs`] tells.
    ///
    /// It serves at once: a client that comes in before a handler is added is not told of by it. Where that
    /// matters, as with clients that come back after a restart, [`bind_with`](Self::bind_with) adds the handlers first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for an option out of its range; [`ErrorKind::Resource`] when an address cannot be
    /// listened at, or the system has no thread or descriptor left.
    pub fn bind(self, addresses: impl ToSocketAddrs) -> Result<Server> {
        self.bind_with(addresses, |_| ())
    }

    /// The same, but that it serves only when `prepare`, which adds the handlers, has returned. Clients who come in
    /// before wait in the system's queue.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        self,
        addresses: impl ToSocketAddrs,
        prepare: impl FnOnce(&Server),
    ) -> Result<Server> {
        let addresses = addresses.to_socket_addrs().map_err(|error| {
            Error::new(ErrorKind::InvalidOption, "no addresses to listen at").with_source(error)
        })?;
        self.check()?;
        let listeners = self.listeners_at(&addresses.collect::<Vec<_>>())?;
        let addresses = listeners.iter().filter_map(ServerListener::local_addr).collect();
        let door = self.door()?;
        let hub = Hub::start(self.options(), door)?;
        let server = Server::new(Arc::clone(&hub), addresses);
        prepare(&server);
        hub.listen(listeners);
        Ok(server)
    }

    fn listeners_at(&self, addresses: &[SocketAddr]) -> Result<Vec<ServerListener>> {
        let mut listeners = ServerListener::bind(addresses)?;
        for listener in &self.listeners {
            listeners.push(ServerListener::given(clone_of(listener)?)?);
        }
        for path in &self.unix_sockets {
            listeners.push(ServerListener::bind_unix(path)?);
        }
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            let encryption = ServerEncryption::new(tls.clone())?;
            let encrypted = listeners.into_iter().map(|listener| listener.with_tls(&encryption));
            return Ok(encrypted.collect());
        }
        Ok(listeners)
    }

    fn door(&self) -> Result<Door> {
        if let Some(cookie) = &self.cookie {
            set_cookie(cookie, "sid")?;
        }
        Ok(Door {
            cors: CorsPolicy::new(&self.cors)?,
            hosts: KnownHosts::new(self.hosts.clone()),
            cookie: self.cookie.clone(),
            allow_request: self.allow_request.clone(),
            fallback: self.fallback.clone(),
        })
    }

    fn options(self) -> HubOptions {
        let polling = self.transports.contains(&Transport::Polling);
        let websocket = self.transports.contains(&Transport::WebSocket);
        HubOptions {
            session: Arc::new(SessionOptions {
                ping_interval: self.ping_interval,
                ping_timeout: self.ping_timeout,
                upgrade_timeout: self.upgrade_timeout,
                max_payload: self.max_http_buffer_size,
                allow_upgrades: self.allow_upgrades && polling && websocket,
                send_bytes: self.send_bytes,
                send_packets: self.send_packets,
            }),
            path: self.path.into(),
            parser: self.parser,
            max_attachments: 10,
            polling,
            websocket,
            allow_eio3: self.allow_eio3,
            connect_timeout: self.connect_timeout,
            max_namespaces: self.max_namespaces,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            inbox: InboxBounds { events: self.receive_events, bytes: self.receive_bytes },
            receive_reserve: 4 * self.max_http_buffer_size,
            acks: 65_536,
            ack_timeout: self.ack_timeout,
            pool: PoolSize {
                workers: self.workers,
                most: self.max_workers.max(self.workers),
                stack_size: self.stack_size,
            },
            recovery: self.recovery.map(|recovery| RecoveryOptions {
                limits: RecoveryLimits {
                    max_disconnection: recovery.max_disconnection_duration,
                    unnoticed: self.ping_interval + self.ping_timeout,
                    bytes: recovery.max_bytes,
                    sockets: recovery.max_sockets,
                },
                skip_middlewares: recovery.skip_middlewares,
            }),
            cut_slow_clients: self.cut_slow_clients,
        }
    }

    /// Refuses what cannot work.
    fn check(&self) -> Result<()> {
        let day = Duration::from_secs(24 * 3600);
        let times = [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("connect_timeout", self.connect_timeout),
        ];
        for (name, time) in times {
            if time < Duration::from_millis(1) || time > day {
                return Err(out_of_range(name, "from a millisecond to a day"));
            }
        }
        let counts = [
            ("max_http_buffer_size", self.max_http_buffer_size),
            ("send_bytes", self.send_bytes),
            ("send_packets", self.send_packets),
            ("receive_events", self.receive_events),
            ("receive_bytes", self.receive_bytes),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_namespaces", self.max_namespaces),
            ("workers", self.workers),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(out_of_range(name, "at least 1"));
            }
        }
        if self.recovery.is_some_and(|recovery| recovery.max_disconnection_duration > day) {
            return Err(out_of_range("max_disconnection_duration", "at most a day"));
        }
        if self.transports.is_empty() {
            return Err(out_of_range("transports", "at least one"));
        }
        if self.stack_size < 256 * 1024 {
            return Err(out_of_range("stack_size", "at least 256 KiB"));
        }
        Ok(())
    }
}

fn clone_of(listener: &TcpListener) -> Result<TcpListener> {
    listener.try_clone().map_err(|error| {
        Error::new(ErrorKind::Resource, "no descriptor for a listener").with_source(error)
    })
}

fn out_of_range(name: &str, range: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("`{name}` has to be {range}"))
}
