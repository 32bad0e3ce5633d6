//! Adding and removing listeners, and delivering to them.

use std::sync::{Arc, Mutex};

use super::outputs::Action;
use super::waiting::WayBack;
use super::{AuthFunction, Driver, Monitor};
use crate::core::ids::NamespaceId;
use crate::driver::dispatch::{Call, Dispatcher, Function};
use crate::driver::listeners::{Calls, Listener, ListenerId, Listeners, Order, Scope, Sink};
use crate::error::Result;
use crate::event::status::{ManagerEvent, Status};
use crate::event::{Event, Reply};
use crate::options::{Buffer, WhenFull};
use crate::proto::socket_packet::SocketPacket;
use crate::sync::account::Bounds;
use crate::sync::mailbox::{Deliver, Mailbox, ONLY};

/// The bounds of what tells of the connection: the oldest give way, and hold up nothing.
const NEWS: Bounds = Bounds { events: 64, bytes: usize::MAX, when_full: WhenFull::DropOldest };

/// What is taken out may run a user's code when it is dropped: it is handed to the caller, and
/// dropped when no lock is held.
#[must_use = "it has to be dropped when no lock is held"]
pub(crate) struct Removed {
    _listeners: Listeners,
    _calls: Vec<Call>,
    _auth: Option<AuthFunction>,
}

impl Driver {
    /// Adds a subscription to events.
    pub(crate) fn subscribe(
        &self,
        namespace: NamespaceId,
        scope: Scope<'_>,
        buffer: Buffer,
    ) -> (ListenerId, Arc<Mailbox<Event>>) {
        let is_received = !matches!(scope, Scope::Outgoing);
        let gate = if is_received { &self.intake.gate } else { &self.intake.aside };
        let mailbox = Mailbox::with_account(self.bounds(scope, buffer), gate);
        mailbox.set_may_hunger(is_received);
        let sink = Sink::Mailbox(Arc::clone(&mailbox));
        let add =
            |listeners: &mut Listeners, _: &_| listeners.add(scope, Order::Last, Calls::Any, sink);
        (self.change_listeners(namespace, add), mailbox)
    }

    /// Adds a callback for events.
    pub(crate) fn call_on(
        &self,
        namespace: NamespaceId,
        scope: Scope<'_>,
        order: Order,
        function: Function<Event>,
        buffer: Buffer,
    ) -> Result<ListenerId> {
        self.start_dispatch()?;
        let bounds = self.bounds(scope, buffer);
        let calls = match function {
            Function::Repeated(_) => Calls::Any,
            Function::Once(_) => Calls::Once,
        };
        Ok(self.change_listeners(namespace, |listeners, dispatcher| {
            let account = dispatcher.open_account(bounds);
            let sink = Sink::Callback(Arc::new(Mutex::new(function)), account);
            listeners.add(scope, order, calls, sink)
        }))
    }

    /// The bounds of a consumer, where these are asked for. What is sent holds up nothing unless that is
    /// asked for by name.
    fn bounds(&self, scope: Scope<'_>, buffer: Buffer) -> Bounds {
        let when_full = match scope {
            Scope::Outgoing => WhenFull::DropOldest,
            Scope::Event(_) | Scope::Any => {
                buffer.when_full.unwrap_or(self.limits.when_receive_full)
            }
        };
        Bounds {
            events: buffer.events.unwrap_or(self.limits.receive_events),
            bytes: buffer.bytes.unwrap_or(self.limits.receive_bytes),
            when_full,
        }
    }

    /// Makes sure that there is a thread to run callbacks on.
    pub(crate) fn start_dispatch(&self) -> Result<()> {
        self.lock().dispatcher.start()
    }

    /// How many listeners there are.
    pub(crate) fn count_listeners(&self, namespace: NamespaceId, scope: Scope<'_>) -> usize {
        let monitor = self.lock();
        monitor.listeners.get(namespace.0 as usize).map_or(0, |listeners| listeners.count(scope))
    }

    /// How many events a listener has lost for want of room; `None` when there is none of this
    /// number.
    pub(crate) fn lost(&self, namespace: NamespaceId, id: ListenerId) -> Option<usize> {
        let monitor = self.lock();
        monitor.listeners.get(namespace.0 as usize)?.lost(id, &monitor.dispatcher)
    }

