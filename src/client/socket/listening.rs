//! Listening to events and to the news of the connection, by channel or by callback.

use std::sync::Arc;

use super::Socket;
use super::buffered::{Listening, check_name};
use crate::client::subscription::Subscription;
use crate::driver::dispatch::Function;
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Order, Scope};
use crate::error::Result;
use crate::event::Event;
use crate::event::incoming::Incoming;
use crate::event::status::Status;
use crate::options::Buffer;
use crate::options::check::Check;

impl Socket {
    /// Subscribes to an event: those of this name wait in the [`Subscription`] until it is read. It
    /// never blocks.
    ///
    /// Only what arrives from now on is received. To miss nothing from the first moment on, build
    /// the socket with [`auto_connect(false)`](crate::Builder::auto_connect), subscribe, then
    /// [`connect`](Socket::connect).
    ///
    /// At most [`Limits::receive_events`](crate::Limits::receive_events) and
    /// [`Limits::receive_bytes`](crate::Limits::receive_bytes) wait, by default 1,024 events and 1 MiB;
    /// then [`Limits::when_receive_full`](crate::Limits::when_receive_full) decides, by default
    /// [`WhenFull::Wait`](crate::WhenFull::Wait), which loses nothing. [`buffer`](Socket::buffer) sets
    /// others for one subscription, and [`Subscription::lost`] counts what was dropped.
    ///
    /// `connect`, `connect_error`, `disconnect` and the other names that the protocol reserves are no
    /// events: nothing will come by such a subscription, and a line of level `WARN` says so. How the
    /// connection stands comes by [`status`](Socket::status).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let orders = socket.subscribe("order");
    /// for order in &orders {
    ///     println!("order {}", order.arg::<u64>(0)?);
    /// }
    /// println!("{} were dropped", orders.lost());
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(&self, event: &str) -> Subscription {
        self.unbuffered().subscribe(event)
    }

    /// Subscribes to all events; see [`subscribe`](Socket::subscribe).
    pub fn subscribe_any(&self) -> Subscription {
        self.unbuffered().subscribe_any()
    }

    /// Subscribes to the events that are sent, at the moment at which they are ready to be written: at once
    /// where the socket is connected, else when it is; not to acknowledgements. It never blocks.
    ///
    /// It has the bounds of [`subscribe`](Socket::subscribe), and holds up nothing: where they are
    /// reached the oldest give way, whatever the policy, and [`Subscription::lost`] counts them.
    pub fn subscribe_any_outgoing(&self) -> Subscription {
        self.unbuffered().subscribe_any_outgoing()
    }

