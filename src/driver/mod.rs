//! Floor 4: threads, locks and the clock around the state machines.
//!
//! One [`Driver`] per connection. Its monitor holds the state machines: whoever has an input takes
//! the lock, calls one verb, drains the outputs, and releases. Under the lock there is no I/O that
//! can block and no user code.

pub(crate) mod ack_slot;
mod address;
mod clock;
mod dispatch;
mod link;
pub(crate) mod listeners;
#[cfg(feature = "polling")]
mod polling;
mod timer;
mod trace;
mod websocket;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub(crate) use self::ack_slot::AckHandle;
use self::ack_slot::AckSlot;
pub(crate) use self::address::{Address, Header, Timestamps};
use self::clock::now;
use self::dispatch::{AuthFunction, Call, Dispatcher};
use self::link::Link;
use self::listeners::{
    Inbox, Listener, ListenerId, Listeners, NewsSink, Order, Scope, Sink, StatusSink,
};
use crate::core::client::{Client, Counters, Emit, Output, Refused};
use crate::core::engine::LinkId;
use crate::core::namespace::{Auth, NamespaceId, Phase};
use crate::core::timer::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AckReply, Event, ManagerEvent, Reply, Status};
use crate::net::{Net, Signal};
use crate::options::ManagerOptions;
use crate::payload::Payload;
#[cfg(feature = "polling")]
use crate::proto::revision::Dialect;
use crate::proto::socket_packet::SocketPacket;

/// One connection, as its threads and handles share it.
pub(crate) struct Driver {
    monitor: Mutex<Monitor>,
    /// Something changed that a blocked caller may wait for.
    changed: Condvar,
    net: Arc<Net>,
    /// Replaced as a whole, for the next attempt.
    address: Mutex<Arc<Address>>,
    stack_size: usize,
    max_message: usize,
    inbox: Inbox,
    this: Weak<Self>,
}

/// What the lock guards.
pub(crate) struct Monitor {
    pub(crate) core: Client<AckHandle>,
    links: HashMap<LinkId, Link>,
    /// By the number of the namespace.
    listeners: Vec<Listeners>,
    manager_listeners: Vec<NewsSink<ManagerEvent>>,
    auth_functions: HashMap<NamespaceId, AuthFunction>,
    dispatcher: Dispatcher,
    /// The deadline that the timer thread knows of.
    armed: Option<Timestamp>,
    /// The error of the last failed attempt to connect.
    last_error: Option<Error>,
    /// How many callers wait for a change.
    waiters: usize,
}

/// What is done after the lock is released.
enum Action {
    Wake(Arc<Signal>),
    Dial {
        link: LinkId,
        upgrade: bool,
        polling: bool,
        sid: Option<String>,
    },
    AskAuth {
        namespace: NamespaceId,
        asked: u32,
    },
    /// Who waits for the answer emits again at once, and finds the lock free.
    Resolve(Arc<AckSlot>, Result<AckReply>),
    /// Dropping a listener may run a user's code.
    Drop(Vec<Listener>),
}

impl Driver {
    pub(crate) fn new(options: ManagerOptions, net: Net, address: Address) -> Result<Arc<Self>> {
        let limits = options.limits.clone();
        let driver = Arc::new_cyclic(|this| Self {
            monitor: Mutex::new(Monitor {
                core: Client::new(options, fastrand::u64(..)),
                links: HashMap::new(),
                listeners: Vec::new(),
                manager_listeners: Vec::new(),
                auth_functions: HashMap::new(),
                dispatcher: Dispatcher::new(limits.stack_size),
                armed: None,
                last_error: None,
                waiters: 0,
            }),
            changed: Condvar::new(),
            net: Arc::new(net),
            address: Mutex::new(Arc::new(address)),
            stack_size: limits.stack_size,
            max_message: limits.max_message,
            inbox: Inbox::new(&limits),
            this: this.clone(),
        });
        timer::register()?;
        Ok(driver)
    }

    /// Runs one verb of the state machines and what follows from it.
    pub(crate) fn run<R>(&self, verb: impl FnOnce(&mut Client<AckHandle>, Timestamp) -> R) -> R {
        self.run_with(|monitor, now| verb(&mut monitor.core, now))
    }

    fn run_with<R>(&self, verb: impl FnOnce(&mut Monitor, Timestamp) -> R) -> R {
        let mut monitor = self.lock();
        let result = verb(&mut monitor, now());
        let actions = self.drain(&mut monitor);
        drop(monitor);
        for action in actions {
            self.act(action);
        }
        result
    }

