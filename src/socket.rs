//! The handle of one namespace.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::unbounded;
use serde::Serialize;

use crate::ack::Ack;
use crate::core::client::Emit;
use crate::core::namespace::{NamespaceId, Phase};
use crate::driver::listeners::{ListenerId, Sink, StatusSink};
use crate::driver::{AckHandle, Driver};
use crate::emitter::Emitter;
use crate::error::Result;
use crate::event::{Event, Status};
use crate::manager::Manager;
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
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emitter().emit_with_ack(event, args)
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
    pub fn send_message<T: Serialize>(&self, args: T) -> Result<()> {
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

    /// Subscribes to an event.
    ///
    /// Only what arrives from now on is received. To miss nothing from the first moment on, build
    /// the socket with [`auto_connect(false)`](crate::Builder::auto_connect), subscribe, then
    /// [`connect`](Socket::connect).
    pub fn subscribe(&self, event: &str) -> Subscription {
        self.subscription(Some(event))
    }

    /// Subscribes to all events.
    #[doc(alias = "onAny")]
    pub fn subscribe_any(&self) -> Subscription {
        self.subscription(None)
    }

    /// Subscribes to the news of the connection. It begins with
    /// [`Status::Connected`] where the socket is connected already.
    ///
    /// A reader who falls behind loses the oldest of more than 64 statuses.
    pub fn status(&self) -> Subscription<Status> {
        let (sender, receiver) = unbounded();
        let sink = StatusSink::Channel(sender, receiver.clone());
        let listener = self.driver().listen_status(self.inner.id, sink, true);
        Subscription::new(receiver, self.clone(), listener)
    }

    /// Calls a function for each event of this name, on siot's dispatch thread, one call at a
    /// time. The function may block, emit, wait for acknowledgements, disconnect, and panic (which
    /// is logged); while it runs, other callbacks of the connection wait.
    ///
    /// A callback that owns a clone of the socket keeps the connection alive until
    /// [`Manager::close`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) when the dispatch thread cannot be
    /// started.
    pub fn on(&self, event: &str, callback: impl FnMut(Event) + Send + 'static) -> Result<()> {
        let sink = Sink::Callback(Arc::new(Mutex::new(callback)));
        self.driver().listen_by_callback(self.inner.id, Some(event), false, sink)?;
        Ok(())
    }

    /// Joins the namespace, now and after each reconnection; opens the connection if need be. It
    /// never blocks.
    #[doc(alias = "open")]
    pub fn connect(&self) {
        self.driver().run(|core, now| core.connect(self.inner.id, now));
    }

    /// Leaves the namespace, and stays away until [`connect`](Socket::connect). What was emitted
    /// before is still sent. It never blocks.
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
    pub fn connected(&self) -> bool {
        self.driver().look(|core| core.namespace(self.inner.id).phase == Phase::Joined)
    }

    /// Whether the socket connects, now or when it can.
    pub fn active(&self) -> bool {
        self.driver().look(|core| core.namespace(self.inner.id).is_active())
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

    pub(crate) fn send(&self, emit: Emit<AckHandle>) -> Result<()> {
        self.driver().emit(self.inner.id, emit)
    }

    pub(crate) fn default_ack_timeout(&self) -> Option<Duration> {
        self.inner.ack_timeout
    }

    pub(crate) fn unlisten(&self, listener: ListenerId) {
        self.driver().unlisten(self.inner.id, listener);
    }

    fn subscription(&self, event: Option<&str>) -> Subscription {
        let (sender, receiver) = unbounded();
        let sink = Sink::Channel(sender, receiver.clone());
        let listener = self.driver().listen(self.inner.id, event, false, sink);
        Subscription::new(receiver, self.clone(), listener)
    }

    fn driver(&self) -> &Driver {
        self.inner.manager.driver()
    }
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
