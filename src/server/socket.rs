//! A socket, as the program has it.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use super::handlers::{HandlerResult, conclude};
use super::handles::{Broadcast, ServerNamespace, ServerSocket};
use crate::client::ack::Ack;
use crate::driver::ack_slot::{AckHandle, AckSlot, AwaitAnswer};
use crate::driver::server::answers::AnswerSink;
use crate::driver::server::handshake::SocketHandshake;
use crate::driver::server::parts::Hub;
use crate::driver::server::parts::ServedSocket;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::payload::Payload;
use crate::proto::socket_packet::RESERVED_EVENTS;

impl ServerSocket {
    pub(super) fn new(served: Arc<ServedSocket>) -> Self {
        Self { served }
    }

    /// Its id, which no other socket has, and nobody can guess.
    pub fn id(&self) -> &str {
        &self.served.id
    }

    /// What is known of the client since it connected.
    pub fn handshake(&self) -> &SocketHandshake {
        &self.served.handshake
    }

    /// Its namespace.
    pub fn namespace(&self) -> ServerNamespace {
        ServerNamespace::new(Arc::clone(&self.served.namespace))
    }

    /// Whether the client has come back to it after its connection was lost, with its id, rooms and data, and has got what
    /// it missed; see [`ServerBuilder::connection_state_recovery`](crate::server::ServerBuilder::connection_state_recovery).
    pub fn recovered(&self) -> bool {
        self.served.is_recovered
    }

    /// By which transport its client is connected now.
    pub fn transport(&self) -> Transport {
        self.served.transport()
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.served.is_connected()
    }

