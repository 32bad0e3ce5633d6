//! One [`Driver`] per connection of a client. Its monitor holds the state machines: whoever has an input takes
//! the lock, calls one verb, drains the outputs, and releases. Under the lock there is no I/O that
//! can block and no user code.

mod address;
mod asking;
mod link;
mod listening;
mod observing;
#[cfg(feature = "polling")]
mod polling;
mod trace;
mod waiting;
mod websocket;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, Weak};

pub(crate) use self::address::{Address, Header, Timestamps};
use self::link::Link;
use self::observing::Observers;
use self::wire::SharedWire;
use crate::core::client::namespace::Auth;
use crate::core::client::{Client, Output, Tally};
use crate::core::ids::LinkId;
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::driver::ack_slot::{AckHandle, AckSlot};
use crate::driver::clock::now;
use crate::driver::dispatch::{AuthFunction, Call, Dispatcher};
use crate::driver::listeners::{Inbox, Listener, ListenerId, Listeners, NewsSink};
use crate::driver::timer::{self, Expire};
use crate::error::{Error, Result};
use crate::event::status::{ManagerEvent, Status};
use crate::event::{AckReply, Event};
use crate::net::{Net, Signal};
use crate::options::{ManagerOptions, Transport};
use crate::payload::Payload;
#[cfg(feature = "polling")]
use crate::proto::dialect::Dialect;
use crate::sync::lock::{Locked, lock, log_later};

/// One connection, as its threads and handles share it.
pub(crate) struct Driver {
    monitor: Mutex<Monitor>,
    /// Something changed that a blocked caller may wait for.
    changed: Condvar,
    net: Arc<Net>,
    /// Replaced as a whole, for the next attempt.
    address: Mutex<Arc<Address>>,
    stack_size: usize,
    #[cfg(feature = "polling")]
    max_message: usize,
    inbox: Inbox,
    observers: Observers,
    this: Weak<Self>,
}

/// What the lock guards.
pub(crate) struct Monitor {
    pub(crate) core: Client<AckHandle>,
    links: HashMap<LinkId, Link>,
    listeners: HashMap<NamespaceId, Listeners>,
    manager_listeners: Vec<(ListenerId, NewsSink<ManagerEvent>)>,
    auth_functions: HashMap<NamespaceId, AuthFunction>,
    /// The last question to each function that runs.
    asking: HashMap<NamespaceId, u32>,
    dispatcher: Dispatcher,
    /// The deadline that the timer thread knows of.
    armed: Option<Timestamp>,
    /// Why the connection could not be opened, the last time.
    last_error: Option<Error>,
    /// Why a namespace could not be joined, the last time.
    last_errors: HashMap<NamespaceId, Error>,
    /// How many callers wait for a change.
    waiters: usize,
}

