//! Adding and removing listeners, and delivering to them.

use std::sync::Mutex;

use super::waiting::WayBack;
use super::{Driver, Monitor};
use crate::core::ids::NamespaceId;
use crate::driver::dispatch::AuthFunction;
use crate::driver::listeners::{
    Listener, ListenerId, Listeners, NewsSink, Order, Scope, Sink, StatusSink,
};
use crate::error::Result;
use crate::event::status::ManagerEvent;
use crate::event::{Event, Reply};
use crate::proto::socket_packet::SocketPacket;

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
        self.lock().listeners.get(&namespace).map_or(0, |listeners| listeners.count(scope))
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
        // Of a namespace that is gone there are none, and none are kept.
        let mut none = Listeners::default();
        let listeners = monitor.listeners.get_mut(&namespace).unwrap_or(&mut none);
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
        let mut none = Listeners::default();
        monitor.listeners.get_mut(&namespace).unwrap_or(&mut none).add_status(sink)
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
        let listeners: Vec<Listeners> =
            monitor.listeners.values_mut().map(std::mem::take).collect();
        let manager_listeners = std::mem::take(&mut monitor.manager_listeners);
        drop(monitor);
        self.observers.clear();
        drop((listeners, manager_listeners));
    }

    /// Adds a listener to the news of the connection.
    pub(crate) fn listen_manager(&self, sink: NewsSink<ManagerEvent>) -> ListenerId {
        let id = ListenerId::new();
        self.lock().manager_listeners.push((id, sink));
        id
    }

    /// Removes a listener to the news of the connection, or an observer of its session; `false`
    /// when there is none of this number.
    pub(crate) fn unlisten_manager(&self, id: ListenerId) -> bool {
        let mut monitor = self.lock();
        let listeners = &mut monitor.manager_listeners;
        let found = listeners.iter().position(|(listener, _)| *listener == id);
        let removed = found.map(|index| listeners.remove(index));
        drop(monitor);
        removed.is_some() || self.unobserve(id)
    }

    /// Ends all that concerns a namespace whose last handle is gone. What is returned may run a
    /// user's code when it is dropped.
    pub(crate) fn forget(&self, namespace: NamespaceId) -> (Listeners, Option<AuthFunction>) {
        self.run_with(|monitor, now| {
            monitor.core.forget(namespace, now);
            monitor.last_errors.remove(&namespace);
            let auth = monitor.auth_functions.remove(&namespace);
            (monitor.listeners.remove(&namespace).unwrap_or_default(), auth)
        })
    }

    pub(super) fn deliver(
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
        if let Some(listeners) = monitor.listeners.get_mut(&namespace) {
            listeners.deliver(&event, &self.inbox, &monitor.dispatcher, done);
        }
    }
}
