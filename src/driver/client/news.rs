//! Those who hear of the connection: the statuses of a namespace, and the news of the whole.

use std::sync::Arc;

use super::{Driver, Monitor};
use crate::core::ids::NamespaceId;
use crate::driver::dispatch::{Call, Callback, Function};
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Listener, Scope};
use crate::driver::sink::Sink;
use crate::error::Result;
use crate::event::incoming::Incoming;
use crate::event::status::{ManagerEvent, Status};
use crate::options::{Buffer, WhenFull};
use crate::sync::account::{Bounds, ONLY, SECOND};
use crate::sync::mailbox::Mailbox;

/// The bounds of what tells of the connection: the oldest give way, and hold up nothing.
const NEWS: Bounds = Bounds { events: 64, bytes: usize::MAX, when_full: WhenFull::DropOldest };

impl Driver {
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
        (monitor.add_status_listener(namespace, sink), mailbox)
    }

    /// Adds a subscription to the events and the statuses of a namespace, which begins with how it stands.
    pub(crate) fn subscribe_all(
        &self,
        namespace: NamespaceId,
        buffer: Buffer,
    ) -> (ListenerId, Arc<Mailbox<Incoming>>) {
        let mailbox = Mailbox::with_account(self.bounds(Scope::Any, buffer), &self.intake.gate);
        mailbox.open_account(NEWS, &self.intake.aside);
        mailbox.set_may_hunger(true);
        let mut monitor = self.lock();
        if let Some(status) = monitor.core.namespace(namespace).status() {
            // Nobody waits for it yet.
            let _ = mailbox.bring(SECOND, status.into());
        }
        let listener = match monitor.namespaces.get_mut(namespace) {
            Some(entry) => entry.listeners.add_to_all(&mailbox),
            None => ListenerId::new(),
        };
        (listener, mailbox)
    }

    /// Adds a callback for the statuses of a namespace, which is called first with how it stands.
    pub(crate) fn call_on_status(
        &self,
        namespace: NamespaceId,
        function: Function<Status>,
    ) -> Result<ListenerId> {
        let mut monitor = self.lock();
        monitor.dispatcher.start()?;
        let account = monitor.dispatcher.open_account(NEWS, &self.intake.aside);
        let callback = Callback::new(function);
        let status = monitor.core.namespace(namespace).status();
        let begins = status.map(|status| {
            let call = Call::Status(Arc::clone(&callback), status);
            monitor.dispatcher.call(account, call)
        });
        let id = monitor.add_status_listener(namespace, Sink::Callback(callback, account));
        drop(monitor);
        begins.into_iter().flat_map(|begins| begins.waiters).for_each(|waiter| waiter.wake());
        Ok(id)
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
        let account = monitor.dispatcher.open_account(NEWS, &self.intake.aside);
        let listener = Listener::new(Sink::Callback(Callback::new(function), account));
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
        removed.map(|listener| listener.sink.end()).is_some() || self.unobserve(id)
    }
}

impl Monitor {
    /// Adds a listener to the statuses of a namespace. One that is gone keeps none.
    fn add_status_listener(&mut self, namespace: NamespaceId, sink: Sink<Status>) -> ListenerId {
        match self.namespaces.get_mut(namespace) {
            Some(entry) => entry.listeners.add_status(sink),
            None => ListenerId::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::client::testing::driver;
    use crate::options::Limits;

    #[test]
    fn who_hears_of_the_connection_is_removed_once_and_the_others_stay() {
        let driver = driver(9, Limits::new());
        let [(first, of_first), (second, of_second)] =
            [driver.subscribe_manager(), driver.subscribe_manager()];
        let (observer, packets) = driver.observe(Buffer::new());
        assert!(driver.unlisten_manager(first) && !driver.unlisten_manager(first));
        assert!(of_first.is_closed() && !of_second.is_closed());
        assert!(driver.unlisten_manager(observer) && !driver.unlisten_manager(observer));
        assert!(driver.unlisten_manager(second));
        assert!(of_second.is_closed());
        drop(packets);
    }
}