    /// Removes the callbacks of a scope, or with `None` those of all events; gives their number. None of
    /// their calls begins any more.
    pub(crate) fn remove_callbacks(
        &self,
        namespace: NamespaceId,
        scope: Option<Scope<'_>>,
    ) -> usize {
        let (removed, calls) = self.change_listeners(namespace, |listeners, dispatcher| {
            let removed = match scope {
                Some(scope) => listeners.remove_callbacks(scope),
                None => listeners.remove_all_callbacks(),
            };
            let accounts = removed.iter().filter_map(Listener::account);
            let calls: Vec<_> = accounts.map(|account| dispatcher.close_account(account)).collect();
            (removed, calls)
        });
        drop(calls);
        removed.len()
    }

    /// Adds a subscription to the statuses of a namespace, which begins with how it stands.
    pub(crate) fn subscribe_status(
        &self,
        namespace: NamespaceId,
    ) -> (ListenerId, Arc<Mailbox<Status>>) {
        let mailbox = Mailbox::with_account(NEWS, &self.intake.aside);
        let mut monitor = self.lock();
        if let Some(status) = monitor.core.namespace(namespace).status() {
            // Nobody waits for it yet.
            let _ = mailbox.bring(ONLY, status);
        }
        let sink = Sink::Mailbox(Arc::clone(&mailbox));
        (monitor.listeners[namespace.0 as usize].add_status(sink), mailbox)
    }

    /// Adds a callback for the statuses of a namespace.
    pub(crate) fn call_on_status(
        &self,
        namespace: NamespaceId,
        function: Function<Status>,
    ) -> Result<ListenerId> {
        let mut monitor = self.lock();
        monitor.dispatcher.start()?;
        let account = monitor.dispatcher.open_account(NEWS);
        let sink = Sink::Callback(Arc::new(Mutex::new(function)), account);
        Ok(monitor.listeners[namespace.0 as usize].add_status(sink))
    }

    /// Removes one listener; `false` when there is none of this number. None of its calls begins any
    /// more.
    pub(crate) fn unlisten(&self, namespace: NamespaceId, id: ListenerId) -> bool {
        let (event, status, calls) = self.change_listeners(namespace, |listeners, dispatcher| {
            let event = listeners.remove(id);
            let status = listeners.remove_status(id);
            let account = event.as_ref().and_then(Listener::account);
            let account = account.or(status.as_ref().and_then(Listener::account));
            let calls = account.map(|account| dispatcher.close_account(account));
            (event, status, calls)
        });
        drop(calls);
        let of_event = event.map(|listener| end(&listener.sink));
        let of_status = status.map(|listener| end(&listener.sink));
        of_event.or(of_status).is_some()
    }

    fn change_listeners<R>(
        &self,
        namespace: NamespaceId,
        change: impl FnOnce(&mut Listeners, &Dispatcher) -> R,
    ) -> R {
        let mut monitor = self.lock();
        let Monitor { listeners, dispatcher, core, callbacks, .. } = &mut *monitor;
        let listeners = &mut listeners[namespace.0 as usize];
        *callbacks -= listeners.callbacks();
        let result = change(listeners, dispatcher);
        *callbacks += listeners.callbacks();
        dispatcher.set_may_hunger(*callbacks > 0);
        core.observe_outgoing(namespace, listeners.count(Scope::Outgoing) > 0);
        // What is taken out may run a user's code when it is dropped: the caller has it, and by
        // then the lock is released.
        result
    }

    /// Leaves a namespace. No call begins any more for what had come before.
    pub(crate) fn disconnect(&self, namespace: NamespaceId) {
        let withdrawn = self.run_with(|monitor, now| {
            monitor.core.disconnect(namespace, now);
            let Monitor { listeners, dispatcher, .. } = monitor;
            let listeners = listeners.get_mut(namespace.0 as usize);
            listeners.map(|listeners| listeners.withdraw_calls(dispatcher))
        });
        drop(withdrawn);
    }