    /// The timer thread's call.
    fn on_timer(&self) {
        self.run_with(|monitor, now| {
            monitor.armed = None;
            for (link, entry) in &monitor.links {
                if let Some(stage) = entry.stage() {
                    monitor.core.reached(*link, stage);
                }
            }
            monitor.core.expire(now);
        });
    }

    /// Sends an event; waits for room in the send buffer where the policy says so.
    pub(crate) fn emit(&self, namespace: NamespaceId, mut emit: Emit<AckHandle>) -> Result<()> {
        loop {
            match self.run(|core, now| core.emit(namespace, emit, now)) {
                Ok(()) => return Ok(()),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Full(back)) => emit = back,
            }
            let size = emit.payload.size();
            self.wait_until(None, |monitor| monitor.core.has_room_to_emit(namespace, size));
        }
    }

    fn reply(
        &self,
        namespace: NamespaceId,
        session: u32,
        ack: u64,
        mut payload: Payload,
    ) -> Result<()> {
        loop {
            match self.run(|core, now| core.reply(namespace, session, ack, payload, now)) {
                Ok(()) => return Ok(()),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Full(back)) => payload = back,
            }
            let size = payload.size();
            self.wait_until(None, |monitor| monitor.core.has_room_to_reply(size));
        }
    }

    /// Blocks until the namespace is joined.
    pub(crate) fn wait_joined(&self, namespace: NamespaceId, limit: Duration) -> Result<()> {
        let done = self.wait_until(Some(limit), |monitor| {
            monitor.core.namespace(namespace).phase == Phase::Joined
                || !monitor.core.is_connecting(namespace)
        });
        let monitor = self.lock();
        if monitor.core.namespace(namespace).phase == Phase::Joined {
            return Ok(());
        }
        let last_error = monitor.last_error.clone();
        if done {
            return Err(last_error.unwrap_or_else(|| {
                Error::new(ErrorKind::Disconnected, "nothing tries to connect this socket")
                    .with_hint("call connect() first")
            }));
        }
        let error = Error::new(ErrorKind::Timeout, format!("not connected within {limit:?}"));
        Err(match last_error {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// Closes for good: leaves all namespaces, gives up what is awaited, ends all subscriptions.
    pub(crate) fn shut_down(&self) {
        self.run(|core, now| core.shut_down(now));
        self.unlisten_all();
    }

    /// Blocks until all transports are closed; cuts those that are not at the limit.
    pub(crate) fn wait_closed(&self, limit: Duration) {
        let done = self.wait_until(Some(limit), |monitor| monitor.links.is_empty());
        if !done {
            for link in self.lock().links.values() {
                link.cancel();
            }
            self.wait_until(Some(Duration::from_secs(1)), |monitor| monitor.links.is_empty());
        }
    }

    /// Registers a namespace and where its credentials come from.
    pub(crate) fn namespace(&self, name: &str, auth: Option<NamespaceAuth>) -> NamespaceId {
        self.run_with(|monitor, _| {
            let id = monitor.core.namespace_id(name);
            while monitor.listeners.len() <= id.0 as usize {
                monitor.listeners.push(Listeners::default());
            }
            match auth {
                None => {}
                Some(NamespaceAuth::Fixed(payload)) => {
                    monitor.core.set_auth(id, Auth::Fixed(payload));
                    monitor.auth_functions.remove(&id);
                }
                Some(NamespaceAuth::Function(function)) => {
                    monitor.core.set_auth(id, Auth::Ask);
                    monitor.auth_functions.insert(id, function);
                }
            }
            id
        })
    }

    /// Looks at the state without changing it.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client<AckHandle>) -> R) -> R {
        look(&self.lock().core)
    }

    /// What was dropped since the start.
    pub(crate) fn counters(&self) -> (Counters, usize) {
        (self.lock().core.counters(), self.inbox.dropped())
    }

    /// Blocks until a condition holds; `false` when the limit passes before.
    fn wait_until(
        &self,
        limit: Option<Duration>,
        condition: impl Fn(&mut Monitor) -> bool,
    ) -> bool {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut monitor = self.lock();
        monitor.waiters += 1;
        let done = loop {
            if condition(&mut monitor) {
                break true;
            }
            let left = match deadline {
                None => Duration::from_secs(3600),
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                break false;
            }
            monitor =
                self.changed.wait_timeout(monitor, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        monitor.waiters -= 1;
        done
    }

    fn lock(&self) -> MutexGuard<'_, Monitor> {
        // Nothing under the lock runs user code; a panic there is a bug of ours, and the state
        // machines are still better company than a second panic.
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out what the state machines ask for, but for what has to wait for the lock's release.
    fn drain(&self, monitor: &mut Monitor) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut notify = false;
        let mut done = Vec::new();
        while let Some(output) = monitor.core.poll_output() {
            match output {
                Output::Event { namespace, session, packet } => {
                    self.deliver(monitor, namespace, session, packet, &mut done);
                }
                Output::Acked { ack, result } => {
                    let result = result.map(AckReply::new);
                    match ack {
                        AckHandle::Slot(slot) => actions.push(Action::Resolve(slot, result)),
                        AckHandle::Callback(callback) => {
                            monitor.dispatcher.call(Call::Ack(callback, result));
                        }
                    }
                }
                Output::Sent { namespace, payload } => {
                    let event = Event::outgoing(payload);
                    if let Some(listeners) = monitor.listeners.get(namespace.0 as usize) {
                        listeners.show_sent(&event, &self.inbox, &monitor.dispatcher);
                    }
                }
                Output::Wake(link) => {
                    if let Some(link) = monitor.links.get_mut(&link) {
                        actions
                            .extend(link.take_sleepers().into_iter().flatten().map(Action::Wake));
                    }
                }
                Output::Stop(link) => {
                    if let Some(link) = monitor.links.get(&link) {
                        link.cancel();
                    }
                }
                Output::Dial { link, transport, sid } => {
                    let polling = transport == crate::options::Transport::Polling;
                    let upgrade = sid.is_some();
                    actions.push(Action::Dial { link, upgrade, polling, sid });
                }
                Output::AskAuth { namespace, asked } => {
                    actions.push(Action::AskAuth { namespace, asked });
                }
                Output::Status { namespace, status } => {
                    notify = true;
                    monitor.tell_status(namespace, status);
                }
                Output::Manager(event) => {
                    notify = true;
                    monitor.tell_manager(&event);
                }
                Output::Room => notify = true,
            }
        }
        if notify && monitor.waiters > 0 {
            self.changed.notify_all();
        }
        if !done.is_empty() {
            actions.push(Action::Drop(done));
        }
        self.arm(monitor);
        actions
    }

    /// Tells the timer thread of a deadline that is earlier than the one it knows.
    fn arm(&self, monitor: &mut Monitor) {
        let Some(deadline) = monitor.core.next_deadline() else { return };
        if monitor.armed.is_none_or(|armed| deadline < armed) {
            monitor.armed = Some(deadline);
            timer::arm(&self.this, deadline);
        }
    }

    fn address(&self) -> Arc<Address> {
        Arc::clone(&self.address.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes where requests lead and what they carry, from the next one on.
    pub(crate) fn change_address(&self, change: impl FnOnce(&mut Address)) {
        let mut address = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut address));
    }

    /// A request of the open session.
    #[cfg(feature = "polling")]
    fn session_request(
        &self,
        transport: crate::options::Transport,
        sid: &str,
        dialect: &dyn Dialect,
    ) -> crate::net::Request {
        let eio = dialect.eio();
        self.address().request(eio, transport, Some(sid))
    }

    fn act(&self, action: Action) {
        match action {
            Action::Wake(signal) => signal.wake(),
            Action::Dial { link, upgrade, polling, sid } => {
                self.dial(link, upgrade, polling, sid);
            }
            Action::AskAuth { namespace, asked } => self.ask_auth(namespace, asked),
            Action::Resolve(slot, result) => slot.resolve(result),
            Action::Drop(listeners) => drop(listeners),
        }
    }

    fn deliver(
        &self,
        monitor: &mut Monitor,
        namespace: NamespaceId,
        session: u32,
        packet: SocketPacket,
        done: &mut Vec<Listener>,
    ) {
        let reply = packet.id.map(|ack| {
            let way_back = WayBack {
                driver: self.this.clone(),
                namespace,
                session,
                ack: Mutex::new(Some(ack)),
            };
            Box::new(way_back) as Box<dyn Reply>
        });
        let event = Event::new(packet, reply);
        if let Some(listeners) = monitor.listeners.get_mut(namespace.0 as usize) {
            listeners.deliver(&event, &self.inbox, &monitor.dispatcher, done);
        }
    }
}

impl Monitor {
    fn tell_status(&mut self, namespace: NamespaceId, status: Status) {
        let name = &self.core.namespace(namespace).name;
        match &status {
            Status::Connected { .. } => {
                log::info!("connected to {name:?}");
                self.last_error = None;
            }
            Status::ConnectError(error) => {
                log::debug!("cannot connect to {name:?}: {error}");
                self.last_error = Some(error.clone());
            }
            Status::Error(error) => log::info!("the server says in {name:?}: {error}"),
            Status::Disconnected { reason, .. } => {
                log::info!("disconnected from {name:?}: {reason}")
            }
        }
        if let Some(listeners) = self.listeners.get_mut(namespace.0 as usize) {
            listeners.tell(&status, &self.dispatcher);
        }
    }

    fn tell_manager(&mut self, event: &ManagerEvent) {
        log::debug!("{event:?}");
        for sink in &self.manager_listeners {
            sink.tell(event.clone(), |callback, event| {
                self.dispatcher.call(Call::Manager(callback, event));
            });
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        timer::unregister(&self.this);
    }
}

/// Where the credentials of a namespace come from.
pub(crate) enum NamespaceAuth {
    Fixed(Payload),
    Function(AuthFunction),
}

/// The way of an acknowledgement back to the session that asked for it.
struct WayBack {
    driver: Weak<Driver>,
    namespace: NamespaceId,
    session: u32,
    ack: Mutex<Option<u64>>,
}

impl Reply for WayBack {
    fn reply(&self, payload: Payload) -> Result<()> {
        let ack = self.ack.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ack) = ack else {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "this event was acknowledged already",
            ));
        };
        match self.driver.upgrade() {
            Some(driver) => driver.reply(self.namespace, self.session, ack, payload),
            None => Err(Error::new(ErrorKind::Disconnected, "the connection is gone")),
        }
    }
}

