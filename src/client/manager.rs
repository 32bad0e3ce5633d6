//! The handle of one connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crossbeam_channel::unbounded;

use crate::client::socket::{self, Socket};
use crate::client::socket_options::SocketOptions;
use crate::client::subscription::Subscription;
use crate::client::update::Update;
use crate::core::engine::SessionState;
use crate::core::ids::NamespaceId;
use crate::driver::client::Driver;
use crate::driver::listeners::{ListenerId, NewsSink};
use crate::error::{Error, ErrorKind, Result};
use crate::event::engine::{EngineEvent, EngineInfo, EngineState};
use crate::event::status::ManagerEvent;
use crate::options::{ManagerOptions, Transport};
use crate::sync::lock::{Locked, lock};

/// One connection to one server, shared by the [`Socket`]s of its namespaces.
///
/// Cheap to clone. With the last handle (of the manager, its sockets and their subscriptions) the
/// connection is closed, in the background.
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    driver: Arc<Driver>,
    /// Of sockets that say nothing else.
    ack_timeout: Option<Duration>,
    retries: Option<u32>,
    /// By the name of the namespace.
    sockets: Mutex<HashMap<Arc<str>, Weak<socket::Inner>>>,
}

/// What was dropped since a connection was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Received packets without an addressee: for namespaces that are not joined, or
    /// acknowledgements that nobody waits for (any more).
    pub ignored: usize,
    /// Outgoing events that were dropped: volatile ones, and those that a full buffer or the
    /// server's limit kept back.
    pub send_dropped: usize,
    /// Received events that a full receive buffer dropped.
    pub receive_dropped: usize,
}

impl Manager {
    pub(crate) fn new(
        driver: Arc<Driver>,
        ack_timeout: Option<Duration>,
        retries: Option<u32>,
    ) -> Self {
        let inner = Inner { driver, ack_timeout, retries, sockets: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.inner.driver
    }

    /// The socket of a namespace, which starts to connect. A second call gives the same socket.
    ///
    /// Where the connection was built with [`ack_timeout`](crate::Builder::ack_timeout) and
    /// [`retries`](crate::Builder::retries), they hold for this socket too; `auth` does not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for a name that no server can have: one with a comma.
    pub fn socket(&self, namespace: &str) -> Result<Socket> {
        let mut options = SocketOptions::new();
        options.ack_timeout = self.inner.ack_timeout;
        options.retries = self.inner.retries;
        self.socket_with(namespace, options)
    }

    /// The socket of a namespace, with options of its own. Where there is one already, that is
    /// given, and the options have no effect but that of
    /// [`auto_connect`](SocketOptions::auto_connect).
    ///
    /// # Errors
    ///
    /// As [`Manager::socket`], and [`ErrorKind::Payload`] for the auth value.
    pub fn socket_with(&self, namespace: &str, options: SocketOptions) -> Result<Socket> {
        options.check()?;
        let auto_connect = options.auto_connect;
        let socket = self.find_or_make(namespace, options)?;
        if auto_connect {
            socket.connect();
        }
        Ok(socket)
    }

    fn find_or_make(&self, namespace: &str, options: SocketOptions) -> Result<Socket> {
        let name: Arc<str> = normal_name(namespace)?.into();
        // Dropped after the lock is released, since that may run a user's code.
        let _replaced;
        let mut sockets = self.sockets();
        if let Some(inner) = sockets.get(&name).and_then(Weak::upgrade) {
            return Ok(Socket::from_inner(inner));
        }
        let id = self.driver().register_namespace(&name);
        _replaced = options.auth.and_then(|auth| self.driver().set_auth(id, auth));
        self.driver().run(|core, _| core.set_retries(id, options.retries));
        let socket = Socket::new(self.clone(), id, Arc::clone(&name), options.ack_timeout);
        sockets.insert(name, Arc::downgrade(socket.inner()));
        Ok(socket)
    }

    /// Whether there is a socket of the namespace of this name, which has its leading slash.
    pub(crate) fn has_socket(&self, name: &str) -> bool {
        // Not by an upgrade: dropping the last handle needs the lock that is held here.
        self.sockets().get(name).is_some_and(|socket| socket.strong_count() > 0)
    }

    /// The last handle of a socket is gone.
    pub(crate) fn forget(&self, id: NamespaceId, name: &str) {
        // Dropped after the lock is released, since that may run a user's code.
        let _of_user;
        let mut sockets = self.sockets();
        if sockets.get(name).is_some_and(|socket| socket.strong_count() > 0) {
            // There is a new one meanwhile.
            return;
        }
        sockets.remove(name);
        _of_user = self.driver().forget(id);
    }

    /// Opens the connection, without joining a namespace. It never blocks.
    #[doc(alias = "connect")]
    pub fn open(&self) {
        self.driver().run(crate::core::client::Client::open);
    }

    /// Closes the connection for good: flushes what is queued, leaves all namespaces, ends all
    /// subscriptions, and waits for the threads.
    ///
    /// # Blocking
    ///
    /// For at most `limit`; what is not done by then is cut short.
    pub fn close(&self, limit: Duration) {
        self.driver().shut_down();
        self.driver().wait_closed(limit);
    }

    /// Changes options, from the next attempt to connect on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for a value that cannot be used; nothing is then changed.
    pub fn update(&self, update: Update) -> Result<()> {
        update.apply(self.driver())
    }

    /// Whether it connects again after a failed attempt or a lost connection.
    pub fn reconnection(&self) -> bool {
        self.option(|options| options.reconnection)
    }

    /// How many attempts to reconnect in a row may fail; `None` is any number.
    #[doc(alias = "reconnectionAttempts")]
    pub fn reconnection_attempts(&self) -> Option<u32> {
        self.option(|options| options.reconnection_attempts)
    }

    /// The first delay before an attempt to reconnect.
    #[doc(alias = "reconnectionDelay")]
    pub fn reconnection_delay(&self) -> Duration {
        self.option(|options| options.reconnection_delay)
    }

    /// The longest delay before an attempt to reconnect.
    #[doc(alias = "reconnectionDelayMax")]
    pub fn reconnection_delay_max(&self) -> Duration {
        self.option(|options| options.reconnection_delay_max)
    }

    /// By which part of itself a delay varies at random.
    #[doc(alias = "randomizationFactor")]
    pub fn randomization_factor(&self) -> f64 {
        self.option(|options| options.randomization_factor)
    }

    /// The limit of an attempt to connect; `None` is no limit.
    pub fn timeout(&self) -> Option<Duration> {
        self.option(|options| options.timeout)
    }

    fn option<T>(&self, look: impl FnOnce(&ManagerOptions) -> T) -> T {
        self.driver().look(|core| look(core.options()))
    }

    /// Closes the connection, with the reason `forced close`, and opens it no more by itself:
    /// [`open`](Manager::open) or [`Socket::connect`] do. The sockets stay.
    pub fn disconnect(&self) {
        self.driver().run(crate::core::client::Client::close);
    }

    /// Closes the connection as if it had been lost, with the reason `forced close`: it is opened
    /// again, unless reconnection is off. For those who know that the network has changed.
    #[doc(alias = "engine.close")]
    pub fn close_engine(&self) {
        self.driver().run(crate::core::client::Client::close_engine);
    }

    /// Waits until the connection is open.
    ///
    /// With [`reconnection`](crate::Builder::reconnection) off, a program may make its own attempts:
    /// [`open`](Manager::open), then this.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`], with the last failure as its source; and at once the failure itself,
    /// when there will be no further attempt.
    pub fn wait_open(&self, limit: Duration) -> Result<()> {
        self.driver().wait_open(limit)
    }

    /// The news of the connection, from now on. It ends when the connection is closed for good. A
    /// reader who falls behind loses the oldest of more than 64.
    pub fn events(&self) -> Subscription<ManagerEvent> {
        let (sender, receiver) = unbounded();
        let sink = NewsSink::Channel(sender, receiver.clone());
        let listener = self.driver().listen_manager(sink);
        Subscription::of_manager(receiver, self.clone(), listener)
    }

    /// Calls a function with the news of the connection, on siot's dispatch thread.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on_event(
        &self,
        callback: impl FnMut(ManagerEvent) + Send + 'static,
    ) -> Result<ListenerId> {
        self.driver().start_dispatch()?;
        Ok(self.driver().listen_manager(NewsSink::Callback(Arc::new(Mutex::new(callback)))))
    }