/// What is done after the locks are released.
enum Action {
    Wake(Arc<Signal>),
    Write(SharedWire, Arc<Signal>),
    Dial {
        link: LinkId,
        transport: Transport,
        upgrade: Option<String>,
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
                listeners: HashMap::new(),
                manager_listeners: Vec::new(),
                auth_functions: HashMap::new(),
                asking: HashMap::new(),
                dispatcher: Dispatcher::new(limits.stack_size),
                armed: None,
                last_error: None,
                last_errors: HashMap::new(),
                waiters: 0,
            }),
            changed: Condvar::new(),
            net: Arc::new(net),
            address: Mutex::new(Arc::new(address)),
            stack_size: limits.stack_size,
            #[cfg(feature = "polling")]
            max_message: limits.max_message,
            inbox: Inbox::new(&limits),
            observers: Observers::new(&limits),
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
        let mut actions = Vec::new();
        let result = self.gather(&mut actions, verb);
        self.act(actions);
        result
    }

    /// Runs one verb, and leaves what follows from it to the caller, who holds another lock.
    fn gather<R>(
        &self,
        actions: &mut Vec<Action>,
        verb: impl FnOnce(&mut Monitor, Timestamp) -> R,
    ) -> R {
        let mut monitor = self.lock();
        let now = now();
        let result = verb(&mut monitor, now);
        self.drain(&mut monitor, now, actions);
        result
    }

    /// Closes for good: leaves all namespaces, gives up what is awaited, ends all subscriptions.
    pub(crate) fn shut_down(&self) {
        self.run(Client::shut_down);
        self.unlisten_all();
    }

    /// Registers a namespace and where its credentials come from.
    pub(crate) fn namespace(&self, name: &str, auth: Option<NamespaceAuth>) -> NamespaceId {
        // What is replaced may run a user's code when it is dropped: not under the lock.
        let (id, _replaced) = self.run_with(|monitor, _| {
            let id = monitor.core.namespace_id(name);
            monitor.listeners.entry(id).or_default();
            let replaced = match auth {
                None => None,
                Some(NamespaceAuth::Fixed(payload)) => {
                    monitor.core.set_auth(id, Auth::Fixed(payload));
                    monitor.auth_functions.remove(&id)
                }
                Some(NamespaceAuth::Function(function)) => {
                    monitor.core.set_auth(id, Auth::Ask);
                    monitor.auth_functions.insert(id, function)
                }
            };
            (id, replaced)
        });
        id
    }

    /// Looks at the state without changing it.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client<AckHandle>) -> R) -> R {
        look(&self.lock().core)
    }

    /// What was dropped since the start.
    pub(crate) fn counters(&self) -> (Tally, usize) {
        (self.lock().core.tally(), self.inbox.dropped())
    }

    fn lock(&self) -> Locked<'_, Monitor> {
        // Nothing under the lock runs user code, a logger's included.
        lock(&self.monitor)
    }

    /// Carries out what the state machines ask for, but for what has to wait for the lock's release.
    fn drain(&self, monitor: &mut Monitor, now: Timestamp, actions: &mut Vec<Action>) {
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
                    if let Some(listeners) = monitor.listeners.get(&namespace) {
                        listeners.show_sent(&event, &self.inbox, &monitor.dispatcher);
                    }
                }
                Output::Wake(link) => {
                    if let Some(link) = monitor.links.get_mut(&link) {
                        link.rouse(now, actions);
                    }
                }
                Output::Stop(link) => {
                    if let Some(link) = monitor.links.get(&link) {
                        link.cancel();
                    }
                }
                Output::Dial { link, transport, upgrade } => {
                    actions.push(Action::Dial { link, transport, upgrade });
                }
                Output::AskAuth { namespace, asked } => {
                    actions.push(Action::AskAuth { namespace, asked });
                }
                Output::Status { namespace, name, status } => {
                    notify = true;
                    monitor.tell_status(namespace, &name, &status);
                }
                Output::Manager(event) => {
                    notify = true;
                    self.observers.news(&event);
                    monitor.tell_manager(&event);
                }
                Output::Room => {
                    notify = true;
                    self.observers.room(&monitor.core);
                }
            }
        }
        if notify && monitor.waiters > 0 {
            self.changed.notify_all();
        }
        if !done.is_empty() {
            actions.push(Action::Drop(done));
        }
        self.arm(monitor);
    }

    /// Tells the timer thread of a deadline that is earlier than the one it knows.
    fn arm(&self, monitor: &mut Monitor) {
        let Some(deadline) = monitor.core.next_deadline() else { return };
        if monitor.armed.is_none_or(|armed| deadline < armed) {
            monitor.armed = Some(deadline);
            timer::arm(&self.expiring(), deadline);
        }
    }

    fn expiring(&self) -> Weak<dyn Expire> {
        self.this.clone()
    }

    fn address(&self) -> Arc<Address> {
        Arc::clone(&lock(&self.address))
    }

    /// Which requests carry a timestamp.
    pub(crate) fn timestamps(&self) -> Timestamps {
        self.address().timestamps.clone()
    }

    /// Changes where requests lead and what they carry, from the next one on.
    pub(crate) fn change_address(&self, change: impl FnOnce(&mut Address)) {
        let mut address = lock(&self.address);
        change(Arc::make_mut(&mut address));
    }

    /// A request of the open session.
    #[cfg(feature = "polling")]
    fn session_request(
        &self,
        transport: Transport,
        sid: &str,
        dialect: &dyn Dialect,
    ) -> crate::net::Request {
        let eio = dialect.eio();
        self.address().request(eio, transport, Some(sid))
    }

    fn act(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Wake(signal) => signal.wake(),
                Action::Write(wire, signal) => wire.write_or_wake(self, &signal),
                Action::Dial { link, transport, upgrade } => {
                    self.dial(link, transport, upgrade.as_deref());
                }
                Action::AskAuth { namespace, asked } => self.ask_auth(namespace, asked),
                Action::Resolve(slot, result) => slot.resolve(result),
                Action::Drop(listeners) => drop(listeners),
            }
        }
    }
}

impl Monitor {
    fn tell_status(&mut self, namespace: NamespaceId, name: &str, status: &Status) {
        match status {
            Status::Connected { .. } => {
                log_later!(Info, "connected to {name:?}");
                self.last_errors.remove(&namespace);
            }
            Status::ConnectError(error) => {
                log_later!(Debug, "cannot connect to {name:?}: {error}");
                if self.listeners.contains_key(&namespace) {
                    self.last_errors.insert(namespace, error.clone());
                }
            }
            Status::Error(error) => log_later!(Info, "the server says in {name:?}: {error}"),
            Status::Disconnected { reason, .. } => {
                log_later!(Info, "disconnected from {name:?}: {reason}");
            }
        }
        if let Some(listeners) = self.listeners.get_mut(&namespace) {
            listeners.tell(status, &self.dispatcher);
        }
    }

    fn tell_manager(&mut self, event: &ManagerEvent) {
        log_later!(Debug, "{event:?}");
        match event {
            ManagerEvent::Open => self.last_error = None,
            ManagerEvent::Error(error) => self.last_error = Some(error.clone()),
            _ => {}
        }
        for (_, sink) in &self.manager_listeners {
            sink.tell(event.clone(), |callback, event| {
                self.dispatcher.call(Call::Manager(callback, event));
            });
        }
    }
}

impl Expire for Driver {
    fn on_timer(&self) {
        self.run_with(|monitor, now| {
            monitor.armed = None;
            for (link, entry) in &monitor.links {
                if let Some(reached) = entry.reached() {
                    monitor.core.reached(*link, reached);
                }
            }
            monitor.core.expire(now);
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        timer::unregister(&self.expiring());
    }
}

/// Where the credentials of a namespace come from.
pub(crate) enum NamespaceAuth {
    Fixed(Payload),
    Function(AuthFunction),
}