/// Adding and removing listeners.
impl Driver {
    /// Adds a listener. Where it is a callback, [`Driver::start_dispatch`] comes first.
    pub(crate) fn listen(
        &self,
        namespace: NamespaceId,
        scope: Scope<'_>,
        order: Order,
        once: bool,
        sink: Sink,
    ) -> ListenerId {
        self.change_listeners(namespace, |listeners| listeners.add(scope, order, once, sink))
    }

    /// Makes sure that there is a thread to run callbacks on.
    pub(crate) fn start_dispatch(&self) -> Result<()> {
        self.lock().dispatcher.start()
    }

    /// How many listeners there are.
    pub(crate) fn count_listeners(&self, namespace: NamespaceId, scope: Scope<'_>) -> usize {
        self.lock().listeners[namespace.0 as usize].count(scope)
    }

    /// Removes the callbacks of a scope, or with `None` those of all events; gives their number.
    pub(crate) fn remove_callbacks(
        &self,
        namespace: NamespaceId,
        scope: Option<Scope<'_>>,
    ) -> usize {
        let removed = self.change_listeners(namespace, |listeners| match scope {
            Some(scope) => listeners.remove_callbacks(scope),
            None => listeners.remove_all_callbacks(),
        });
        removed.len()
    }

    fn change_listeners<R>(
        &self,
        namespace: NamespaceId,
        change: impl FnOnce(&mut Listeners) -> R,
    ) -> R {
        let mut monitor = self.lock();
        let listeners = &mut monitor.listeners[namespace.0 as usize];
        let result = change(listeners);
        let observed = listeners.count(Scope::Outgoing) > 0;
        monitor.core.observe_outgoing(namespace, observed);
        // What is taken out may run a user's code when it is dropped: the caller has it, and by
        // then the lock is released.
        result
    }

