//! Options for a socket and its connection.

mod build;
#[cfg(feature = "serde")]
mod config;
mod reaching;
mod reconnecting;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::client::socket_options::SocketOptions;
use crate::client::update::Update;
use crate::driver::client::{Changes, PrepareFunction};
use crate::error::Result;
use crate::net::NetOptions;
use crate::net::{CacheBuster, ExtraHeader};
use crate::options::{
    Limits, ManagerOptions, ParserKind, Proxy, ProxyChoice, Revision, Timeouts, Tls, Transport,
};

/// Builds a [`Socket`](crate::Socket) (or a [`Manager`](crate::Manager)) with options.
///
/// An option that cannot be used is an error of [`build`](Builder::build), never a surprise later. With the
/// feature `serde` a builder is read from a configuration: [`field`](crate::field#options-from-a-file) has a whole
/// file, and `Deserialize`, below, says what each key takes.
///
/// ```no_run
/// use std::time::Duration;
/// use siot::{Builder, Transport};
///
/// # fn main() -> siot::Result<()> {
/// let socket = Builder::new("https://example.com/orders")
///     .transports([Transport::WebSocket])
///     .query("device", "gateway-7")
///     .reconnection_delay_max(Duration::from_secs(60))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    url: String,
    /// URLs of further servers of the same service.
    backups: Vec<String>,
    before_attempt: Option<PrepareFunction>,
    path: String,
    trailing_slash: bool,
    /// What an [`Update`] can still change later.
    changes: Update,
    cache_buster: CacheBuster,
    options: ManagerOptions,
    net: NetOptions,
    socket: SocketOptions,
    share: bool,
}

