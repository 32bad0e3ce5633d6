//! Listening to events with bounds for what waits.

use std::fmt;
use std::sync::Arc;

use super::Socket;
use crate::client::subscription::Subscription;
use crate::driver::dispatch::Function;
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Order, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::incoming::Incoming;
use crate::options::Buffer;
use crate::proto::socket_packet::RESERVED_EVENTS;
use crate::sync::logging::log_later;

/// A socket with the bounds of a [`Buffer`]: each subscription and each callback that is made through
/// it has a buffer of its own, with these bounds. [`Socket::buffer`] gives it.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// use siot::{Buffer, WhenFull};
///
/// // A slow display that shows the newest value, and may miss those between.
/// let newest = Buffer::new().events(1).when_full(WhenFull::DropOldest);
/// socket.buffer(newest)?.on("temperature", |event| println!("{}", event.json()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it subscribes to nothing by itself"]
pub struct Listening {
    socket: Socket,
    buffer: Buffer,
}

impl Listening {
    pub(super) fn new(socket: Socket, buffer: Buffer) -> Self {
        Self { socket, buffer }
    }

    /// See [`Socket::subscribe`].
    pub fn subscribe(&self, event: &str) -> Subscription {
        if let Err(error) = check_name(event) {
            log_later!(Warn, "a subscription that nothing will come by: {error:#}");
        }
        self.subscription(Scope::Event(event))
    }

    /// See [`Socket::subscribe_any`].
    pub fn subscribe_any(&self) -> Subscription {
        self.subscription(Scope::Any)
    }

    /// See [`Socket::subscribe_any_outgoing`]. Where the buffer is full, the oldest give way, whatever
    /// the policy of the [`Buffer`].
    pub fn subscribe_any_outgoing(&self) -> Subscription {
        self.subscription(Scope::Outgoing)
    }

    /// See [`Socket::subscribe_all`]. The bounds are those of the events.
    pub fn subscribe_all(&self) -> Subscription<Incoming> {
        let namespace = &self.socket.shared;
        let (listener, mailbox) = namespace.driver().subscribe_all(namespace.id, self.buffer);
        Subscription::of_namespace(mailbox, Arc::clone(namespace), listener)
    }

    /// See [`Socket::on`].
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on(
        &self,
        event: &str,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        check_name(event)?;
        self.call_on(Scope::Event(event), Order::Last, callback)
    }

    /// See [`Socket::on_any`].
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.call_on(Scope::Any, Order::Last, callback)
    }

    /// See [`Socket::prepend_any`].
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn prepend_any(&self, callback: impl FnMut(Event) + Send + 'static) -> Result<ListenerId> {
        self.call_on(Scope::Any, Order::First, callback)
    }

    /// See [`Socket::on_any_outgoing`]. Where the buffer is full, the oldest give way, whatever the
    /// policy of the [`Buffer`].
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn on_any_outgoing(
        &self,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.call_on(Scope::Outgoing, Order::Last, callback)
    }

    /// See [`Socket::prepend_any_outgoing`], and [`on_any_outgoing`](Self::on_any_outgoing).
    ///
    /// # Errors
    ///
    /// As [`Socket::on`].
    pub fn prepend_any_outgoing(
        &self,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        self.call_on(Scope::Outgoing, Order::First, callback)
    }

    fn subscription(&self, scope: Scope<'_>) -> Subscription {
        let namespace = &self.socket.shared;
        let (listener, mailbox) = namespace.driver().subscribe(namespace.id, scope, self.buffer);
        Subscription::of_namespace(mailbox, Arc::clone(namespace), listener)
    }

    fn call_on(
        &self,
        scope: Scope<'_>,
        order: Order,
        callback: impl FnMut(Event) + Send + 'static,
    ) -> Result<ListenerId> {
        let function = Function::Repeated(Box::new(callback));
        let namespace = &self.socket.shared;
        namespace.driver().call_on(namespace.id, scope, order, function, self.buffer)
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("namespace", &self.socket.namespace())
            .field("buffer", &self.buffer)
            .finish()
    }
}

/// Refuses names that no event can have: a callback would wait for ever.
pub(super) fn check_name(event: &str) -> Result<()> {
    if RESERVED_EVENTS.contains(&event) {
        let what = format!("{event:?} is no event that a server can emit");
        return Err(Error::new(ErrorKind::ReservedEvent, what)
            .with_hint("on_status and status tell of the connection"));
    }
    Ok(())
}
