//! One [`Driver`] per connection of a client. Its monitor holds the state machines. Whoever has an input (a packet, a
//! call, a deadline) gives it to them by [`Driver::run`]. Under the lock of the monitor there is no I/O that can block
//! and no user code.

mod ahead;
mod armed;
mod asking;
mod density;
mod ending;
mod figures;
mod intake;
mod link;
mod listening;
mod network;
mod news;
mod observing;
mod outputs;
#[cfg(feature = "polling")]
mod polling;
mod preparing;
mod pump;
mod ready;
mod recorder;
mod relief;
mod shared_wire;
mod standing_in;
#[cfg(any(test, measuring))]
pub(crate) mod testing;
mod trace;
mod waiting;
mod websocket;
mod wire;

use std::sync::{Arc, Condvar, Mutex, Weak};

use self::armed::Armed;
use self::asking::Asked;
pub(crate) use self::asking::AuthFunction;
use self::figures::Figures;
use self::intake::{Hold, Intake};
use self::link::Link;
use self::observing::Observers;
use self::outputs::Action;
use self::preparing::AskBefore;
pub(crate) use self::preparing::{Changes, PrepareFunction, refused_by_user};
use self::recorder::Recorder;
use self::waiting::Awaited;
use crate::core::client::Client;
use crate::core::client::namespace::Auth;
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::numbered::Numbered;
use crate::core::time::Timestamp;
use crate::driver::ack_slot::AckHandle;
use crate::driver::clock::now;
use crate::driver::consumer::Consumer;
use crate::driver::dispatch::Dispatcher;
use crate::driver::group::Group;
use crate::driver::listeners::{Listener, Listeners};
use crate::driver::timer::{self, Expire};
#[cfg(target_os = "linux")]
use crate::driver::watching::{self, HearOfNetwork};
use crate::error::{Error, Result};
use crate::event::status::ManagerEvent;
use crate::net::{Address, Net, NetOptions};
use crate::options::{Limits, ManagerOptions, WhenFull};
use crate::payload::Payload;
use crate::proto::parser::Parser;
use crate::proto::parser::choice::new_parser;
use crate::sync::account::Bounds;
use crate::sync::lock::{Locked, lock};
use crate::sync::logging::Quiet;
use crate::sync::ready_slot::ReadySlot;
use crate::sync::speaker::{Speaker, SpeakerId};

/// One connection, as its threads and handles share it.
pub(crate) struct Driver {
    monitor: Mutex<Monitor>,
    /// Something changed that a blocked caller may wait for.
    changed: Condvar,
    net: Arc<Net>,
    intake: Intake,
    /// The bounds of the consumers that have no others.
    limits: Limits,
    observers: Observers,
    /// For those who poll for all subscriptions together.
    ready: ReadySlot,
    /// What happened last.
    recorder: Recorder,
    /// Its name in the log.
    speaker: Speaker,
    this: Weak<Self>,
}

/// What the lock guards.
pub(crate) struct Monitor {
    pub(crate) core: Client<AckHandle>,
    /// Where attempts lead, and what their requests carry, if nobody says otherwise.
    address: Arc<Address>,
    /// The same for the current attempt and its session.
    current_address: Arc<Address>,
    /// Its name in the log, which tells where it leads.
    speaker: SpeakerId,
    /// What the user has to say of attempts.
    before_attempt: Asked<AskBefore>,
    links: Numbered<LinkId, Box<Link>>,
    namespaces: Numbered<NamespaceId, Box<PerNamespace>>,
    manager_listeners: Vec<Listener<ManagerEvent>>,
    dispatcher: Dispatcher,
    /// How many callbacks there are for events that are received.
    callbacks: usize,
    /// The events that are about to be brought together.
    group: Group,
    /// The consumers that were full when they got something the last time.
    full: Vec<Consumer>,
    /// The readers hold still because of them.
    hold: Option<Hold>,
    /// The link whose reader was the last to do so.
    holder: Option<LinkId>,
    /// It was said that they do.
    warned_full: bool,
    /// It was said that events are lost.
    warned_lost: bool,
    /// What is counted.
    figures: Figures,
    armed: Armed,
    /// Why the connection could not be opened, the last time.
    last_error: Option<Error>,
    /// What callers wait for.
    awaited: Vec<Awaited>,
}

