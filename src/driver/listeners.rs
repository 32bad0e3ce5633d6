//! Who receives what: the subscriptions and the callbacks of one namespace.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::consumer::{Consumer, ConsumerId, load};
use super::dispatch::{Call, Callback, Dispatcher};
use super::group::Group;
use super::listener_id::ListenerId;
use super::sink::Sink;
use crate::core::load::Load;
use crate::error::snippet;
use crate::event::Event;
use crate::event::incoming::Incoming;
use crate::event::status::Status;
use crate::sync::account::{Account, AccountId, ONLY};
use crate::sync::deliver::Deliver;
use crate::sync::logging::log_later;
use crate::sync::mailbox::{Brought, Dropped, Mailbox};
use crate::sync::readiness::{Readiness, Wakeup};

/// The listeners of one namespace.
#[derive(Default)]
pub(crate) struct Listeners {
    by_event: HashMap<Box<str>, Vec<Listener<Event>>>,
    any: Vec<Listener<Event>>,
    outgoing: Vec<Listener<Event>>,
    statuses: Vec<Listener<Status>>,
}

/// A listener. Dropping it may run a user's code (the end of what a callback has captured), so it
/// is dropped outside of the lock, and never on a thread that a connection depends on.
pub(super) struct Listener<T> {
    pub(super) id: ListenerId,
    pub(super) sink: Sink<T>,
    /// The name of the events that it wants; `None`: all.
    event: Option<Box<str>>,
    calls: Calls,
}

/// How often a listener is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    Any,
    /// Once, and that has not been.
    Once,
    /// Once, and the call waits for its turn. The dispatch thread removes the listener then.
    Called,
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

/// Takes what follows from deliveries: whom to wake, what to drop, which consumer is full.
pub(super) trait Follow {
    /// Somebody waits for what was delivered.
    fn wake(&mut self, waiter: Wakeup);

    /// A consumer of received events is full, and pushes back.
    fn full(&mut self, consumer: Consumer);

    /// The name of the namespace.
    fn namespace(&self) -> &str;

    /// Where events for one consumer wait until they are brought together.
    fn group(&mut self) -> &mut Group;

    /// Brings what waits there.
    fn bring_group(&mut self, dispatcher: &Dispatcher);

    /// Received events were dropped for want of room; `event` names those that the consumer wants.
    fn lost(&mut self, count: Dropped, event: Option<&str>);

    /// What is to be done once a callback that is called once has been.
    fn after_once(&self, listener: ListenerId) -> Box<dyn FnOnce() + Send>;
}

/// What follows where something is only shown: whoever misses some of it has lost nothing that was
/// received.
struct Shown<'a, F>(&'a mut F);

impl<F: Follow> Follow for Shown<'_, F> {
    fn wake(&mut self, waiter: Wakeup) {
        self.0.wake(waiter);
    }

    fn namespace(&self) -> &str {
        self.0.namespace()
    }

    fn group(&mut self) -> &mut Group {
        self.0.group()
    }

    fn bring_group(&mut self, dispatcher: &Dispatcher) {
        self.0.bring_group(dispatcher);
    }

    fn full(&mut self, _: Consumer) {}

    fn lost(&mut self, _: Dropped, _: Option<&str>) {}

    fn after_once(&self, listener: ListenerId) -> Box<dyn FnOnce() + Send> {
        self.0.after_once(listener)
    }
}

impl Listeners {
    /// Adds a listener.
    pub(super) fn add(
        &mut self,
        scope: Scope<'_>,
        order: Order,
        calls: Calls,
        sink: Sink<Event>,
    ) -> ListenerId {
        let id = ListenerId::new();
        self.add_as(id, scope, order, calls, sink);
        id
    }

    fn add_as(
        &mut self,
        id: ListenerId,
        scope: Scope<'_>,
        order: Order,
        calls: Calls,
        sink: Sink<Event>,
    ) {
        let event = match scope {
            Scope::Event(event) => Some(event.into()),
            Scope::Any | Scope::Outgoing => None,
        };
        let listener = Listener { id, sink, event, calls };
        let list = match scope {
            Scope::Event(event) => self.by_event.entry(event.into()).or_default(),
            Scope::Any => &mut self.any,
            Scope::Outgoing => &mut self.outgoing,
        };
        match order {
            Order::Last => list.push(listener),
            Order::First => list.insert(0, listener),
        }
    }