    /// Subscribes to all events and to the news of the connection, in one order: that in which they
    /// happened. It begins with [`Status::Connected`] where the socket is connected already. It never
    /// blocks.
    ///
    /// Events have the bounds of [`subscribe`](Socket::subscribe), and statuses those of
    /// [`status`](Socket::status): at most 64 wait, and beyond that the oldest give way.
    /// [`Subscription::lost`] counts both. Of a channel ([`Subscription::receiver`]) nothing can be taken but
    /// what is the oldest of all: events that lie before such a status are lost with it, whatever the
    /// policy.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::{Incoming, Status};
    ///
    /// for incoming in socket.subscribe_all() {
    ///     match incoming {
    ///         Incoming::Event(event) => println!("{}", event.json()),
    ///         Incoming::Status(Status::Connected { .. }) => println!("what comes now is of a new session"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe_all(&self) -> Subscription<Incoming> {
        self.unbuffered().subscribe_all()
    }

    /// Subscribes to the news of the connection. It begins with
    /// [`Status::Connected`] where the socket is connected already.
    ///
    /// A reader who falls behind loses the oldest of more than 64 statuses; [`Subscription::lost`]
    /// counts them.
    #[doc(alias = "connect")]
    #[doc(alias = "connect_error")]
    #[doc(alias = "disconnect")]
    pub fn status(&self) -> Subscription<Status> {
        let (listener, mailbox) = self.driver().subscribe_status(self.shared.id);
        Subscription::of_namespace(mailbox, Arc::clone(&self.shared), listener)
    }

    /// This socket with other bounds: each subscription and each callback that is made through the
    /// [`Listening`] which it gives has a buffer of its own, with these bounds.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::{Buffer, WhenFull};
    ///
    /// let few = Buffer::new().events(16).when_full(WhenFull::DropOldest);
    /// let alarms = socket.buffer(few)?.subscribe("alarm");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) for a bound of 0.
    pub fn buffer(&self, buffer: Buffer) -> Result<Listening> {
        buffer.check()?;
        Ok(Listening::new(self.clone(), buffer))
    }

    fn unbuffered(&self) -> Listening {
        Listening::new(self.clone(), Buffer::new())
    }

    /// Calls a function for each event of this name, from now on. `on` itself never blocks.
    ///
    /// All callbacks of a connection run on its thread `siot-call`, one at a time and in the order of
    /// the events. They may block, emit, wait for acknowledgements, disconnect, and panic (which is
    /// logged).
    ///
    /// What comes while they run waits, for each callback up to
    /// [`Limits::receive_events`](crate::Limits::receive_events) and
    /// [`Limits::receive_bytes`](crate::Limits::receive_bytes), by default 1,024 events and 1 MiB; then
    /// [`Limits::when_receive_full`](crate::Limits::when_receive_full) decides, by default
    /// [`WhenFull::Wait`](crate::WhenFull::Wait), which loses nothing. [`buffer`](Socket::buffer) sets
    /// others for one callback, and [`lost`](Socket::lost) counts what was dropped.
    ///
    /// A callback that owns a clone of the socket keeps the connection alive until
    /// [`Manager::close`](crate::Manager::close).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let news = socket.on("news", |event| match event.arg::<String>(0) {
    ///     Ok(headline) => println!("{headline}"),
    ///     Err(error) => eprintln!("{error}"),
    /// })?;
    /// // Later:
    /// socket.off(news);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) when the thread cannot be started;
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for the names that no
    /// event can have, such as `connect`: see [`on_status`](Socket::on_status).
    #[doc(alias = "addEventListener")]
    pub fn on(
        &self,
        event: &str,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.unbuffered().on(event, callback)
    }

    /// Calls a function for the next event of this name; see [`on`](Socket::on). The bounds are those of
    /// [`Limits`](crate::Limits).
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn once(
        &self,
        event: &str,
        callback: impl FnOnce(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        check_name(event)?;
        let function = Function::Once(Some(Box::new(callback)));
        let scope = Scope::Event(event);
        self.driver().call_on(self.shared.id, scope, Order::Last, function, Buffer::new())
    }

    /// Calls a function for each event, before those of [`on`](Socket::on); see there.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "onAny")]
    pub fn on_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.unbuffered().on_any(callback)
    }

    /// Calls a function for each event, before all others; see [`on`](Socket::on).
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "prependAny")]
    pub fn prepend_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.unbuffered().prepend_any(callback)
    }

    /// Calls a function for each event that is handed to the connection, when it is; see
    /// [`on`](Socket::on). It holds up nothing: where its bounds are reached the oldest give way,
    /// whatever the policy, and [`lost`](Socket::lost) counts them.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    #[doc(alias = "onAnyOutgoing")]
    pub fn on_any_outgoing(
        &self,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.unbuffered().on_any_outgoing(callback)
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
        self.unbuffered().prepend_any_outgoing(callback)
    }

    /// Calls a function with each [`Status`], from now on, on the thread `siot-call`; see
    /// [`on`](Socket::on). It begins with [`Status::Connected`] where the socket is connected already, as
    /// [`status`](Socket::status) does. It never blocks.
    ///
    /// While the function does not return, at most 64 statuses wait for it. Beyond that the oldest give
    /// way, and [`lost`](Socket::lost) counts them.
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on_status(&self, callback: impl FnMut(Status) + Send + 'static) -> Result<ListenerId> {
        let function = Function::Repeated(Box::new(callback));
        self.driver().call_on_status(self.shared.id, function)
    }

    /// Removes one callback; `false` when it was removed before.
    ///
    /// When it returns, no call of it begins any more, also for what had come before; one that runs goes
    /// on.
    #[doc(alias = "removeListener")]
    #[doc(alias = "removeEventListener")]
    pub fn off(&self, listener: ListenerId) -> bool {
        self.driver().unlisten(self.shared.id, listener)
    }

    /// Removes the callbacks of an event, as [`off`](Socket::off) does; gives their number.
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
    pub fn listener_count(&self, event: &str) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Event(event))
    }

    /// How many callbacks and subscriptions want all events.
    #[doc(alias = "listenersAny")]
    pub fn listener_count_any(&self) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Any)
    }

    /// How many callbacks and subscriptions want all events that are sent.
    #[doc(alias = "listenersAnyOutgoing")]
    pub fn listener_count_any_outgoing(&self) -> usize {
        self.driver().count_listeners(self.shared.id, Scope::Outgoing)
    }

    /// How many events (or statuses) a callback has lost because its buffer was full (see [`Buffer`]).
    /// `None` when it was removed, or was called as the one of [`once`](Socket::once), and after
    /// [`Manager::close`](crate::Manager::close). A subscription tells it itself
    /// ([`Subscription::lost`]).
    pub fn lost(&self, listener: ListenerId) -> Option<usize> {
        self.driver().lost(self.shared.id, listener)
    }
}
