//! The handle of one connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client::ownership::SharedConnection;
use crate::client::subscription::Subscription;
use crate::client::update::Update;
use crate::core::engine::SessionState;
use crate::driver::client::Driver;
use crate::driver::dispatch::Function;
use crate::driver::listener_id::ListenerId;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::error::flight_record::FlightRecord;
use crate::event::observed::{EngineEvent, EngineInfo, EngineState};
use crate::event::stats::{Counters, Stats};
use crate::event::status::ManagerEvent;
use crate::event::undelivered::UndeliveredEvent;
use crate::options::check::Check;
use crate::options::{Buffer, ManagerOptions, Transport};
use crate::sync::readiness::ReadyFd;

/// One connection to one server, shared by the [`Socket`](crate::Socket)s of its namespaces.
///
/// Cheap to clone. With the last handle (of the manager, its sockets and their subscriptions) the
/// connection is closed, in the background.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<SharedConnection>,
}

impl Manager {
    pub(super) fn of(shared: Arc<SharedConnection>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<SharedConnection> {
        &self.shared
    }

    pub(super) fn driver(&self) -> &Driver {
        &self.shared.driver
    }

    /// Opens the connection, without joining a namespace. A wait for the next attempt ends. It never
    /// blocks. After [`close`](Manager::close) it does nothing, and a line of level `WARN` says so.
    ///
    /// The first time after a failure the attempt begins at once. A program that calls it whenever an
    /// attempt has failed makes no tight loop: until a session has lasted, the others begin
    /// [`reconnection_delay`](crate::Builder::reconnection_delay) after the failure, but no later than a
    /// second after it.
    #[doc(alias = "connect")]
    pub fn open(&self) {
        self.driver().run(crate::core::client::Client::open);
    }

    /// Waits until all that was emitted is written, and acknowledged where an acknowledgement is
    /// awaited. See [`Socket::flush`](crate::Socket::flush), which does so for one namespace.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Socket::flush`](crate::Socket::flush).
    pub fn flush(&self, limit: Duration) -> Result<()> {
        self.driver().flush(None, limit)
    }

    /// Closes the connection for good, and gives back what could not be delivered.
    ///
    /// First it waits, as [`flush`](Manager::flush) does, as long as something can still be delivered:
    /// events that wait while the connection is open or on its way, acknowledgements, retries. A
    /// quarter of the limit, but no more than a second, is left for the rest: it leaves all namespaces, ends
    /// all subscriptions, removes all callbacks and functions of
    /// [`auth_with`](crate::Builder::auth_with), says goodbye behind all that was written, and waits for
    /// the threads of the transports.
    ///
    /// Each event that was emitted and did not make it is in what is returned, in the order of the
    /// emits within each namespace, those that were sent before the others
    /// ([`UndeliveredEvent::was_sent`]). Acknowledgements that are still awaited fail with
    /// [`ErrorKind::Disconnected`]. An event without an acknowledgement counts as delivered when the server
    /// is known to have read it. Whether one that dies in this moment has acted on it, nobody can tell; one that is
    /// too busy to read within the limit, or cut off, may read it later: then it is handed back all the same, as one
    /// that was sent. Where that matters, ask for an acknowledgement. Those of earlier sessions that were lost are
    /// among what is returned, unless [`Socket::take_unconfirmed`](crate::Socket::take_unconfirmed) has taken them.
    /// Of events that await their acknowledgement as many are kept as
    /// [`Limits::send_bytes`](crate::Limits::send_bytes) permits, for each namespace, of the others as
    /// [`Limits::unconfirmed_bytes`](crate::Limits::unconfirmed_bytes) does.
    ///
    /// The server has read what was emitted before when it is told of the end, as after
    /// [`Socket::disconnect`](crate::Socket::disconnect). Where it does not answer within the limit it is
    /// told nothing: it would drop what it reads together with that. It then sees the connection end
    /// (`transport close`). With a longer limit it is told after 5 s.
    ///
    /// What waits in a [`Subscription`] can still be taken; behind that it ends.
    /// The threads `siot-call` and `siot-timer` are not waited for:
    /// they run on until the handles are gone.
    ///
    /// Nothing opens this connection again. What the handles are asked to send or to wait for is refused
    /// with [`ErrorKind::Disconnected`], and a new subscription has ended already;
    /// [`Socket::connect`](crate::Socket::connect) and [`Manager::open`], which return nothing, do
    /// nothing and log that at `WARN`. [`io`](crate::io()) and [`Builder`](crate::Builder) make a new
    /// connection to the same server. To close one and open it again later, use
    /// [`disconnect`](Manager::disconnect).
    ///
    /// # Blocking
    ///
    /// For at most `limit`. What is not done shortly before that is cut short.
    pub fn close(&self, limit: Duration) -> Vec<UndeliveredEvent> {
        self.driver().close(limit)
    }

    /// Changes options, from the next attempt to connect on. From a callback of
    /// [`on_event`](Manager::on_event) that is called with
    /// [`ManagerEvent::ReconnectAttempt`], it is that very attempt, which waits for such callbacks, but no
    /// longer than a second. Headers and query parameters also reach the further requests of an open session by
    /// long-polling, unless the [`url`](Update::url) changes with them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for a value that cannot be used; nothing is then changed.
    #[allow(clippy::needless_pass_by_value, reason = "it is made for this one call")]
    pub fn update(&self, update: Update) -> Result<()> {
        self.driver().change(&update)
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

    /// The time that all devices together take to come back, if it is set.
    pub fn reconnection_spread(&self) -> Option<Duration> {
        self.option(|options| options.reconnection_spread)
    }

    /// How long a session has to last until the delays start from the beginning.
    pub fn reconnection_reset_after(&self) -> Duration {
        self.option(ManagerOptions::stable_time)
    }

    /// How long it is until the next attempt to connect starts by itself. `None` while the connection
    /// is open or on its way, and when no attempt follows. [`open`](Manager::open) ends the wait.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// if let Some(delay) = socket.manager().next_attempt() {
    ///     println!("offline, next attempt in {} s", delay.as_secs());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_attempt(&self) -> Option<Duration> {
        self.driver().run(|core, now| Some(core.next_attempt()?.0.saturating_sub(now.0)))
    }

    /// The limit of an attempt to connect; `None` is no limit.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.option(|options| options.connect_timeout)
    }