    pub(super) fn add_status(&mut self, sink: Sink<Status>) -> ListenerId {
        let listener = Listener::new(sink);
        let id = listener.id;
        self.statuses.push(listener);
        id
    }

    /// Adds one who gets all events and all statuses.
    pub(super) fn add_to_all(&mut self, mailbox: &Arc<Mailbox<Incoming>>) -> ListenerId {
        let id = self.add_status(Sink::Mixed(Arc::clone(mailbox) as _));
        let sink = Sink::Mixed(Arc::clone(mailbox) as _);
        self.add_as(id, Scope::Any, Order::Last, Calls::Any, sink);
        id
    }

    /// How many listeners there are.
    pub(super) fn count(&self, scope: Scope<'_>) -> usize {
        let list = match scope {
            Scope::Event(event) => self.by_event.get(event),
            Scope::Any => Some(&self.any),
            Scope::Outgoing => Some(&self.outgoing),
        };
        list.map_or(0, |list| list.iter().filter(|listener| !listener.is_done()).count())
    }

    /// How many callbacks there are for events that are received.
    pub(super) fn callbacks(&self) -> usize {
        self.received().filter(|listener| listener.account().is_some()).count()
    }

    /// Whether one of these consumers gets the events of this name.
    pub(super) fn has_one_of(&self, consumers: &[Consumer], event: &str) -> bool {
        let specific = self.by_event.get(event).into_iter().flatten();
        let mut served = self.any.iter().chain(specific).map(Listener::consumer);
        served.any(|id| consumers.iter().any(|consumer| consumer.id == id))
    }

    /// Takes out the callbacks of a scope. Subscriptions end by being dropped.
    pub(super) fn remove_callbacks(&mut self, scope: Scope<'_>) -> Vec<Listener<Event>> {
        let listeners = match scope {
            Scope::Event(event) => self.by_event.get_mut(event),
            Scope::Any => Some(&mut self.any),
            Scope::Outgoing => Some(&mut self.outgoing),
        };
        let removed = listeners.map(take_callbacks).unwrap_or_default();
        self.forget_empty();
        removed
    }

    /// Takes out the callbacks of all events.
    pub(super) fn remove_all_callbacks(&mut self) -> Vec<Listener<Event>> {
        let removed = self.by_event.values_mut().flat_map(take_callbacks).collect();
        self.forget_empty();
        removed
    }

    /// Takes out one listener to events.
    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Listener<Event>> {
        let removed = [&mut self.any, &mut self.outgoing]
            .into_iter()
            .chain(self.by_event.values_mut())
            .find_map(|list| take(list, |listener| listener.id == id));
        self.forget_empty();
        removed
    }

    /// Takes out one listener to statuses.
    pub(super) fn remove_status(&mut self, id: ListenerId) -> Option<Listener<Status>> {
        take(&mut self.statuses, |listener| listener.id == id)
    }

    /// Withdraws the calls for received events that wait; they are given, to be dropped by the
    /// caller. A callback that is called once and was not yet has its turn again.
    pub(super) fn withdraw_calls(&mut self, dispatcher: &Dispatcher) -> Vec<VecDeque<Call>> {
        let mut withdrawn = Vec::new();
        for listener in self.any.iter_mut().chain(self.by_event.values_mut().flatten()) {
            let Some(account) = listener.account() else { continue };
            let calls = dispatcher.clear(account);
            if listener.calls == Calls::Called && !calls.is_empty() {
                listener.calls = Calls::Once;
            }
            withdrawn.push(calls);
        }
        withdrawn
    }

    /// What a listener has lost for want of room.
    pub(super) fn lost(&self, id: ListenerId, dispatcher: &Dispatcher) -> Option<usize> {
        let of_status = self.statuses.iter().find(|listener| listener.id == id);
        if let Some(listener) = of_status {
            return listener.lost(dispatcher);
        }
        let mut all = self.received().chain(&self.outgoing);
        all.find(|listener| listener.id == id)?.lost(dispatcher)
    }

    /// How much was received and waits for them.
    pub(super) fn waiting(&self, dispatcher: &Dispatcher) -> Load {
        let of_each = self.received().filter_map(|listener| match &listener.sink {
            Sink::Mailbox(mailbox) => mailbox.look(ONLY, load),
            Sink::Mixed(mailbox) => Some(mailbox.load()),
            Sink::Callback(_, account) => dispatcher.look(*account, load),
        });
        of_each.fold(Load::default(), |sum, load| sum + load)
    }

