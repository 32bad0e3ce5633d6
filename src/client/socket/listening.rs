//! Listening to events and to the news of the connection, by channel or by callback.

use std::sync::{Arc, Mutex};

use crossbeam_channel::unbounded;

use super::Socket;
use crate::client::subscription::Subscription;
use crate::driver::listeners::{ListenerId, Order, Scope, Sink, StatusSink};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::status::Status;
use crate::proto::socket_packet::RESERVED_EVENTS;
use crate::sync::lock::log_later;

impl Socket {
    /// Subscribes to an event. Not to `connect`, `connect_error` and `disconnect`, which are no
    /// events here: they come by [`status`](Socket::status).
    ///
    /// Only what arrives from now on is received. To miss nothing from the first moment on, build
    /// the socket with [`auto_connect(false)`](crate::Builder::auto_connect), subscribe, then
    /// [`connect`](Socket::connect).
    pub fn subscribe(&self, event: &str) -> Subscription {
        if let Err(error) = check_name(event) {
            log_later!(Warn, "a subscription that nothing will come by: {error}");
        }
        self.subscription(Scope::Event(event))
    }

    /// Subscribes to all events.
    pub fn subscribe_any(&self) -> Subscription {
        self.subscription(Scope::Any)
    }

    /// Subscribes to the events that are sent, at the moment at which they are handed to the
    /// connection; not to acknowledgements.
    pub fn subscribe_any_outgoing(&self) -> Subscription {
        self.subscription(Scope::Outgoing)
    }

    /// Subscribes to the news of the connection. It begins with
    /// [`Status::Connected`] where the socket is connected already.
    ///
    /// A reader who falls behind loses the oldest of more than 64 statuses.
    #[doc(alias = "connect")]
    #[doc(alias = "connect_error")]
    #[doc(alias = "disconnect")]
    pub fn status(&self) -> Subscription<Status> {
        let (sender, receiver) = unbounded();
        let sink = StatusSink::Channel(sender, receiver.clone());
        let listener = self.driver().listen_status(self.shared.id, sink);
        Subscription::of_namespace(receiver, Arc::clone(&self.shared), listener)
    }

    /// Calls a function for each event of this name.
    ///
    /// Callbacks run on siot's dispatch thread, one at a time and in the order of the events. They
    /// may block, emit, wait for acknowledgements, disconnect, and panic (which is logged); while
    /// one runs, the other callbacks of the connection wait.
    ///
    /// A callback that owns a clone of the socket keeps the connection alive until
    /// [`Manager::close`](crate::Manager::close).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) when the dispatch thread cannot be
    /// started; [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for the names that no
    /// event can have, such as `connect`: see [`on_status`](Socket::on_status).
    #[doc(alias = "addEventListener")]
    pub fn on(
        &self,
        event: &str,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        check_name(event)?;
        self.listen(Scope::Event(event), Order::Last, false, callback)
    }

    /// Calls a function for the next event of this name; see [`on`](Socket::on).
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn once(
        &self,
        event: &str,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        check_name(event)?;
        self.listen(Scope::Event(event), Order::Last, true, callback)
    }

    /// Calls a function for each event, before those of [`on`](Socket::on).
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "onAny")]
    pub fn on_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.listen(Scope::Any, Order::Last, false, callback)
    }

    /// Calls a function for each event, before all others.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "prependAny")]
    pub fn prepend_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.listen(Scope::Any, Order::First, false, callback)
    }

    /// Calls a function for each event that is handed to the connection, when it is.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "onAnyOutgoing")]
    pub fn on_any_outgoing(
        &self,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.listen(Scope::Outgoing, Order::Last, false, callback)
    }

    /// Like [`on_any_outgoing`](Socket::on_any_outgoing), before all others.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "prependAnyOutgoing")]
    pub fn prepend_any_outgoing(
        &self,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.listen(Scope::Outgoing, Order::First, false, callback)
    }

    /// Calls a function with each [`Status`], from now on.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on_status(&self, callback: impl FnMut(Status) + Send + 'static) -> Result<ListenerId> {
        self.driver().start_dispatch()?;
        let sink = StatusSink::Callback(Arc::new(Mutex::new(callback)));
        Ok(self.driver().listen_status(self.shared.id, sink))
    }

    /// Removes one callback; `false` when it was removed before. Calls that wait for the dispatch
    /// thread are still made.
    #[doc(alias = "removeListener")]
    #[doc(alias = "removeEventListener")]
    pub fn off(&self, listener: ListenerId) -> bool {
        self.driver().unlisten(self.shared.id, listener)
    }

    /// Removes the callbacks of an event; gives their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_event(&self, event: &str) -> usize {
        self.driver().remove_callbacks(self.shared.id, Some(Scope::Event(event)))
    }

    /// Removes the callbacks of all events, but not those of [`on_any`](Socket::on_any); gives
    /// their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_all(&self) -> usize {
        self.driver().remove_callbacks(self.shared.id, None)
    }

    /// Removes the callbacks of [`on_any`](Socket::on_any); gives their number.
    #[doc(alias = "offAny")]
    pub fn off_any(&self) -> usize {
        self.driver().remove_callbacks(self.shared.id, Some(Scope::Any))
    }

    /// Removes the callbacks of [`on_any_outgoing`](Socket::on_any_outgoing); gives their number.
    #[doc(alias = "offAnyOutgoing")]
    pub fn off_any_outgoing(&self) -> usize {
        self.driver().remove_callbacks(self.shared.id, Some(Scope::Outgoing))
    }

    /// How many callbacks and subscriptions an event has.
    #[doc(alias = "hasListeners")]
    pub fn listeners(&self, event: &str) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Event(event))
    }

    /// How many callbacks and subscriptions want all events.
    #[doc(alias = "listenersAny")]
    pub fn listeners_any(&self) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Any)
    }

    /// How many callbacks and subscriptions want all events that are sent.
    #[doc(alias = "listenersAnyOutgoing")]
    pub fn listeners_any_outgoing(&self) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Outgoing)
    }

    fn subscription(&self, scope: Scope<'_>) -> Subscription {
        let (sender, receiver) = unbounded();
        let sink = Sink::Channel(sender, receiver.clone());
        let listener = self.driver().listen(self.shared.id, scope, Order::Last, false, sink);
        Subscription::of_namespace(receiver, Arc::clone(&self.shared), listener)
    }

    fn listen(
        &self,
        scope: Scope<'_>,
        order: Order,
        once: bool,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.driver().start_dispatch()?;
        let sink = Sink::Callback(Arc::new(Mutex::new(callback)));
        Ok(self.driver().listen(self.shared.id, scope, order, once, sink))
    }
}

/// Refuses names that no event can have: a callback would wait for ever.
fn check_name(event: &str) -> Result<()> {
    if RESERVED_EVENTS.contains(&event) {
        let what = format!("{event:?} is no event that a server can emit");
        return Err(Error::new(ErrorKind::ReservedEvent, what)
            .with_hint("on_status and status tell of the connection"));
    }
    Ok(())
}