    /// Removes a callback of [`on_event`](Manager::on_event); `false` when it was removed before.
    pub fn off(&self, listener: ListenerId) -> bool {
        self.driver().unlisten_manager(listener)
    }

    /// What happens in the Engine.IO session, packet by packet, from now on. For those who look for
    /// the cause of something: while nobody looks it costs nothing.
    ///
    /// A reader who falls behind loses the oldest where more wait than the receive buffer
    /// ([`Limits`](crate::Limits)) would hold.
    #[doc(alias = "packet")]
    #[doc(alias = "packetCreate")]
    #[doc(alias = "drain")]
    pub fn engine_events(&self) -> Subscription<EngineEvent> {
        let (sender, receiver) = unbounded();
        let listener = self.driver().observe(sender, receiver.clone());
        Subscription::of_manager(receiver, self.clone(), listener)
    }

    /// The Engine.IO session, which may still be on its way to be open; `None` while there is none.
    pub fn engine(&self) -> Option<EngineInfo> {
        self.driver().look(|core| {
            let engine = core.engine()?;
            let handshake = engine.handshake();
            Some(EngineInfo {
                state: match engine.state() {
                    SessionState::Opening => EngineState::Opening,
                    SessionState::Open => EngineState::Open,
                    SessionState::Closing => EngineState::Closing,
                    SessionState::Closed => EngineState::Closed,
                },
                id: engine.sid().map(str::to_owned),
                transport: engine.transport(),
                protocol: core.dialect().eio().parse().unwrap_or_default(),
                packets_to_write: engine.load().packets,
                bytes_to_write: engine.load().bytes,
                ping_interval: handshake.map(|handshake| handshake.ping_interval),
                ping_timeout: handshake.map(|handshake| handshake.ping_timeout),
                max_payload: handshake.and_then(|handshake| handshake.max_payload),
            })
        })
    }

    /// The transport that is in use, while the connection is open.
    pub fn transport(&self) -> Option<Transport> {
        self.driver().look(|core| {
            core.engine()
                .filter(|engine| engine.sid().is_some())
                .map(crate::core::engine::Engine::transport)
        })
    }

    /// What was dropped so far.
    pub fn counters(&self) -> Counters {
        let (core, receive_dropped) = self.driver().counters();
        Counters { ignored: core.ignored, send_dropped: core.dropped, receive_dropped }
    }

    fn sockets(&self) -> Locked<'_, HashMap<Arc<str>, Weak<socket::Inner>>> {
        lock(&self.inner.sockets)
    }
}

/// With a leading slash.
fn normal_name(namespace: &str) -> Result<String> {
    if namespace.contains(',') || namespace.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::InvalidOption,
            format!("a namespace cannot have the name {namespace:?}"),
        )
        .with_hint("a comma or a control character would break the protocol"));
    }
    if namespace.starts_with('/') { Ok(namespace.to_owned()) } else { Ok(format!("/{namespace}")) }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.driver.shut_down();
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
