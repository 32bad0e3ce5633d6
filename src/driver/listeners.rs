//! Who receives what: subscriptions and callbacks of one namespace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use super::dispatch::{Call, Dispatcher, EventCallback, StatusCallback};
use crate::budget::{Budget, Permit};
use crate::event::{Event, Status};
use crate::net::Signal;
use crate::options::{Limits, WhenFull};

/// The number of a listener, to remove it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(usize);

/// How many statuses wait for a reader who does not read. The oldest give way.
const STATUSES: usize = 64;

/// The listeners of one namespace.
#[derive(Default)]
pub(super) struct Listeners {
    by_event: HashMap<Box<str>, Vec<Listener>>,
    any: Vec<Listener>,
    statuses: Vec<(ListenerId, StatusSink)>,
    next: usize,
}

/// A listener. Dropping it may run a user's code (the end of a callback's captures), so it is
/// dropped outside of the lock.
pub(super) struct Listener {
    id: ListenerId,
    once: bool,
    sink: Sink,
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
pub(crate) enum StatusSink {
    Channel(Sender<Status>, Receiver<Status>),
    Callback(StatusCallback),
}

impl Listeners {
    /// Adds a listener for an event, or for all of them.
    pub(super) fn add(&mut self, event: Option<&str>, once: bool, sink: Sink) -> ListenerId {
        let id = self.new_id();
        let list = match event {
            Some(event) => self.by_event.entry(event.into()).or_default(),
            None => &mut self.any,
        };
        list.push(Listener { id, once, sink });
        id
    }

    pub(super) fn add_status(&mut self, sink: StatusSink) -> ListenerId {
        let id = self.new_id();
        self.statuses.push((id, sink));
        id
    }

    /// Takes out one listener.
    pub(super) fn remove(&mut self, id: ListenerId) -> (Option<Listener>, Option<StatusSink>) {
        let status = self.statuses.iter().position(|(listener, _)| *listener == id);
        let status = status.map(|index| self.statuses.remove(index).1);
        let event = std::iter::once(&mut self.any)
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
            log::debug!("nobody listens to the event {:?}", event.name());
        }
    }

    /// Tells everyone who wants to know how the connection stands.
    pub(super) fn tell(&self, status: &Status, dispatcher: &Dispatcher) {
        for (_, sink) in &self.statuses {
            match sink {
                StatusSink::Channel(sender, receiver) => {
                    if receiver.len() >= STATUSES {
                        let _ = receiver.try_recv();
                    }
                    let _ = sender.try_send(status.clone());
                }
                StatusSink::Callback(callback) => {
                    dispatcher.call(Call::Status(Arc::clone(callback), status.clone()));
                }
            }
        }
    }

    fn new_id(&mut self) -> ListenerId {
        self.next = self.next.wrapping_add(1);
        ListenerId(self.next)
    }
}

fn take(listeners: &mut Vec<Listener>, which: impl Fn(&Listener) -> bool) -> Option<Listener> {
    let index = listeners.iter().position(which)?;
    Some(listeners.remove(index))
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

/// The receive buffer of one connection: an account over the queues of all its listeners.
pub(super) struct Inbox {
    budget: Arc<Budget>,
    policy: WhenFull,
    /// Whom to wake when there is room again: the reader of the current transport.
    reader: Arc<Mutex<Option<Arc<Signal>>>>,
    dropped: AtomicUsize,
    warned: AtomicBool,
}

impl Inbox {
    pub(super) fn new(limits: &Limits) -> Self {
        let reader: Arc<Mutex<Option<Arc<Signal>>>> = Arc::default();
        let to_wake = Arc::clone(&reader);
        let resume = move || {
            if let Some(signal) = &*to_wake.lock().unwrap_or_else(PoisonError::into_inner) {
                signal.wake();
            }
        };
        let budget = Budget::new(limits.receive_events, limits.receive_bytes, resume);
        Self {
            budget: Arc::new(budget),
            policy: limits.when_receive_full,
            reader,
            dropped: AtomicUsize::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// The thread behind this signal reads from now on.
    pub(super) fn set_reader(&self, signal: &Arc<Signal>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(signal));
    }

    /// Whether the reader has to wait. It is woken when it can go on.
    pub(super) fn must_wait(&self) -> bool {
        let must_wait = self.policy == WhenFull::Wait && self.budget.must_wait();
        if must_wait {
            self.warn_once("siot stops reading until the program takes some");
        }
        must_wait
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
            log::warn!("the receive buffer is full: {consequence} (see Limits; said once)");
        }
    }
}