    fn option<T>(&self, look: impl FnOnce(&ManagerOptions) -> T) -> T {
        self.driver().look(|core| look(core.options()))
    }

    /// Closes the connection, with the reason [`ForcedClose`](crate::DisconnectReason::ForcedClose), and opens
    /// it no more by itself:
    /// [`open`](Manager::open) or [`Socket::connect`](crate::Socket::connect) do. The sockets stay.
    pub fn disconnect(&self) {
        self.driver().run(crate::core::client::Client::close);
    }

    /// Closes the connection as if it had been lost, with the reason
    /// [`EngineClosed`](crate::DisconnectReason::EngineClosed): it is opened
    /// again, unless reconnection is off. For those who know that the network has changed.
    #[doc(alias = "engine.close")]
    pub fn close_engine(&self) {
        self.driver().run(crate::core::client::Client::close_engine);
    }

    /// Says that the network has changed, for programs that hear of it: a link that is up, another
    /// address. An open session ends now, with the reason `transport close`, if its address on this side
    /// is gone, or no route leads to its peer; it would end by the heartbeat otherwise. A wait for the
    /// next attempt ends within a second, at a random moment of it, but not before the server wants that
    /// (`Retry-After`), nor within a second of the last failure. Otherwise nothing happens.
    ///
    /// It sends nothing, and never blocks. [`Builder::watch_network`](crate::Builder::watch_network)
    /// calls it by itself, on Linux.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// # fn wait_for_modem() {}
    /// let manager = socket.manager().clone();
    /// std::thread::spawn(move || loop {
    ///     wait_for_modem();
    ///     manager.network_changed();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn network_changed(&self) {
        self.driver().network_changed();
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
    /// when there will be no further attempt. [`ErrorKind::Disconnected`] after [`Manager::close`].
    pub fn wait_open(&self, limit: Duration) -> Result<()> {
        self.driver().wait_open(limit)
    }

    /// The news of the connection, from now on. It ends with [`close`](Manager::close). A reader who
    /// falls behind loses the oldest of more than 64; [`Subscription::lost`] counts them.
    pub fn events(&self) -> Subscription<ManagerEvent> {
        let (listener, mailbox) = self.driver().subscribe_manager();
        Subscription::of_connection(mailbox, Arc::clone(&self.shared), listener)
    }