/// What is kept for a namespace that somebody has a handle of.
#[derive(Default)]
struct PerNamespace {
    listeners: Listeners,
    auth: Asked<dyn Fn() -> Result<Payload> + Send + Sync>,
    /// Why it could not be joined, the last time, or why the session was lost.
    last_error: Option<Error>,
    /// How many sessions were lost in a row before it was joined, or since.
    losses: u32,
}

impl Driver {
    pub(crate) fn new(
        options: ManagerOptions,
        net: Net,
        address: Address,
        before_attempt: Option<PrepareFunction>,
    ) -> Result<Arc<Self>> {
        let limits = options.limits.clone();
        let intake = Intake::new(&limits);
        let answers =
            Bounds { events: limits.acks, bytes: limits.receive_bytes, when_full: WhenFull::Wait };
        let speaker = Speaker::new(address.server.endpoint.authority());
        let dispatcher = Dispatcher::new(limits.stack_size, answers, &intake.gate, speaker.id());
        let parser = options.parser;
        let recorder = Recorder::new(parser, options.recorded_packets);
        let address = Arc::new(address);
        let driver = Arc::new_cyclic(|this| Self {
            monitor: Mutex::new(Monitor {
                core: Client::new(options, fastrand::u64(..)),
                current_address: Arc::clone(&address),
                speaker: speaker.id(),
                address,
                before_attempt: Asked::of(before_attempt),
                links: Numbered::new(),
                namespaces: Numbered::new(),
                manager_listeners: Vec::new(),
                dispatcher,
                callbacks: 0,
                group: Group::default(),
                full: Vec::new(),
                hold: None,
                holder: None,
                warned_full: false,
                warned_lost: false,
                figures: Figures::default(),
                armed: Armed::default(),
                last_error: None,
                awaited: Vec::new(),
            }),
            changed: Condvar::new(),
            net: Arc::new(net),
            intake,
            observers: Observers::new(parser),
            ready: ReadySlot::default(),
            recorder,
            speaker,
            limits,
            this: this.clone(),
        });
        timer::register()?;
        // From here on its end takes back what was registered.
        #[cfg(target_os = "linux")]
        if driver.look(|core| core.options().watch_network) {
            watching::register(driver.watcher())?;
        }
        Ok(driver)
    }

    /// Gives the state machines one input, and does what follows from it:
    ///
    /// 1. takes the monitor, and the time
    /// 2. calls `verb`, which is one method of [`Client`]
    /// 3. carries out what `Client` asks for (`drain` in `outputs.rs`), but for what needs another lock or wakes
    ///    somebody: that becomes an [`Action`]
    /// 4. releases the monitor
    /// 5. does the actions (`act`)
    pub(crate) fn run<R>(&self, verb: impl FnOnce(&mut Client<AckHandle>, Timestamp) -> R) -> R {
        self.run_with(|monitor, now| verb(&mut monitor.core, now))
    }

    fn run_with<R>(&self, verb: impl FnOnce(&mut Monitor, Timestamp) -> R) -> R {
        self.run_acting(|monitor, now, _| verb(monitor, now))
    }

    /// The same for a verb that has actions of its own.
    fn run_acting<R>(
        &self,
        verb: impl FnOnce(&mut Monitor, Timestamp, &mut Vec<Action>) -> R,
    ) -> R {
        // The logger may emit, and wait for room that only these actions lead to: it has its say when all is done.
        let _quiet = Quiet::new();
        let mut actions = Vec::new();
        let result = self.gather(&mut actions, verb);
        self.act(actions);
        result
    }

    /// Runs one verb, and leaves what follows from it to the caller, who holds another lock.
    fn gather<R>(
        &self,
        actions: &mut Vec<Action>,
        verb: impl FnOnce(&mut Monitor, Timestamp, &mut Vec<Action>) -> R,
    ) -> R {
        let _speaking = self.speaker.id().speak();
        let mut monitor = self.lock();
        let now = now();
        let result = verb(&mut monitor, now, actions);
        self.conclude(&mut monitor, now, actions);
        result
    }

    /// Closes for good: leaves all namespaces, gives up what is awaited, ends all subscriptions.
    pub(crate) fn shut_down(&self) {
        self.run(Client::shut_down);
        self.release_users();
    }

