//! The handle of one namespace.

mod listening;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::client::ack::Ack;
use crate::client::emitter::Emitter;
use crate::client::manager::Manager;
use crate::client::socket_options::auth_function;
#[cfg(doc)]
use crate::client::subscription::Subscription;
use crate::core::client::Emit;
use crate::core::client::namespace::Phase;
use crate::core::ids::NamespaceId;
use crate::driver::ack_slot::AckHandle;
use crate::driver::client::{Driver, NamespaceAuth};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::event::AckReply;
use crate::event::status::Status;
use crate::payload::Payload;

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
        name: Arc<str>,
        ack_timeout: Option<Duration>,
    ) -> Self {
        Self { inner: Arc::new(Inner { manager, id, name, ack_timeout }) }
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
        drop(self.driver().set_auth(self.inner.id, auth));
        Ok(())
    }

    /// Asks a function for what is sent when the namespace is joined, from the next time on; see
    /// [`Builder::auth_with`](crate::Builder::auth_with).
    pub fn set_auth_with<T: Serialize>(
        &self,
        auth: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) {
        drop(self.driver().set_auth(self.inner.id, auth_function(auth)));
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

    fn driver(&self) -> &Driver {
        self.inner.manager.driver()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.manager.forget(self.id, &self.name);
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
