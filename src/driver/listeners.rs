//! Who receives what: subscriptions and callbacks of one namespace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crossbeam_channel::{Receiver, Sender};

use super::dispatch::{Call, Dispatcher, EventCallback};
use crate::event::Event;
use crate::event::status::Status;
use crate::net::Waker;
use crate::options::{Limits, WhenFull};
use crate::sync::budget::{Budget, Permit};
use crate::sync::lock::log_later;

/// The number of a callback, to remove it by; see [`Socket::off`](crate::Socket::off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(usize);

impl ListenerId {
    /// One that no other listener has, whosever it is.
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How many pieces of news wait for a reader who does not read. The oldest give way.
const NEWS: usize = 64;

/// The listeners of one namespace.
#[derive(Default)]
pub(crate) struct Listeners {
    by_event: HashMap<Box<str>, Vec<Listener>>,
    any: Vec<Listener>,
    outgoing: Vec<Listener>,
    statuses: Vec<(ListenerId, StatusSink)>,
}

/// A listener. Dropping it may run a user's code (the end of a callback's captures), so it is
/// dropped outside of the lock.
pub(super) struct Listener {
    id: ListenerId,
    once: bool,
    sink: Sink,
}

/// Which events a listener wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// Those of this name.
    Event(&'a str),
    /// All.
    Any,
    /// All that are sent.
    Outgoing,
}

/// When a listener gets its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    First,
    Last,
}

/// Where events go.
#[derive(Clone)]
pub(crate) enum Sink {
    /// A subscription; the receiver serves to take out the oldest.
    Channel(Sender<Event>, Receiver<Event>),
    /// A callback.
    Callback(EventCallback),
}

/// Where statuses go.
pub(crate) type StatusSink = NewsSink<Status>;

/// Where news goes.
pub(crate) enum NewsSink<T> {
    /// A subscription; the receiver serves to take out the oldest.
    Channel(Sender<T>, Receiver<T>),
    /// A callback.
    Callback(Arc<Mutex<dyn FnMut(T) + Send>>),
}

impl Listeners {
    /// Adds a listener.
    pub(super) fn add(
        &mut self,
        scope: Scope<'_>,
        order: Order,
        once: bool,
        sink: Sink,
    ) -> ListenerId {
        let id = ListenerId::new();
        let listener = Listener { id, once, sink };
        let list = match scope {
            Scope::Event(event) => self.by_event.entry(event.into()).or_default(),
            Scope::Any => &mut self.any,
            Scope::Outgoing => &mut self.outgoing,
        };
        match order {
            Order::Last => list.push(listener),
            Order::First => list.insert(0, listener),
        }
        id
    }

    pub(super) fn add_status(&mut self, sink: StatusSink) -> ListenerId {
        let id = ListenerId::new();
        self.statuses.push((id, sink));
        id
    }

    /// How many listeners there are.
    pub(super) fn count(&self, scope: Scope<'_>) -> usize {
        match scope {
            Scope::Event(event) => self.by_event.get(event).map_or(0, Vec::len),
            Scope::Any => self.any.len(),
            Scope::Outgoing => self.outgoing.len(),
        }
    }

    /// Takes out the callbacks of a scope. Subscriptions end by being dropped.
    pub(super) fn remove_callbacks(&mut self, scope: Scope<'_>) -> Vec<Listener> {
        let listeners = match scope {
            Scope::Event(event) => self.by_event.get_mut(event),
            Scope::Any => Some(&mut self.any),
            Scope::Outgoing => Some(&mut self.outgoing),
        };
        let removed = listeners.map(take_callbacks).unwrap_or_default();
        self.by_event.retain(|_, listeners| !listeners.is_empty());
        removed
    }

    /// Takes out the callbacks of all events.
    pub(super) fn remove_all_callbacks(&mut self) -> Vec<Listener> {
        let removed = self.by_event.values_mut().flat_map(take_callbacks).collect();
        self.by_event.retain(|_, listeners| !listeners.is_empty());
        removed
    }

    /// Takes out one listener.
    pub(super) fn remove(&mut self, id: ListenerId) -> (Option<Listener>, Option<StatusSink>) {
        let status = self.statuses.iter().position(|(listener, _)| *listener == id);
        let status = status.map(|index| self.statuses.remove(index).1);
        let event = [&mut self.any, &mut self.outgoing]
            .into_iter()
            .chain(self.by_event.values_mut())
            .find_map(|listeners| take(listeners, |listener| listener.id == id));
        self.by_event.retain(|_, listeners| !listeners.is_empty());
        (event, status)
    }

    /// Hands an event to everyone who wants it: first to those who want all. Listeners that were
    /// waiting for just this one are added to `done`.
    pub(super) fn deliver(
        &mut self,
        event: &Event,
        inbox: &Inbox,
        dispatcher: &Dispatcher,
        done: &mut Vec<Listener>,
    ) {
        let specific = self.by_event.get_mut(event.name());
        let mut wanted = false;
        for listeners in std::iter::once(&mut self.any).chain(specific) {
            let mut any_once = false;
            for listener in listeners.iter() {
                wanted = true;
                any_once |= listener.once;
                listener.deliver(event, inbox, dispatcher);
            }
            while any_once {
                match take(listeners, |listener| listener.once) {
                    Some(listener) => done.push(listener),
                    None => any_once = false,
                }
            }
        }
        if !wanted {
            log_later!(Debug, "nobody listens to the event {:?}", event.name());
        }
    }