    /// Ends all subscriptions, and drops the users' functions.
    fn release_users(&self) {
        self.unlisten_all();
        self.ready.end();
        // They may own sockets, which would keep the connection alive. Dropped without the lock.
        let mut monitor = self.lock();
        let namespaces = monitor.namespaces.things_mut();
        let functions: Vec<_> = namespaces.filter_map(|it| it.auth.function.take()).collect();
        let before_attempt = monitor.before_attempt.function.take();
        drop(monitor);
        drop((functions, before_attempt));
    }

    /// Whether a connection with these options would be the same as this one is now.
    pub(crate) fn is_made_of(
        &self,
        options: &ManagerOptions,
        net: &NetOptions,
        address: &Address,
    ) -> bool {
        let monitor = self.lock();
        let asks = monitor.before_attempt.function.is_some();
        let is_same = !asks && *monitor.address == *address && monitor.core.options() == options;
        drop(monitor);
        is_same && self.net.is_made_of(net)
    }

    /// Whether it was closed for good.
    pub(crate) fn is_over(&self) -> bool {
        self.look(|core| core.check_not_over().is_err())
    }

    /// The number of a namespace, which is made where there is none of this name.
    pub(crate) fn register_namespace(&self, name: &str) -> NamespaceId {
        self.run_with(|monitor, _| {
            let id = monitor.core.namespace_id(name);
            monitor.namespaces.get_or_add(id, Box::default);
            id
        })
    }

    /// Sets where the credentials of a namespace come from, and gives the function that is
    /// replaced: dropping it may run a user's code, so no lock may be held then.
    #[must_use = "it has to be dropped when no lock is held"]
    pub(crate) fn set_auth(
        &self,
        namespace: NamespaceId,
        auth: NamespaceAuth,
    ) -> Option<AuthFunction> {
        self.run_with(|monitor, now| {
            let (auth, function) = match auth {
                NamespaceAuth::Fixed(payload) => (Auth::Fixed(payload), None),
                NamespaceAuth::Function(function) => (Auth::Ask, Some(function)),
            };
            monitor.core.set_auth(namespace, auth, now);
            match monitor.namespaces.get_mut(namespace) {
                Some(namespace) => std::mem::replace(&mut namespace.auth.function, function),
                None => function,
            }
        })
    }

    /// Looks at the state without changing it.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client<AckHandle>) -> R) -> R {
        look(&self.lock().core)
    }

    /// A parser for a writer, which only encodes.
    fn new_parser(&self) -> Box<dyn Parser> {
        new_parser(self.look(|core| core.options().parser), 0, 0)
    }

    fn lock(&self) -> Locked<'_, Monitor> {
        // Nothing under the lock runs user code, a logger's included.
        lock(&self.monitor)
    }

    /// Tells the timer thread of the next deadline, where it is not the one that it knows of.
    fn arm(&self, monitor: &mut Monitor, now: Timestamp) {
        let Some(deadline) = monitor.core.next_deadline() else { return };
        if monitor.armed.follow(deadline, now) {
            timer::arm(&self.expiring(), deadline);
        }
    }

    pub(crate) fn downgrade(&self) -> Weak<Self> {
        self.this.clone()
    }

    #[cfg(target_os = "linux")]
    fn watcher(&self) -> Weak<dyn HearOfNetwork> {
        self.this.clone()
    }

    fn expiring(&self) -> Weak<dyn Expire> {
        self.this.clone()
    }
}

impl Expire for Driver {
    fn on_timer(&self) {
        self.run_with(|monitor, now| {
            monitor.armed.pass();
            // Their sums are narrow on small machines.
            monitor.collect_passed();
            for (link, entry) in monitor.links.iter() {
                if let Some(reached) = entry.reached() {
                    monitor.core.note_reached(*link, reached);
                }
            }
            monitor.core.expire(now);
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        timer::unregister(&self.expiring());
        #[cfg(target_os = "linux")]
        watching::unregister(&self.watcher());
    }
}

/// Where the credentials of a namespace come from.
#[derive(Clone)]
pub(crate) enum NamespaceAuth {
    Fixed(Payload),
    Function(AuthFunction),
}

#[cfg(test)]
mod tests;
