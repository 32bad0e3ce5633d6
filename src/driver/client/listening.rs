//! Adding and removing listeners, and delivering to them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::outputs::Action;
use super::waiting::WayBack;
use super::{AuthFunction, Driver, Monitor, PerNamespace};
use crate::core::ids::NamespaceId;
use crate::driver::dispatch::{Call, Callback, Dispatcher, Function};
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Calls, Listener, Listeners, Order, Scope};
use crate::driver::sink::Sink;
use crate::error::Result;
use crate::event::{Event, Reply};
use crate::options::{Buffer, WhenFull};
use crate::proto::socket_packet::SocketPacket;
use crate::sync::account::Bounds;
use crate::sync::gate::Gate;
use crate::sync::mailbox::Mailbox;

/// What is taken out may run a user's code when it is dropped: it is handed to the caller, and
/// dropped when no lock is held.
#[must_use = "it has to be dropped when no lock is held"]
#[allow(dead_code)]
pub(crate) struct Removed {
    listeners: Listeners,
    calls: Vec<VecDeque<Call>>,
    auth: Option<AuthFunction>,
}

impl Driver {
    /// Adds a subscription to events.
    pub(crate) fn subscribe(
        &self,
        namespace: NamespaceId,
        scope: Scope<'_>,
        buffer: Buffer,
    ) -> (ListenerId, Arc<Mailbox<Event>>) {
        let mailbox = Mailbox::with_account(self.bounds(scope, buffer), self.gate(scope));
        mailbox.set_may_hunger(!matches!(scope, Scope::Outgoing));
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
            let account = dispatcher.open_account(bounds, self.gate(scope));
            let sink = Sink::Callback(Callback::new(function), account);
            listeners.add(scope, order, calls, sink)
        }))
    }

    /// What is sent takes nothing from what is received.
    pub(super) fn gate(&self, scope: Scope<'_>) -> &Arc<Gate> {
        match scope {
            Scope::Event(_) | Scope::Any => &self.intake.gate,
            Scope::Outgoing => &self.intake.aside,
        }
    }

    /// The bounds of a consumer, where these are asked for. Who watches what is sent holds up nothing.
    pub(super) fn bounds(&self, scope: Scope<'_>, buffer: Buffer) -> Bounds {
        let when_full = match scope {
            Scope::Outgoing => WhenFull::DropOldest,
            Scope::Event(_) | Scope::Any => {
                buffer.when_full.unwrap_or(self.limits.when_receive_full)
            }
        };
        self.bounds_with(when_full, buffer)
    }

    /// The bounds of a consumer with this policy.
    pub(super) fn bounds_with(&self, when_full: WhenFull, buffer: Buffer) -> Bounds {
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
        monitor.namespaces.get(namespace).map_or(0, |entry| entry.listeners.count(scope))
    }

    /// How many events a listener has lost for want of room; `None` when there is none of this
    /// number.
    pub(crate) fn lost(&self, namespace: NamespaceId, id: ListenerId) -> Option<usize> {
        let monitor = self.lock();
        monitor.namespaces.get(namespace)?.listeners.lost(id, &monitor.dispatcher)
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
        for listener in &removed {
            listener.sink.end();
        }
        removed.len()
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
        let of_event = event.map(|listener| listener.sink.end());
        let of_status = status.map(|listener| listener.sink.end());
        of_event.or(of_status).is_some()
    }

    pub(super) fn change_listeners<R>(
        &self,
        namespace: NamespaceId,
        change: impl FnOnce(&mut Listeners, &Dispatcher) -> R,
    ) -> R {
        let mut monitor = self.lock();
        let Monitor { namespaces, dispatcher, core, callbacks, .. } = &mut *monitor;
        // Of a namespace that is gone there are none, and none are kept.
        let mut none = Listeners::default();
        let entry = namespaces.get_mut(namespace);
        let listeners = entry.map_or(&mut none, |entry| &mut entry.listeners);
        *callbacks -= listeners.callbacks();
        let result = change(listeners, dispatcher);
        *callbacks += listeners.callbacks();
        dispatcher.set_may_hunger(*callbacks > 0);
        core.set_shows_outgoing(namespace, listeners.count(Scope::Outgoing) > 0);
        // What is taken out may run a user's code when it is dropped: the caller has it, and by
        // then the lock is released.
        result
    }

    /// Leaves a namespace. No call begins any more for what had come before.
    pub(crate) fn disconnect(&self, namespace: NamespaceId) {
        let withdrawn = self.run_with(|monitor, now| {
            monitor.core.disconnect(namespace, now);
            let Monitor { namespaces, dispatcher, .. } = monitor;
            let entry = namespaces.get_mut(namespace);
            entry.map(|entry| entry.listeners.withdraw_calls(dispatcher))
        });
        drop(withdrawn);
        // What comes next is for its consumers no longer.
        self.intake.gate.reopen();
    }

    /// Ends all subscriptions and callbacks. Those who hear of the connection still hear of its end.
    pub(crate) fn unlisten_all(&self) {
        let mut monitor = self.lock();
        let entries = monitor.namespaces.things_mut();
        let removed: Vec<Listeners> =
            entries.map(|entry| std::mem::take(&mut entry.listeners)).collect();
        let of_manager = std::mem::take(&mut monitor.manager_listeners);
        let calls: Vec<_> =
            removed.iter().map(|listeners| end_callbacks(listeners, &monitor.dispatcher)).collect();
        for account in of_manager.iter().filter_map(Listener::account) {
            monitor.dispatcher.retire_account(account);
        }
        monitor.callbacks = 0;
        monitor.full.clear();
        monitor.dispatcher.set_may_hunger(false);
        drop(monitor);
        self.observers.clear();
        removed.iter().for_each(Listeners::close);
        for listener in &of_manager {
            listener.sink.close();
        }
        drop((removed, of_manager, calls));
    }

    /// Ends all that concerns a namespace whose last handle is gone.
    pub(crate) fn forget(&self, namespace: NamespaceId) -> Removed {
        let removed = self.run_with(|monitor, now| {
            monitor.core.forget(namespace, now);
            let PerNamespace { listeners, auth, .. } =
                *monitor.namespaces.remove(namespace).unwrap_or_default();
            monitor.callbacks -= listeners.callbacks();
            monitor.dispatcher.set_may_hunger(monitor.callbacks > 0);
            let calls = end_callbacks(&listeners, &monitor.dispatcher);
            Removed { listeners, calls, auth: auth.function }
        });
        removed.listeners.close();
        removed
    }

    pub(super) fn deliver(
        &self,
        monitor: &mut Monitor,
        namespace: NamespaceId,
        membership: u32,
        packet: SocketPacket,
        actions: &mut Vec<Action>,
    ) {
        let reply = packet.id.map(|ack| {
            let way_back = WayBack {
                driver: self.this.clone(),
                namespace,
                membership,
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

/// Withdraws the calls of all callbacks for events, to be dropped by the caller. Those for statuses still
/// hear of what has happened.
fn end_callbacks(listeners: &Listeners, dispatcher: &Dispatcher) -> Vec<VecDeque<Call>> {
    for account in listeners.status_accounts() {
        dispatcher.retire_account(account);
    }
    listeners.event_accounts().map(|account| dispatcher.close_account(account)).collect()
}

#[cfg(test)]
mod tests;