    /// Calls a function with the news of the connection, from now on, on the thread `siot-call`; see
    /// [`Socket::on`](crate::Socket::on). It never blocks.
    ///
    /// While the function does not return, at most 64 pieces of news wait for it. Beyond that the
    /// oldest give way.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`](crate::Socket::on).
    pub fn on_event(
        &self,
        callback: impl FnMut(ManagerEvent) + Send + 'static,
    ) -> Result<ListenerId> {
        self.driver().call_on_manager(Function::Repeated(Box::new(callback)))
    }

    /// Removes a callback of [`on_event`](Manager::on_event); `false` when it was removed before.
    ///
    /// When it returns, no call of it begins any more, also for what had come before; one that runs
    /// goes on.
    pub fn off(&self, listener: ListenerId) -> bool {
        self.driver().unlisten_manager(listener)
    }

    /// What happens in the Engine.IO session, packet by packet, from now on. For those who look for
    /// the cause of something: while nobody looks it costs nothing.
    ///
    /// At most [`Limits::receive_events`](crate::Limits::receive_events) and
    /// [`Limits::receive_bytes`](crate::Limits::receive_bytes) wait for it. Beyond that the oldest
    /// give way, and [`Subscription::lost`] counts them. Others lose nothing by that.
    #[doc(alias = "packet")]
    #[doc(alias = "packetCreate")]
    #[doc(alias = "drain")]
    pub fn engine_events(&self) -> Subscription<EngineEvent> {
        self.observe(Buffer::new())
    }

    /// The same, with bounds of its own for what waits. Where they are reached, the oldest give way,
    /// or the newest with [`WhenFull::DropNewest`](crate::WhenFull::DropNewest).
    /// [`WhenFull::Wait`](crate::WhenFull::Wait) means the same as `DropOldest` here: observers hold
    /// up nothing.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let packets = socket.manager().engine_events_with(siot::Buffer::new().events(10_000))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for a bound of 0.
    pub fn engine_events_with(&self, buffer: Buffer) -> Result<Subscription<EngineEvent>> {
        buffer.check()?;
        Ok(self.observe(buffer))
    }

    fn observe(&self, buffer: Buffer) -> Subscription<EngineEvent> {
        let (listener, mailbox) = self.driver().observe(buffer);
        Subscription::of_connection(mailbox, Arc::clone(&self.shared), listener)
    }

    /// A descriptor that is readable while something waits in any subscription of this connection: to
    /// events and statuses of its sockets, and to what this manager tells; in those that are made later
    /// too. It is readable as well after [`close`](Manager::close). It never blocks.
    ///
    /// It says that there is something, and not where: look into each subscription by
    /// [`try_recv`](Subscription::try_recv), until it gives `None`. What nobody takes out keeps the
    /// descriptor readable. Calls of callbacks are no part of it, nor are answers to
    /// [`emit_with_ack`](crate::Socket::emit_with_ack): each has a descriptor of its own, by
    /// [`Ack::ready_fd`](crate::Ack::ready_fd). See [`Subscription::ready_fd`] for what else is to be known.
    ///
    /// A loop that must not block has also to emit without waiting for room in the send buffer:
    /// [`timeout(Duration::ZERO)`](crate::Socket::timeout) gives an error in its place, which says that there is
    /// none ([`ErrorKind::BufferFull`]).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let (orders, status) = (socket.subscribe("order"), socket.status());
    /// let ready = socket.manager().ready_fd()?; // for poll(2), beside the descriptors of the device
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when the system refuses a descriptor.
    pub fn ready_fd(&self) -> Result<ReadyFd> {
        self.driver().readiness().map(ReadyFd::new)
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
                packets_to_write: core.session_load().packets,
                bytes_to_write: core.session_load().bytes,
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

    /// How the connection stands, and what has passed by it, in figures. They are counted anyhow; asking costs
    /// some microseconds. It never blocks.
    ///
    /// `examples/health.rs` gives them to Prometheus, `examples/watchdog.rs` to systemd.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let stats = socket.manager().stats();
    /// println!("connected for {:?}, {} times", stats.connected_for, stats.connects);
    /// println!("{} events lost on the way out", stats.counters.send_dropped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.driver().stats()
    }

    /// What happened last: changes of state, and where
    /// [`Builder::flight_recorder`](crate::Builder::flight_recorder) asks for it, packets. It never blocks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// eprintln!("{}", socket.manager().flight_record());
    /// # Ok(())
    /// # }
    /// ```
    pub fn flight_record(&self) -> FlightRecord {
        self.driver().flight_record()
    }

    /// What was dropped so far: the [`Stats::counters`] alone.
    pub fn counters(&self) -> Counters {
        self.driver().counters()
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
