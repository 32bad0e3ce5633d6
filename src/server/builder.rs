//! The options of a server.

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::binding::clone_of;
use super::cluster::Adapter;
use super::recovery::ConnectionStateRecovery;
use crate::driver::server::door::{AllowRequest, GenerateId};
use crate::driver::server::fallback::{Fallback, HttpReply, HttpRequest};
use crate::driver::server::handshake::SocketHandshake;
use crate::error::Result;
#[cfg(feature = "rustls")]
use crate::options::ServerTls;
use crate::options::{Cors, ParserKind, SessionCookie, Transport};
use crate::proto::dialect::Dialect;
#[cfg(feature = "testing")]
use crate::proto::dialect::choice::of_old_servers;

/// The options of a [`Server`](crate::server::Server).
#[derive(Clone)]
#[must_use = "a server is made by `bind`"]
pub struct ServerBuilder {
    pub(super) path: String,
    pub(super) ping_interval: Duration,
    pub(super) ping_timeout: Duration,
    pub(super) upgrade_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) ack_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pub(super) max_http_buffer_size: usize,
    pub(super) max_attachments: usize,
    pub(super) transports: Vec<Transport>,
    pub(super) allow_upgrades: bool,
    pub(super) allow_eio3: bool,
    pub(super) only_dialect: Option<&'static dyn Dialect>,
    pub(super) allow_jsonp: bool,
    #[cfg(feature = "http-compression")]
    pub(super) http_compression: Option<usize>,
    pub(super) parser: ParserKind,
    pub(super) send_bytes: usize,
    pub(super) send_packets: usize,
    pub(super) receive_events: usize,
    pub(super) receive_bytes: usize,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_address: usize,
    pub(super) max_namespaces: usize,
    pub(super) recovery: Option<ConnectionStateRecovery>,
    pub(super) cut_slow_clients: bool,
    pub(super) workers: usize,
    pub(super) max_workers: usize,
    pub(super) stack_size: usize,
    pub(super) cors: Cors,
    pub(super) hosts: Vec<String>,
    pub(super) cookie: Option<SessionCookie>,
    pub(super) allow_request: Option<Arc<AllowRequest>>,
    pub(super) generate_id: Option<Arc<GenerateId>>,
    pub(super) client_files: Option<PathBuf>,
    pub(super) fallback: Option<Arc<Fallback>>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<ServerTls>,
    pub(super) unix_sockets: Vec<PathBuf>,
    pub(super) listeners: Vec<Arc<TcpListener>>,
    pub(super) adapter: Option<Adapter>,
    pub(super) cluster_timeout: Duration,
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
            stall_timeout: Duration::from_secs(300),
            max_http_buffer_size: 1_000_000,
            max_attachments: 10,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            only_dialect: None,
            allow_jsonp: false,
            #[cfg(feature = "http-compression")]
            http_compression: Some(1024),
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
            generate_id: None,
            client_files: None,
            fallback: None,
            #[cfg(feature = "rustls")]
            tls: None,
            unix_sockets: Vec::new(),
            listeners: Vec::new(),
            adapter: None,
            cluster_timeout: Duration::from_secs(5),
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

    /// How long a client may be held up by its handlers, or by a program that does not
    /// [take](crate::server::ServerNamespace::subscribe_all) what came: nothing is read from it while too much waits for them
    /// ([`receive_events`](Self::receive_events)). Where they have done nothing at all in this time, the client is disconnected, and a line
    /// of the log says so. Default: 5 minutes.
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }

    /// The largest message that is taken, in bytes; clients are told (`maxPayload`). A larger one ends its
    /// connection. Default: 1,000,000.
    pub fn max_http_buffer_size(mut self, bytes: usize) -> Self {
        self.max_http_buffer_size = bytes;
        self
    }

    /// The most attachments (binary values) of one packet, in both directions. A client that sends more is disconnected, and told why by the
    /// close frame of its WebSocket or the status 400 of its requests; emitting more is [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge). Clients have limits of their own:
    /// those in JavaScript take ten, siot's what [`Limits::max_attachments`](crate::Limits::max_attachments) says. `MessagePack` has
    /// none. Default: 10.
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.max_attachments = count;
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

    /// Whether what comes by TCP is encrypted.
    #[cfg(all(feature = "rustls", feature = "testing"))]
    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes it as servers 1.x and 2.x are, which speak their revision whatever they are asked for.
    #[cfg(feature = "testing")]
    pub(crate) fn old(mut self) -> Self {
        self.allow_eio3 = true;
        self.only_dialect = Some(of_old_servers());
        self
    }

    /// Whether clients of versions 1 and 2 may poll by scripts (JSONP), where [`allow_eio3`](Self::allow_eio3) lets them in. It is for
    /// browsers that know no CORS, and lets pages of any origin in, whatever [`cors`](Self::cors) says, since a script
    /// tells of none. Default: no; with `j` in its query a request gets status 400.
    pub fn allow_jsonp(mut self, allow: bool) -> Self {
        self.allow_jsonp = allow;
        self
    }

    /// From how many bytes on the answer to a client that polls, and a file of [`serve_client`](Self::serve_client), is compressed,
    /// where the client takes that (`Accept-Encoding`, gzip or deflate); `None`: never. It is done by the thread that serves all
    /// clients or emits, at the fastest level. Default: 1,024.
    #[cfg(feature = "http-compression")]
    pub fn http_compression(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.http_compression = bytes.into();
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
    /// Further connections are closed at once, further sessions refused with status 503 and `Retry-After`; a line of the log says so once in a
    /// minute. A client by polling that has gone without a word counts until its heartbeat is missed
    /// ([`ping_interval`](Self::ping_interval) and [`ping_timeout`](Self::ping_timeout)), and one of whose end handlers have yet to hear until they have. Default: 16,384.
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

    /// A function that makes the ids of sessions, by the first request of each. For clients of versions 1 and 2 it is the id of
    /// their socket of `/` too. It runs on the pool, and may block. Default: 15 random bytes of the system's, in base64.
    ///
    /// Who knows the id of a session can act in its client's name: nobody may be able to guess one. An id has from 1 to 64
    /// characters, letters, digits, `-` and `_`, and is one that no present session has; with another, or when the
    /// function panics, the client gets status 400, and a line of the log says so.
    pub fn generate_id(
        mut self,
        function: impl Fn(&SocketHandshake) -> String + Send + Sync + 'static,
    ) -> Self {
        self.generate_id = Some(Arc::new(function));
        self
    }

    /// Serves the files of the JavaScript client from this folder, below the path of Socket.IO: `/socket.io/socket.io.js` and
    /// what the reference has besides (minified, as a module, with `MessagePack`, and their maps), which is in
    /// `node_modules/socket.io-client/dist`. No other name leads to a file. They are read by the pool when
    /// they are asked for, and not again by a browser that has them (`ETag`). Default: none.
    pub fn serve_client(mut self, folder: impl Into<PathBuf>) -> Self {
        self.client_files = Some(folder.into());
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
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) when the system refuses a second descriptor for it.
    pub fn listener(mut self, listener: &TcpListener) -> Result<Self> {
        self.listeners.push(Arc::new(clone_of(listener)?));
        Ok(self)
    }

    /// By what the server is one of a cluster: what is emitted reaches the clients of all its servers. Default: it is
    /// alone.
    pub fn adapter(mut self, adapter: impl Into<Adapter>) -> Self {
        self.adapter = Some(adapter.into());
        self
    }

    /// How long other servers of the cluster may take to answer. Default: 5 s.
    pub fn cluster_timeout(mut self, limit: Duration) -> Self {
        self.cluster_timeout = limit;
        self
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

    /// How many handlers run at the same time. Where they all take their time, functions that decide who comes in
    /// ([`allow_request`](Self::allow_request), [`authorize`](crate::server::ServerNamespace::authorize) and the like) have one thread more.
    /// Default: two for each processor, from 4 to 32.
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
}