    /// Hands an event to everyone who wants it: first to those who want all.
    pub(super) fn deliver(
        &mut self,
        event: Event,
        dispatcher: &Dispatcher,
        follow: &mut impl Follow,
    ) {
        let specific = self.by_event.get_mut(event.name());
        let all = self.any.iter_mut().chain(specific.into_iter().flatten());
        let mut wanting = all.filter(|listener| !listener.is_done());
        let Some(mut listener) = wanting.next() else {
            let name = snippet(event.name().as_bytes());
            log_later!(Debug, in follow.namespace(), "nobody listens to \"{name}\"");
            return;
        };
        // Mostly there is one, which gets the event itself and no clone.
        for next in wanting {
            listener.deliver(event.clone(), dispatcher, follow);
            listener = next;
        }
        listener.deliver(event, dispatcher, follow);
    }

    /// Shows an event that was sent to everyone who wants to see it.
    pub(super) fn show_outgoing(
        &mut self,
        event: &Event,
        dispatcher: &Dispatcher,
        follow: &mut impl Follow,
    ) {
        for listener in &mut self.outgoing {
            listener.deliver(event.clone(), dispatcher, &mut Shown(follow));
        }
    }

    /// Tells everyone who wants to know how the connection stands.
    pub(super) fn tell(&self, status: &Status, dispatcher: &Dispatcher, follow: &mut impl Follow) {
        for listener in &self.statuses {
            if let Sink::Mixed(mailbox) = &listener.sink {
                listener.follow_up(mailbox.bring(status.clone()), follow);
                continue;
            }
            for waiter in listener.tell(status, dispatcher, Call::Status) {
                follow.wake(waiter);
            }
        }
    }

    /// Ends all subscriptions; what is there can be read.
    pub(super) fn close(&self) {
        let events = self.received().chain(&self.outgoing);
        events.for_each(|listener| listener.sink.close());
        self.statuses.iter().for_each(|listener| listener.sink.close());
    }

    /// Adds a descriptor that is to be readable while something waits in one of the subscriptions.
    pub(super) fn add_poller(&self, readiness: &Arc<Readiness>) {
        let events = self.received().chain(&self.outgoing);
        events.for_each(|listener| listener.add_poller(readiness));
        self.statuses.iter().for_each(|listener| listener.add_poller(readiness));
    }

    /// The accounts of all callbacks for events.
    pub(super) fn event_accounts(&self) -> impl Iterator<Item = AccountId> {
        self.received().chain(&self.outgoing).filter_map(Listener::account)
    }

    /// The accounts of all callbacks for statuses.
    pub(super) fn status_accounts(&self) -> impl Iterator<Item = AccountId> {
        self.statuses.iter().filter_map(Listener::account)
    }

    fn received(&self) -> impl Iterator<Item = &Listener<Event>> {
        self.any.iter().chain(self.by_event.values().flatten())
    }

    /// For how many names of events something is kept.
    #[cfg(test)]
    pub(super) fn names(&self) -> usize {
        self.by_event.len()
    }

    fn forget_empty(&mut self) {
        self.by_event.retain(|_, listeners| !listeners.is_empty());
    }
}

fn take_callbacks(listeners: &mut Vec<Listener<Event>>) -> Vec<Listener<Event>> {
    let all = std::mem::take(listeners);
    let (callbacks, others) = all.into_iter().partition(|listener| listener.account().is_some());
    *listeners = others;
    callbacks
}

fn take<T>(
    listeners: &mut Vec<Listener<T>>,
    which: impl Fn(&Listener<T>) -> bool,
) -> Option<Listener<T>> {
    let index = listeners.iter().position(which)?;
    Some(listeners.remove(index))
}

impl<T: Deliver> Listener<T> {
    pub(super) fn new(sink: Sink<T>) -> Self {
        Self { id: ListenerId::new(), sink, event: None, calls: Calls::Any }
    }

    /// The account of a callback.
    pub(super) fn account(&self) -> Option<AccountId> {
        match &self.sink {
            Sink::Mailbox(_) | Sink::Mixed(_) => None,
            Sink::Callback(_, account) => Some(*account),
        }
    }