    /// Emits an event to this client. The arguments follow the rule of [`Socket::emit`](crate::Socket::emit).
    ///
    /// It never blocks: what the client does not take at once waits for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when the arguments cannot be encoded; [`ErrorKind::ReservedEvent`] for a name that
    /// means something to the protocol; [`ErrorKind::Disconnected`] when the socket is not connected, also before
    /// [`ServerNamespace::authorize`] has let it in; [`ErrorKind::BufferFull`] when so much waits for the
    /// client as [`ServerBuilder::send_bytes`](crate::server::ServerBuilder::send_bytes) allows. The event was not
    /// sent then.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        check_name(event)?;
        self.served.emit(Payload::event(event, &args)?, false)
    }

    /// The same, but that the event is dropped where the client does not take it at once.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit), without [`ErrorKind::BufferFull`].
    pub fn emit_volatile<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        check_name(event)?;
        self.served.emit(Payload::event(event, &args)?, true)
    }

    /// Emits an event, and asks for an acknowledgement, within
    /// [`ServerBuilder::ack_timeout`](crate::server::ServerBuilder::ack_timeout). It never blocks; waiting for the
    /// [`Ack`] does, which is allowed in any handler, of this socket too.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`ErrorKind::BufferFull`] also when too many acknowledgements of this socket are awaited.
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emit_with_ack_within(self.served.namespace.hub.options.ack_timeout, event, args)
    }

    /// The same with a limit of its own.
    ///
    /// # Errors
    ///
    /// As [`emit_with_ack`](Self::emit_with_ack).
    pub fn emit_with_ack_within<T: Serialize>(
        &self,
        limit: Duration,
        event: &str,
        args: T,
    ) -> Result<Ack> {
        check_name(event)?;
        let payload = Payload::event(event, &args)?;
        let slot = Arc::<AckSlot>::default();
        let answered = AnswerSink::Handle(AckHandle::Slot(Arc::clone(&slot)));
        self.served.emit_with_ack(&payload, answered, Some(limit))?;
        let hub: std::sync::Weak<Hub> = Arc::downgrade(&self.served.namespace.hub);
        Ok(Ack::new(&slot, hub as std::sync::Weak<dyn AwaitAnswer>))
    }

    /// Adds a handler for the events of this name that come by this socket. Added in
    /// [`ServerNamespace::on_connection`], it misses none.
    pub fn on<R: HandlerResult>(
        &self,
        event: &str,
        mut handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> &Self {
        let name: Box<str> = event.into();
        let handler = Arc::new(Mutex::new(move |event| conclude(&name, handler(event))));
        self.served.attached().events.entry(event.into()).or_default().push(handler);
        self
    }

    /// Adds a handler for all events that come by this socket, which is called before those for one name.
    pub fn on_any<R: HandlerResult>(
        &self,
        mut handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> &Self {
        let handler = Arc::new(Mutex::new(move |event| conclude("any", handler(event))));
        self.served.attached().any.push(handler);
        self
    }

    /// Adds a handler for the end of this socket; see [`ServerNamespace::on_disconnecting`].
    pub fn on_disconnecting<R: HandlerResult>(
        &self,
        handler: impl FnOnce(DisconnectReason) -> R + Send + 'static,
    ) -> &Self {
        let handler = Box::new(move |reason| conclude("disconnecting", handler(reason)));
        self.served.attached().disconnecting.push(handler);
        self
    }

    /// Adds a handler for the end of this socket; see [`ServerNamespace::on_disconnect`].
    pub fn on_disconnect<R: HandlerResult>(
        &self,
        handler: impl FnOnce(DisconnectReason) -> R + Send + 'static,
    ) -> &Self {
        let handler = Box::new(move |reason| conclude("disconnect", handler(reason)));
        self.served.attached().disconnect.push(handler);
        self
    }

    /// Removes this socket's own handlers for the events of this name.
    pub fn off(&self, event: &str) -> &Self {
        let removed = self.served.attached().events.remove(event);
        drop(removed);
        self
    }

    /// Joins a room. A socket that is disconnected joins none.
    pub fn join(&self, room: &str) {
        self.served.join(room);
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        self.served.leave(room);
    }

    /// The rooms that it is in, its own among them, or was in when it was disconnected.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.served.rooms()
    }

    /// All others of the namespace.
    pub fn broadcast(&self) -> Broadcast {
        self.namespace().except(self.id())
    }

    /// All others in a room.
    pub fn to(&self, room: &str) -> Broadcast {
        self.broadcast().to(room)
    }

    /// All others but for those in a room.
    pub fn except(&self, room: &str) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Disconnects the client from this namespace. It is told, and does not come back by itself.
    pub fn disconnect(&self) {
        self.disconnect_with(false);
    }

    /// Disconnects the client from all namespaces, and closes its connection.
    pub fn disconnect_client(&self) {
        self.disconnect_with(true);
    }

    fn disconnect_with(&self, close: bool) {
        self.served.leave_server(close);
    }

    /// What other servers of the cluster see as its data ([`ClusterSocket::data`](crate::server::ClusterSocket::data)), and servers in
    /// JavaScript as `socket.data`. Default: an empty object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when it cannot be written as JSON.
    pub fn share_data(&self, data: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(data).map_err(|error| {
            Error::new(ErrorKind::Payload, "the data to share is no JSON").with_source(error)
        })?;
        self.served.attached().shared = Some(json.into());
        Ok(())
    }

    /// What the program has attached to it: the value of this type.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
    /// struct User(String);
    ///
    /// server.authorize(|socket| {
    ///     let name: String = socket.handshake().auth()?;
    ///     socket.set_data(User(name));
    ///     Ok(())
    /// });
    /// server.on("hello", |socket, _| println!("{}", socket.data::<User>().unwrap().0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let attached = self.served.attached();
        attached.data.iter().find_map(|value| Arc::clone(value).downcast().ok())
    }

    /// Attaches a value, one of each type; gives the one that was there.
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut attached = self.served.attached();
        if let Some(old) = attached.data.iter_mut().find(|old| old.is::<T>()) {
            return std::mem::replace(old, value).downcast().ok();
        }
        attached.data.push(value);
        None
    }
}

impl std::fmt::Debug for ServerSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSocket")
            .field("id", &self.id())
            .field("namespace", &self.served.namespace.name)
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

/// Refuses names that mean something to the protocol.
pub(super) fn check_name(event: &str) -> Result<()> {
    if RESERVED_EVENTS.contains(&event) {
        return Err(Error::new(ErrorKind::ReservedEvent, format!("{event:?} is reserved")));
    }
    Ok(())
}