    /// Ends all subscriptions and callbacks. Those who hear of the connection still hear of its end.
    pub(crate) fn unlisten_all(&self) {
        let mut monitor = self.lock();
        let removed: Vec<Listeners> = monitor.listeners.iter_mut().map(std::mem::take).collect();
        let of_manager = std::mem::take(&mut monitor.manager_listeners);
        let accounts = removed.iter().flat_map(Listeners::event_accounts);
        let calls: Vec<_> =
            accounts.map(|account| monitor.dispatcher.close_account(account)).collect();
        monitor.callbacks = 0;
        monitor.dispatcher.set_may_hunger(false);
        drop(monitor);
        self.observers.clear();
        removed.iter().for_each(Listeners::close);
        of_manager.iter().for_each(|listener| listener.sink.close());
        drop((removed, of_manager, calls));
    }

    /// Adds a subscription to the news of the connection.
    pub(crate) fn subscribe_manager(&self) -> (ListenerId, Arc<Mailbox<ManagerEvent>>) {
        let mailbox = Mailbox::with_account(NEWS, &self.intake.aside);
        let listener = Listener::new(Sink::Mailbox(Arc::clone(&mailbox)));
        let id = listener.id;
        self.lock().manager_listeners.push(listener);
        (id, mailbox)
    }

    /// Adds a callback for the news of the connection.
    pub(crate) fn call_on_manager(&self, function: Function<ManagerEvent>) -> Result<ListenerId> {
        let mut monitor = self.lock();
        monitor.dispatcher.start()?;
        let account = monitor.dispatcher.open_account(NEWS);
        let listener = Listener::new(Sink::Callback(Arc::new(Mutex::new(function)), account));
        let id = listener.id;
        monitor.manager_listeners.push(listener);
        Ok(id)
    }

    /// Removes a listener to the news of the connection, or an observer of its session; `false`
    /// when there is none of this number.
    pub(crate) fn unlisten_manager(&self, id: ListenerId) -> bool {
        let mut monitor = self.lock();
        let listeners = &mut monitor.manager_listeners;
        let found = listeners.iter().position(|listener| listener.id == id);
        let removed = found.map(|index| listeners.remove(index));
        let account = removed.as_ref().and_then(Listener::account);
        let calls = account.map(|account| monitor.dispatcher.close_account(account));
        drop(monitor);
        drop(calls);
        removed.map(|listener| end(&listener.sink)).is_some() || self.unobserve(id)
    }

    /// Ends all that concerns a namespace whose last handle is gone.
    pub(crate) fn forget(&self, namespace: NamespaceId) -> Removed {
        let removed = self.run_with(|monitor, now| {
            monitor.core.forget(namespace, now);
            monitor.last_errors.remove(&namespace);
            let auth = monitor.auth_functions.remove(&namespace);
            let listeners = std::mem::take(&mut monitor.listeners[namespace.0 as usize]);
            monitor.callbacks -= listeners.callbacks();
            monitor.dispatcher.set_may_hunger(monitor.callbacks > 0);
            let accounts = listeners.event_accounts();
            let calls = accounts.flat_map(|account| monitor.dispatcher.close_account(account));
            Removed { _calls: calls.collect(), _listeners: listeners, _auth: auth }
        });
        removed._listeners.close();
        removed
    }

    pub(super) fn deliver(
        &self,
        monitor: &mut Monitor,
        namespace: NamespaceId,
        session: u32,
        packet: SocketPacket,
        actions: &mut Vec<Action>,
    ) {
        let reply = packet.id.map(|ack| {
            let way_back = WayBack {
                driver: self.this.clone(),
                namespace,
                session,
                ack: Mutex::new(Some(ack)),
            };
            Arc::new(way_back) as Arc<dyn Reply>
        });
        let event = Event::new(packet, reply);
        let (listeners, dispatcher, mut follow) = monitor.split(namespace, &self.this, actions);
        if let Some(listeners) = listeners {
            listeners.deliver(event, dispatcher, &mut follow);
        }
    }
}

/// Ends a subscription that nobody has any more; a callback's calls were withdrawn already.
fn end<T: Deliver>(sink: &Sink<T>) {
    if let Sink::Mailbox(mailbox) = sink {
        mailbox.close();
        drop(mailbox.close_account(ONLY));
    }
}