    /// Shows an event that was sent to everyone who wants to see it.
    pub(super) fn show_sent(&self, event: &Event, inbox: &Inbox, dispatcher: &Dispatcher) {
        for listener in &self.outgoing {
            listener.deliver(event, inbox, dispatcher);
        }
    }

    /// Tells everyone who wants to know how the connection stands.
    pub(super) fn tell(&self, status: &Status, dispatcher: &Dispatcher) {
        for (_, sink) in &self.statuses {
            sink.tell(status.clone(), |callback, status| {
                dispatcher.call(Call::Status(callback, status));
            });
        }
    }
}

fn take_callbacks(listeners: &mut Vec<Listener>) -> Vec<Listener> {
    let all = std::mem::take(listeners);
    let (callbacks, others) =
        all.into_iter().partition(|listener| matches!(listener.sink, Sink::Callback(_)));
    *listeners = others;
    callbacks
}

fn take(listeners: &mut Vec<Listener>, which: impl Fn(&Listener) -> bool) -> Option<Listener> {
    let index = listeners.iter().position(which)?;
    Some(listeners.remove(index))
}

impl<T> NewsSink<T> {
    /// Passes on a piece of news; to a callback by way of the dispatch thread.
    pub(super) fn tell(&self, news: T, call: impl FnOnce(Arc<Mutex<dyn FnMut(T) + Send>>, T)) {
        match self {
            Self::Channel(sender, receiver) => {
                if receiver.len() >= NEWS {
                    let _ = receiver.try_recv();
                }
                let _ = sender.try_send(news);
            }
            Self::Callback(callback) => call(Arc::clone(callback), news),
        }
    }
}

impl Listener {
    fn deliver(&self, event: &Event, inbox: &Inbox, dispatcher: &Dispatcher) {
        let oldest = match &self.sink {
            Sink::Channel(_, receiver) => Some(receiver),
            Sink::Callback(_) => None,
        };
        let Some(permit) = inbox.enter(event, oldest) else { return };
        let event = event.with_permit(permit);
        match &self.sink {
            Sink::Channel(sender, _) => {
                let _ = sender.try_send(event);
            }
            Sink::Callback(callback) => dispatcher.call(Call::Event(Arc::clone(callback), event)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The receive buffer of one connection: an account over the queues of all its listeners.
pub(super) struct Inbox {
    budget: Arc<Budget>,
    policy: WhenFull,
    /// Whom to wake when there is room again. During an upgrade both transports may wait.
    waiting: Arc<Mutex<Vec<Weak<Waker>>>>,
    dropped: AtomicUsize,
    warned: AtomicBool,
}

impl Inbox {
    pub(super) fn new(limits: &Limits) -> Self {
        let waiting: Arc<Mutex<Vec<Weak<Waker>>>> = Arc::default();
        let to_wake = Arc::clone(&waiting);
        let resume = move || {
            for waker in lock(&to_wake).drain(..).filter_map(|waker| waker.upgrade()) {
                waker.wake();
            }
        };
        let budget = Budget::new(limits.receive_events, limits.receive_bytes, resume);
        Self {
            budget: Arc::new(budget),
            policy: limits.when_receive_full,
            waiting,
            dropped: AtomicUsize::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// Whether the reader behind this waker has to wait. It is woken when it can go on.
    pub(super) fn must_wait(&self, reader: &Arc<Waker>) -> bool {
        if self.policy != WhenFull::Wait || !self.budget.is_full() {
            return false;
        }
        self.warn_once("siot stops reading until the program takes some");
        let mut waiting = lock(&self.waiting);
        // Here those who were given up while they waited are forgotten as well.
        waiting.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&Arc::downgrade(reader)));
        waiting.push(Arc::downgrade(reader));
        drop(waiting);
        // Only now: whoever makes room from here on finds the reader in the list.
        self.budget.must_wait()
    }

    /// How many events were dropped.
    pub(super) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A place for the event, or none when it is to be dropped.
    fn enter(&self, event: &Event, oldest: Option<&Receiver<Event>>) -> Option<Permit> {
        if self.policy != WhenFull::Wait && self.budget.is_full() {
            self.warn_once("events are dropped");
            self.dropped.fetch_add(1, Ordering::Relaxed);
            let made_room = self.policy == WhenFull::DropOldest
                && oldest.is_some_and(|queue| queue.try_recv().is_ok());
            if !made_room {
                return None;
            }
        }
        Some(self.budget.enter(event.size()))
    }

    fn warn_once(&self, consequence: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            log_later!(Warn, "the receive buffer is full: {consequence} (see Limits; said once)");
        }
    }
}
