//! The handle of one namespace.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::unbounded;
use serde::Serialize;

use crate::ack::Ack;
use crate::core::client::Emit;
use crate::core::namespace::{NamespaceId, Phase};
use crate::driver::listeners::{ListenerId, Order, Scope, Sink, StatusSink};
use crate::driver::{AckHandle, Driver, NamespaceAuth};
use crate::emitter::Emitter;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AckReply, Event};
use crate::lock::log_later;
use crate::manager::Manager;
use crate::news::Status;
use crate::payload::Payload;
use crate::proto::socket_packet::RESERVED_EVENTS;
use crate::socket_options::auth_function;
use crate::subscription::Subscription;

/// A namespace of a server: the way to emit and receive events.
///
/// Cheap to clone; all clones are the same socket, and may be used by any number of threads. With
/// the last clone (and the last [`Subscription`]) the namespace is left, and with its last socket
/// the connection is closed, in the background.
///
/// It connects and reconnects by itself. Events that are emitted while it is not connected wait
/// (within [`Limits`](crate::Limits)) and are sent, in order, once it is.
#[derive(Clone)]
pub struct Socket {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    manager: Manager,
    id: NamespaceId,
    name: Arc<str>,
    ack_timeout: Option<Duration>,
}

impl Socket {
    pub(crate) fn new(
        manager: Manager,
        id: NamespaceId,
        name: &str,
        ack_timeout: Option<Duration>,
    ) -> Self {
        Self { inner: Arc::new(Inner { manager, id, name: name.into(), ack_timeout }) }
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Emits an event. A tuple is the list of arguments, `()` is none, anything else is one
    /// argument.
    ///
    /// Binary ([`Binary`](crate::Binary), or any type that serializes as bytes) may stand at any
    /// depth. `Ok` means that the event is queued: it is sent now, or when the socket is connected.
    /// It is delivered at most once; for certainty ask for an acknowledgement.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// socket.emit("hello", "world")?;
    /// socket.emit("reading", ("sensor 7", 21.5))?;
    /// socket.emit("ready", ())?;
    /// socket.emit("photo", siot::Binary::from(vec![0xFF, 0xD8]))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking
    ///
    /// While connected, it waits for room in the send buffer when that is full, for at most as long
    /// as the connection lasts (see [`WhenFull`](crate::WhenFull)). While not connected it never
    /// blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when the arguments cannot be encoded,
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) when the server would not take it, and
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull). After an error nothing was sent.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.emitter().emit(event, args)
    }

    /// Emits an event and asks the server for an acknowledgement.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`]; the wait for the answer is [`Ack::wait`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emitter().emit_with_ack(event, args)
    }

    /// Emits an event and calls a function with the acknowledgement, or with the error that ends
    /// the wait for it; see [`Emitter::emit_with_callback`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Emitter::emit_with_callback`].
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        self.emitter().emit_with_callback(event, args, callback)
    }

    /// Emits the event `message`.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<()> {
        self.emit("message", args)
    }

    /// For events that are not worth keeping; see [`Emitter::volatile`].
    pub fn volatile(&self) -> Emitter {
        self.emitter().volatile()
    }

    /// For acknowledgements with a deadline; see [`Emitter::timeout`].
    pub fn timeout(&self, limit: Duration) -> Emitter {
        self.emitter().timeout(limit)
    }

    fn emitter(&self) -> Emitter {
        Emitter::new(self.clone())
    }

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
        let listener = self.driver().listen_status(self.inner.id, sink);
        Subscription::of_socket(receiver, self.clone(), listener)
    }

    /// Calls a function for each event of this name.
    ///
    /// Callbacks run on siot's dispatch thread, one at a time and in the order of the events. They
    /// may block, emit, wait for acknowledgements, disconnect, and panic (which is logged); while
    /// one runs, the other callbacks of the connection wait.
    ///
    /// A callback that owns a clone of the socket keeps the connection alive until
    /// [`Manager::close`].
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
        self.start_dispatch()?;
        let sink = StatusSink::Callback(Arc::new(Mutex::new(callback)));
        Ok(self.driver().listen_status(self.inner.id, sink))
    }

    /// Removes one callback; `false` when it was removed before. Calls that wait for the dispatch
    /// thread are still made.
    #[doc(alias = "removeListener")]
    #[doc(alias = "removeEventListener")]
    pub fn off(&self, listener: ListenerId) -> bool {
        self.driver().unlisten(self.inner.id, listener)
    }

    /// Removes the callbacks of an event; gives their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_event(&self, event: &str) -> usize {
        self.driver().remove_callbacks(self.inner.id, Some(Scope::Event(event)))
    }

    /// Removes the callbacks of all events, but not those of [`on_any`](Socket::on_any); gives
    /// their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_all(&self) -> usize {
        self.driver().remove_callbacks(self.inner.id, None)
    }

    /// Removes the callbacks of [`on_any`](Socket::on_any); gives their number.
    #[doc(alias = "offAny")]
    pub fn off_any(&self) -> usize {
        self.driver().remove_callbacks(self.inner.id, Some(Scope::Any))
    }

    /// Removes the callbacks of [`on_any_outgoing`](Socket::on_any_outgoing); gives their number.
    #[doc(alias = "offAnyOutgoing")]
    pub fn off_any_outgoing(&self) -> usize {
        self.driver().remove_callbacks(self.inner.id, Some(Scope::Outgoing))
    }

    /// How many callbacks and subscriptions an event has.
    #[doc(alias = "hasListeners")]
    pub fn listeners(&self, event: &str) -> usize {
        self.driver().count_listeners(self.inner.id, Scope::Event(event))
    }

    /// How many callbacks and subscriptions want all events.
    #[doc(alias = "listenersAny")]
    pub fn listeners_any(&self) -> usize {
        self.driver().count_listeners(self.inner.id, Scope::Any)
    }

    /// How many callbacks and subscriptions want all events that are sent.
    #[doc(alias = "listenersAnyOutgoing")]
    pub fn listeners_any_outgoing(&self) -> usize {
        self.driver().count_listeners(self.inner.id, Scope::Outgoing)
    }

    /// The events that wait for the socket to be connected, each as JSON, the oldest first.
    #[doc(alias = "sendBuffer")]
    pub fn send_buffer(&self) -> Vec<String> {
        self.driver()
            .look(|core| core.namespace(self.inner.id).send_buffer().map(str::to_owned).collect())
    }

    /// Drops the events that wait for the socket to be connected; gives their number. The
    /// acknowledgements that they asked for fail.
    pub fn clear_send_buffer(&self) -> usize {
        self.driver().run(|core, _| core.clear_send_buffer(self.inner.id))
    }

    /// How many events came before the server's answer to CONNECT, and wait for that.
    #[doc(alias = "receiveBuffer")]
    pub fn receive_buffer_len(&self) -> usize {
        self.driver().look(|core| core.namespace(self.inner.id).early_events())
    }

    /// Drops the events that came before the server's answer to CONNECT; gives their number.
    pub fn clear_receive_buffer(&self) -> usize {
        self.driver().run(|core, _| core.clear_receive_buffer(self.inner.id))
    }

    /// Changes what is sent when the namespace is joined, from the next time on; see
    /// [`Builder::auth`](crate::Builder::auth).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when it is no object, or has binary data.
    pub fn set_auth<T: Serialize>(&self, auth: T) -> Result<()> {
        let auth = NamespaceAuth::Fixed(Payload::value(&auth)?);
        self.driver().namespace(&self.inner.name, Some(auth));
        Ok(())
    }

    /// Asks a function for what is sent when the namespace is joined, from the next time on; see
    /// [`Builder::auth_with`](crate::Builder::auth_with).
    pub fn set_auth_with<T: Serialize>(
        &self,
        auth: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) {
        self.driver().namespace(&self.inner.name, Some(auth_function(auth)));
    }

    /// Joins the namespace, now and after each reconnection; opens the connection if need be. It
    /// never blocks.
    #[doc(alias = "open")]
    pub fn connect(&self) {
        self.driver().run(|core, now| core.connect(self.inner.id, now));
    }

    /// Leaves the namespace, and stays away until [`connect`](Socket::connect). What was emitted
    /// before is sent first; but JavaScript servers forget events that arrive together with the
    /// farewell, so wait for an acknowledgement of the last one where it matters. It never blocks.
    #[doc(alias = "close")]
    pub fn disconnect(&self) {
        self.driver().run(|core, now| core.disconnect(self.inner.id, now));
    }

    /// Waits until the socket is connected.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the last failure as its source; and
    /// at once the failure itself, when there will be no further attempt.
    pub fn wait_connected(&self, limit: Duration) -> Result<()> {
        self.driver().wait_joined(self.inner.id, limit)
    }

    /// Whether the namespace is joined.
    #[doc(alias = "disconnected")]
    pub fn connected(&self) -> bool {
        self.driver().look(|core| core.namespace(self.inner.id).phase == Phase::Joined)
    }

    /// Whether the socket connects, now or when it can.
    pub fn active(&self) -> bool {
        self.driver().look(|core| core.namespace(self.inner.id).is_active())
    }

    /// Whether the server restored the session of the last connection at the current one, so that
    /// nothing that it sent meanwhile is missing.
    pub fn recovered(&self) -> bool {
        self.driver().look(|core| {
            let status = core.namespace(self.inner.id).status();
            matches!(status, Some(Status::Connected { recovered: true, .. }))
        })
    }

    /// The id that the server gave to this socket, while it is connected.
    pub fn id(&self) -> Option<String> {
        self.driver().look(|core| core.namespace(self.inner.id).id.clone())
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.inner.name
    }

    /// The connection.
    #[doc(alias = "io")]
    pub fn manager(&self) -> &Manager {
        &self.inner.manager
    }

    pub(crate) fn emit_encoded(&self, emit: Emit<AckHandle>) -> Result<()> {
        self.driver().emit(self.inner.id, emit)
    }

    pub(crate) fn start_dispatch(&self) -> Result<()> {
        self.driver().start_dispatch()
    }

    pub(crate) fn default_ack_timeout(&self) -> Option<Duration> {
        self.inner.ack_timeout
    }

    fn subscription(&self, scope: Scope<'_>) -> Subscription {
        let (sender, receiver) = unbounded();
        let sink = Sink::Channel(sender, receiver.clone());
        let listener = self.driver().listen(self.inner.id, scope, Order::Last, false, sink);
        Subscription::of_socket(receiver, self.clone(), listener)
    }

    fn listen(
        &self,
        scope: Scope<'_>,
        order: Order,
        once: bool,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.start_dispatch()?;
        let sink = Sink::Callback(Arc::new(Mutex::new(callback)));
        Ok(self.driver().listen(self.inner.id, scope, order, once, sink))
    }

    fn driver(&self) -> &Driver {
        self.inner.manager.driver()
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

impl Drop for Inner {
    fn drop(&mut self) {
        self.manager.forget(self.id);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", &self.namespace())
            .field("connected", &self.connected())
            .finish_non_exhaustive()
    }
}