    /// Adds a descriptor that is to be readable while something waits for it, if it is a subscription.
    pub(super) fn add_poller(&self, readiness: &Arc<Readiness>) {
        match &self.sink {
            Sink::Mailbox(mailbox) => mailbox.add_poller(readiness),
            Sink::Mixed(mailbox) => mailbox.add_poller(readiness),
            Sink::Callback(..) => {}
        }
    }

    /// By what its consumer is known.
    fn consumer(&self) -> ConsumerId {
        match &self.sink {
            Sink::Mailbox(_) | Sink::Mixed(_) => ConsumerId::Subscription(self.id),
            Sink::Callback(_, account) => ConsumerId::Callback(*account),
        }
    }

    /// It was called once, as it was to be.
    fn is_done(&self) -> bool {
        self.calls == Calls::Called
    }

    fn lost(&self, dispatcher: &Dispatcher) -> Option<usize> {
        match &self.sink {
            Sink::Mailbox(mailbox) => Some(mailbox.lost()),
            Sink::Mixed(mailbox) => Some(mailbox.lost()),
            Sink::Callback(_, account) => dispatcher.look(*account, Account::lost),
        }
    }

    /// Passes on a piece of news; to a callback by way of the dispatch thread. Gives those who wait for it.
    pub(super) fn tell(
        &self,
        news: &T,
        dispatcher: &Dispatcher,
        call: impl FnOnce(Arc<Callback<T>>, T) -> Call,
    ) -> Vec<Wakeup>
    where
        T: Clone,
    {
        match &self.sink {
            Sink::Mailbox(mailbox) => mailbox.bring(ONLY, news.clone()).waiters,
            Sink::Mixed(mailbox) => mailbox.bring(news.clone()).waiters,
            Sink::Callback(callback, account) => {
                let call = call(Arc::clone(callback), news.clone());
                dispatcher.call(*account, call).waiters
            }
        }
    }

    /// Sees to what follows from a delivery; whether the consumer pushes back.
    fn follow_up<B>(&self, brought: Brought<B>, follow: &mut impl Follow) -> bool {
        brought.waiters.into_iter().for_each(|waiter| follow.wake(waiter));
        if !brought.dropped.is_empty() {
            follow.lost(brought.count, self.event.as_deref());
        }
        brought.pushes_back
    }
}

impl Listener<Event> {
    fn deliver(&mut self, event: Event, dispatcher: &Dispatcher, follow: &mut impl Follow) {
        let after = (self.calls == Calls::Once).then(|| {
            self.calls = Calls::Called;
            follow.after_once(self.id)
        });
        // A group has events and nothing else: a call that something follows goes by itself.
        let event = match after {
            None => follow.group().add(&self.sink, event),
            Some(_) => Some(event),
        };
        let Some(event) = event else { return };
        // Those before it have it when the callback runs.
        follow.bring_group(dispatcher);
        match &self.sink {
            Sink::Mailbox(mailbox) => {
                let brought = mailbox.bring(ONLY, event);
                follow.group().open(&self.sink, brought.room);
                if self.follow_up(brought, follow) {
                    let what = self.describe("subscription to", follow.namespace());
                    follow.full(Consumer::subscription(self.id, what, Arc::clone(mailbox) as _));
                }
            }
            Sink::Mixed(mailbox) => {
                if self.follow_up(mailbox.bring(event), follow) {
                    let what = self.describe("subscription to", follow.namespace());
                    let consumer = Arc::clone(mailbox).consumer();
                    follow.full(Consumer::subscription(self.id, what, consumer));
                }
            }
            Sink::Callback(callback, account) => {
                let call = Call::Event(Arc::clone(callback), event, after);
                let brought = dispatcher.call(*account, call);
                follow.group().open(&self.sink, brought.room);
                if self.follow_up(brought, follow) {
                    let what = self.describe("callback for", follow.namespace());
                    follow.full(Consumer::callback(*account, what));
                }
            }
        }
    }

    /// Which consumer it is, for users.
    fn describe(&self, kind: &str, namespace: &str) -> String {
        match &self.event {
            Some(event) => format!("the {kind} {event:?} in {namespace:?}"),
            None => format!("the {kind} all events in {namespace:?}"),
        }
    }
}