impl Builder {
    /// Options for a connection to this URL, whose path is the namespace; see [`io`](crate::io()).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            backups: Vec::new(),
            before_attempt: None,
            path: "/socket.io".into(),
            trailing_slash: true,
            changes: Update::new(),
            cache_buster: CacheBuster { parameter: "t".into(), requests: None },
            options: ManagerOptions::default(),
            net: NetOptions::default(),
            socket: SocketOptions::new(),
            share: true,
        }
    }

    /// The transports that may be used. The first one opens the connection.
    ///
    /// Default: long-polling, then WebSocket as an upgrade.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.changes = self.changes.transports(transports);
        self
    }

    /// Whether to move a session from long-polling to WebSocket. Default: `true`.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.changes = self.changes.upgrade(upgrade);
        self
    }

    /// Whether to try the next transport when the session cannot be opened by the first one. One
    /// that failed is no goal of an upgrade either. Default: `false`.
    #[doc(alias = "tryAllTransports")]
    pub fn try_all_transports(mut self, try_all: bool) -> Self {
        self.options.try_all_transports = try_all;
        self
    }

    /// Whether to start with WebSocket when the session before came to use it, however that has
    /// ended; until an attempt to connect fails. Default: `false`.
    #[doc(alias = "rememberUpgrade")]
    pub fn remember_upgrade(mut self, remember: bool) -> Self {
        self.options.remember_upgrade = remember;
        self
    }

    /// Whether to send binary as base64 text by WebSocket, and to ask the server to do so. By
    /// long-polling it is always text, but for old servers (1.x and 2.x) which send and get it as
    /// it is. Default: `false`.
    #[doc(alias = "forceBase64")]
    pub fn force_base64(mut self, force: bool) -> Self {
        self.options.force_base64 = force;
        self
    }

    /// The most Engine.IO packets in one request of long-polling: an event is one packet, and each of
    /// its attachments one more. What exceeds them goes into the next request, after the answer to the
    /// first. Default: 16, because servers in Python (`python-socketio`) drop the connection of a client that
    /// sends more. JavaScript servers take any number: where the server is one, a higher value makes
    /// bursts by long-polling faster. WebSocket is not concerned.
    ///
    /// 0 is an error of kind [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub fn max_packets_per_post(mut self, count: usize) -> Self {
        self.options.max_packets_per_post = count;
        self
    }

    /// How many packets the flight recorder keeps, beside the last 64 changes of state, which it always keeps:
    /// [`Manager::flight_record`](crate::Manager::flight_record) gives them, and errors of the protocol have
    /// them ([`Error::flight_record`](crate::Error::flight_record)). Of each, the type, the namespace, the name
    /// of the event and the size are kept, some 100 bytes; no credentials, and nothing of what events carry.
    ///
    /// Default: 0, since each packet costs some 0.5 µs of CPU time. More than 65,536 are an error of
    /// kind [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("http://localhost:3000").flight_recorder(100).build()?;
    /// // Later, when something looks odd:
    /// eprintln!("{}", socket.manager().flight_record());
    /// # Ok(())
    /// # }
    /// ```
    pub fn flight_recorder(mut self, packets: usize) -> Self {
        self.options.recorded_packets = packets;
        self
    }

    /// Which revision of the protocols to speak. Default: [`Revision::Auto`], whatever the server
    /// speaks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::{Builder, Revision};
    ///
    /// // A server 2.x, for sure.
    /// let socket = Builder::new("http://localhost:3000").revision(Revision::V3).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn revision(mut self, revision: Revision) -> Self {
        self.options.revision = revision;
        self
    }

    /// How packets are written, which has to be what the server is configured for. Default:
    /// [`ParserKind::Json`].
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::{Builder, ParserKind};
    ///
    /// let socket =
    ///     Builder::new("http://localhost:3000").parser(ParserKind::MessagePack).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn parser(mut self, parser: ParserKind) -> Self {
        self.options.parser = parser;
        self
    }

    /// The path of the requests on the server; not the namespace. Default: `/socket.io/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether the path of the requests ends with a slash. Default: `true`, which JavaScript
    /// servers insist on.
    #[doc(alias = "addTrailingSlash")]
    pub fn add_trailing_slash(mut self, add: bool) -> Self {
        self.trailing_slash = add;
        self
    }

    /// Adds a parameter to the query of every request. One of the URL with the same name gives
    /// way. `EIO`, `transport` and `sid` belong to the protocol.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changes = self.changes.query(name, value);
        self
    }

    /// Adds a header to every request, long-polling and WebSocket alike.
    #[doc(alias = "extraHeaders")]
    pub fn extra_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changes = self.changes.extra_header(name, value);
        self
    }

    /// Adds a header to the requests of one transport.
    #[doc(alias = "transportOptions")]
    pub fn transport_header(
        mut self,
        transport: Transport,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        let only = Some(transport);
        self.changes.headers.push(ExtraHeader { name: name.into(), value: value.into(), only });
        self
    }

    /// Whether requests carry a parameter that no cache has seen. Default: those of long-polling
    /// do.
    #[doc(alias = "timestampRequests")]
    pub fn timestamp_requests(mut self, timestamps: bool) -> Self {
        self.cache_buster.requests = Some(timestamps);
        self
    }

    /// The name of that parameter. Default: `t`.
    #[doc(alias = "timestampParam")]
    pub fn timestamp_param(mut self, name: impl Into<String>) -> Self {
        self.cache_buster.parameter = name.into();
        self
    }

    /// Asks the server for one of these WebSocket subprotocols. Default: none.
    #[doc(alias = "protocols")]
    pub fn subprotocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.net.subprotocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// What is sent when the namespace is joined: an object. Default: nothing.
    ///
    /// Servers 1.x and 2.x get it as the query of the namespace, and for `/` not at all: those look
    /// into the query of the connection ([`Builder::query`]).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("https://example.com")
    ///     .auth(serde_json::json!({ "token": "123" }))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn auth<T: Serialize>(mut self, auth: T) -> Self {
        self.socket = self.socket.auth(auth);
        self
    }

    /// Asks a function for what is sent when the namespace is joined, at each connection, so that
    /// a token can be fresh. It runs on a thread of its own and may block. When it fails, the
    /// attempt to connect has failed, and the next one asks again.
    ///
    /// An error of the program's own becomes one of siot by `?`, where it is an [`std::io::Error`] or
    /// boxed, and by [`Error::other`](crate::Error::other) otherwise. It is then the
    /// [`source`](std::error::Error::source) of the error that is told.
    ///
    /// ```no_run
    /// # fn fetch_token() -> siot::Result<String> { Ok(String::new()) }
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("https://example.com")
    ///     .auth_with(|| Ok(serde_json::json!({ "token": fetch_token()? })))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn auth_with<T: Serialize>(
        mut self,
        auth: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.socket = self.socket.auth_with(auth);
        self
    }

    /// Sends each event that is not volatile again, up to this often, until the server acknowledges
    /// it: at least once, in order, one event under way at a time.
    ///
    /// A try ends by the acknowledgement or by [`ack_timeout`](Builder::ack_timeout), which should
    /// therefore be set; a try that a lost connection interrupts does not count here, but in
    /// [`interrupted_tries`](Builder::interrupted_tries). The server has to acknowledge, and to
    /// recognise what it sees twice; [`Socket::reliable`](crate::Socket::reliable) helps it with that,
    /// and does not wait for one acknowledgement before the next event. `None` is off. Default: off.
    pub fn retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.socket = self.socket.retries(retries);
        self
    }

    /// How often the connection may end while the same event is sent, to be acknowledged
    /// ([`retries`](Builder::retries), [`Socket::reliable`](crate::Socket::reliable)). Then the event
    /// is given up, with [`ErrorKind::Undeliverable`](crate::ErrorKind::Undeliverable), and the next
    /// ones are sent: it may be too large for a server that does not announce its limit, or make the
    /// server fail. Default: 10. 0 is refused when the connection is built.
    ///
    /// Only the first event under way is charged, and after that it is sent alone until it is
    /// acknowledged, so that the others do not suffer for what it does. Ends that this program asks
    /// for do not count.
    pub fn interrupted_tries(mut self, count: u32) -> Self {
        self.socket = self.socket.interrupted_tries(count);
        self
    }

    /// How many [reliable](crate::Socket::reliable) events may be under way at a time, from 1 to
    /// 1,024; another number is refused when the connection is built. Default: 8.
    ///
    /// The server has to remember as many keys. By a link with a round trip of 100 ms, 8 are at most
    /// 80 events per second.
    pub fn reliable_window(mut self, events: usize) -> Self {
        self.socket = self.socket.reliable_window(events);
        self
    }

    /// How long to wait for acknowledgements; `None` is as long as the connection lasts. Default:
    /// `None`.
    ///
    /// For a [reliable](crate::Socket::reliable) event it is how long one try waits before the event
    /// is sent again; default: 10 s.
    #[doc(alias = "ackTimeout")]
    pub fn ack_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.socket = self.socket.ack_timeout(limit);
        self
    }

    /// Whether to connect at once rather than at [`Socket::connect`](crate::Socket::connect).
    /// Default: `true`.
    #[doc(alias = "autoConnect")]
    pub fn auto_connect(mut self, auto_connect: bool) -> Self {
        self.socket.auto_connect = auto_connect;
        self
    }

    /// Whether to make a connection of its own instead of sharing one with other namespaces of the
    /// server. Default: `false`.
    ///
    /// A connection is shared only where all options that concern it are the same, as they are at that
    /// moment: the server, path and query, headers, transports and how they are used, the protocol,
    /// TLS, proxy (also what the environment says of it), cookies, the options of sockets and
    /// interfaces, time limits, reconnection, and [`limits`](Builder::limits). Otherwise the socket gets
    /// a connection of its own, so that nobody relies on options that are not in force. Files of
    /// certificates are the same where their paths are. What belongs to the socket may differ:
    /// [`auth`](Builder::auth), [`auth_with`](Builder::auth_with), [`retries`](Builder::retries),
    /// [`interrupted_tries`](Builder::interrupted_tries),
    /// [`reliable_window`](Builder::reliable_window), [`ack_timeout`](Builder::ack_timeout),
    /// [`auto_connect`](Builder::auto_connect).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::Builder;
    ///
    /// let lax = siot::Tls::new().reject_unauthorized(false);
    /// let orders = Builder::new("https://example.com/orders").build()?;
    /// let stock = Builder::new("https://example.com/stock").build()?; // by the same connection
    /// let test = Builder::new("https://example.com/test").tls(lax).build()?; // by another one
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "forceNew")]
    #[doc(alias = "force new connection")]
    #[doc(alias = "multiplex")]
    pub fn force_new(mut self, force_new: bool) -> Self {
        self.share = !force_new;
        self
    }

    /// The limit of an attempt to connect, from the look-up of the name to the Engine.IO
    /// handshake; `None` is no limit. Default: 20 s.
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.changes = self.changes.connect_timeout(limit);
        self
    }

    /// The limit for the server's answer to the CONNECT of a namespace; `None` is no limit.
    /// Default: 20 s.
    pub fn namespace_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.namespace_timeout = limit.into();
        self
    }

    /// The bounds of all buffers. Default: [`Limits::new`].
    ///
    /// They belong to the connection, which is shared only by sockets that have the same. A value
    /// below the least that [`Limits`] names is an error of [`build`](Builder::build), of kind
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Certificates and their verification.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.net.tls = tls;
        self
    }

    /// Goes through this proxy, whatever the environment says.
    ///
    /// Default: what the environment variables `http_proxy`, `https_proxy` and `all_proxy` say
    /// (also in upper case) for a server that is not listed in `no_proxy`. They are read when the
    /// connection is built. This machine itself is then never asked for through a proxy.
    #[doc(alias = "agent")]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.net.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.net.proxy = ProxyChoice::None;
        self
    }

    /// The address on this side that connections come from; `None` is the system's choice. Default:
    /// `None`.
    #[doc(alias = "localAddress")]
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.net.tcp.local_address = address.into();
        self
    }

    /// The network interface that connections go through, such as `wwan0`. Default: the system's
    /// choice. Names are looked up as the system does it.
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.net.tcp.interface = Some(name.into());
        self
    }

    /// After how long without traffic the system probes whether the peer is still there; `None`
    /// is never. In whole seconds. Default: 60 s. The protocol's own heartbeat is quicker, but
    /// does not see what comes before the handshake.
    pub fn keepalive(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.net.tcp.keepalive = idle.into();
        self
    }

    /// How long sent data may stay unconfirmed before the system gives the connection up
    /// (`TCP_USER_TIMEOUT`); `None` is the system's limit, which is many minutes: the heartbeat notices a
    /// dead peer before that. Default: `None`.
    pub fn tcp_user_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.net.tcp.user_timeout = limit.into();
        self
    }

    /// Limits of the single steps of an attempt to connect, below
    /// [`connect_timeout`](Builder::connect_timeout), which stays the limit of the whole. Default: none.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.net.timeouts = timeouts;
        self
    }

    /// Whether to keep the server's cookies and to send them back, over reconnections and on both
    /// transports, as load balancers need that know their clients by a cookie. Default: `false`.
    ///
    /// A cookie in a header of your own stays, unless the server sets one of the same name. All
    /// that are kept have 16 KiB together at most; the oldest gives way. Where the server refuses a
    /// request with them as too long, they are dropped, and the next attempt goes without.
    #[doc(alias = "withCredentials")]
    pub fn with_credentials(mut self, with_credentials: bool) -> Self {
        self.net.with_credentials = with_credentials;
        self
    }

    /// The options as the changes leave them.
    pub(crate) fn manager_options(&self) -> ManagerOptions {
        let mut options = ManagerOptions { backups: self.backups.len(), ..self.options.clone() };
        self.changes.change_options(&mut options);
        options
    }
}

impl fmt::Debug for Builder {
    /// Says nothing of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("path", &self.path)
            .field("options", &self.manager_options())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