    /// Adds a subscription to the statuses of a namespace, which begins with how it stands.
    pub(crate) fn listen_status(&self, namespace: NamespaceId, sink: StatusSink) -> ListenerId {
        let mut monitor = self.lock();
        let connected = monitor.core.namespace(namespace).status();
        if let (Some(status), StatusSink::Channel(sender, _)) = (connected, &sink) {
            let _ = sender.try_send(status);
        }
        monitor.listeners[namespace.0 as usize].add_status(sink)
    }

    /// Removes one listener; `false` when there is none of this number.
    pub(crate) fn unlisten(&self, namespace: NamespaceId, listener: ListenerId) -> bool {
        let (event, status) =
            self.change_listeners(namespace, |listeners| listeners.remove(listener));
        event.is_some() || status.is_some()
    }

    /// Ends all subscriptions and callbacks.
    pub(crate) fn unlisten_all(&self) {
        let mut monitor = self.lock();
        let listeners: Vec<Listeners> = monitor.listeners.iter_mut().map(std::mem::take).collect();
        let manager_listeners = std::mem::take(&mut monitor.manager_listeners);
        drop(monitor);
        drop((listeners, manager_listeners));
    }

    /// Adds a listener to the news of the connection.
    pub(crate) fn listen_manager(&self, sink: NewsSink<ManagerEvent>) {
        self.lock().manager_listeners.push(sink);
    }
}
