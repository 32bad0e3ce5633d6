//! Listening to the events of one socket, by callback.

use super::handlers::{HandlerResult, conclude};
use super::handles::ServerSocket;
use super::refusal::Refusal;
use crate::driver::dispatch::Function;
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Order, Scope};
use crate::driver::server::attaching::EndHandler;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::proto::socket_packet::RESERVED_EVENTS;

impl ServerSocket {
    /// Adds a handler for the events of this name that come by this socket. Added in
    /// [`ServerNamespace::on_connection`](crate::server::ServerNamespace::on_connection), it misses none.
    ///
    /// Handlers of the namespace for the same event are called before it. Like those it may block, and is called on a
    /// thread of the pool, one call for this socket after the other. A handler that owns a clone of the socket is no circle:
    /// it is dropped behind [`on_disconnect`](Self::on_disconnect), and at once where that was called already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedEvent`] for the names that no event can have, such as `disconnect`: see
    /// [`on_disconnect`](Self::on_disconnect).
    pub fn on<R: HandlerResult>(
        &self,
        event: &str,
        handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> Result<ListenerId> {
        self.listen(event, repeated(event, handler))
    }

    /// Adds a handler for the next event of this name; see [`on`](Self::on).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn once<R: HandlerResult>(
        &self,
        event: &str,
        handler: impl FnOnce(Event) -> R + Send + 'static,
    ) -> Result<ListenerId> {
        let name: Box<str> = event.into();
        let function = move |event| conclude(&name, handler(event));
        self.listen(event, Function::Once(Some(Box::new(function))))
    }

    fn listen(&self, event: &str, function: Function<Event>) -> Result<ListenerId> {
        if RESERVED_EVENTS.contains(&event) {
            let what = format!("{event:?} belongs to the protocol, and never comes as an event");
            return Err(Error::new(ErrorKind::ReservedEvent, what));
        }
        Ok(self.served.listen(Scope::Event(event), Order::Last, function))
    }

    /// Adds a handler for all events that come by this socket, which is called before those for one name, and before
    /// [middlewares](Self::middleware).
    #[doc(alias = "onAny")]
    pub fn on_any<R: HandlerResult>(
        &self,
        handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> ListenerId {
        self.served.listen(Scope::Any, Order::Last, repeated("any", handler))
    }

    /// Like [`on_any`](Self::on_any), before all others of this socket.
    #[doc(alias = "prependAny")]
    pub fn prepend_any<R: HandlerResult>(
        &self,
        handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> ListenerId {
        self.served.listen(Scope::Any, Order::First, repeated("any", handler))
    }

    /// Adds a handler for each event that is sent to this client, also by a broadcast, from now on and in the order in which they are
    /// sent; not for acknowledgements. It is called in turn with the other handlers of this socket.
    ///
    /// It holds up nothing: of more than [`ServerBuilder::receive_events`](crate::server::ServerBuilder::receive_events)
    /// and [`receive_bytes`](crate::server::ServerBuilder::receive_bytes) that wait for it the oldest give way, and
    /// [`lost`](Self::lost) counts them.
    #[doc(alias = "onAnyOutgoing")]
    pub fn on_any_outgoing<R: HandlerResult>(
        &self,
        handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> ListenerId {
        self.served.listen(Scope::Outgoing, Order::Last, repeated("outgoing", handler))
    }

    /// Like [`on_any_outgoing`](Self::on_any_outgoing), before all others.
    #[doc(alias = "prependAnyOutgoing")]
    pub fn prepend_any_outgoing<R: HandlerResult>(
        &self,
        handler: impl FnMut(Event) -> R + Send + 'static,
    ) -> ListenerId {
        self.served.listen(Scope::Outgoing, Order::First, repeated("outgoing", handler))
    }

    /// Adds a function that sees each event before the handlers for its name do, and may refuse it; several are asked in
    /// their order, up to the first refusal. It may block, and holds the event up as long.
    ///
    /// A refused event reaches none of them, and a line of the log says so. Clients of versions 1 and 2 are told, by an
    /// `error` of their socket; those of later versions are not, as with JavaScript servers: acknowledge the event, or
    /// [disconnect](Self::disconnect) them. A function that panics refuses.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
    /// server.on_connection(|socket| {
    ///     socket.middleware(|event| match event.name() {
    ///         "door" if event.arg::<String>(0)? != "secret" => Err("not authorized".into()),
    ///         _ => Ok(()),
    ///     });
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "use")]
    pub fn middleware(
        &self,
        mut function: impl FnMut(&Event) -> Result<(), Refusal> + Send + 'static,
    ) -> &Self {
        let function = move |event: &Event| function(event).map_err(Refusal::into_error);
        self.served.add_middleware(std::sync::Arc::new(std::sync::Mutex::new(function)));
        self
    }

    /// Adds a handler for the end of this socket; see
    /// [`ServerNamespace::on_disconnecting`](crate::server::ServerNamespace::on_disconnecting). Where the others were called
    /// already, it is called at once.
    pub fn on_disconnecting<R: HandlerResult>(
        &self,
        handler: impl FnOnce(DisconnectReason) -> R + Send + 'static,
    ) -> &Self {
        let handler = Box::new(move |reason| conclude("disconnecting", handler(reason)));
        self.served.add_end(EndHandler::Disconnecting, handler);
        self
    }

    /// Adds a handler for the end of this socket; see
    /// [`ServerNamespace::on_disconnect`](crate::server::ServerNamespace::on_disconnect). Where the others were called
    /// already, it is called at once.
    pub fn on_disconnect<R: HandlerResult>(
        &self,
        handler: impl FnOnce(DisconnectReason) -> R + Send + 'static,
    ) -> &Self {
        let handler = Box::new(move |reason| conclude("disconnect", handler(reason)));
        self.served.add_end(EndHandler::Disconnect, handler);
        self
    }

    /// Removes one handler; `false` when it was removed before. When it returns, no call of it begins any more.
    #[doc(alias = "removeListener")]
    pub fn off(&self, listener: ListenerId) -> bool {
        let removed = self.served.look_at_attached(|attached| attached.listeners.remove(listener));
        removed.is_some()
    }

    /// Removes this socket's own handlers for the events of this name, as [`off`](Self::off) does; gives their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_event(&self, event: &str) -> usize {
        self.remove_all(Some(Scope::Event(event)))
    }

    /// Removes the handlers for events of any name, but not those of [`on_any`](Self::on_any); gives their number.
    #[doc(alias = "removeAllListeners")]
    pub fn off_all(&self) -> usize {
        self.remove_all(None)
    }

    /// Removes the handlers of [`on_any`](Self::on_any); gives their number.
    #[doc(alias = "offAny")]
    pub fn off_any(&self) -> usize {
        self.remove_all(Some(Scope::Any))
    }

    /// Removes the handlers of [`on_any_outgoing`](Self::on_any_outgoing); gives their number.
    #[doc(alias = "offAnyOutgoing")]
    pub fn off_any_outgoing(&self) -> usize {
        self.remove_all(Some(Scope::Outgoing))
    }

    fn remove_all(&self, scope: Option<Scope<'_>>) -> usize {
        let removed = self.served.look_at_attached(|attached| attached.listeners.remove_all(scope));
        removed.len()
    }

    /// How many handlers of its own an event has.
    #[doc(alias = "hasListeners")]
    pub fn listener_count(&self, event: &str) -> usize {
        self.served.look_at_attached(|attached| attached.listeners.count(Scope::Event(event)))
    }

    /// How many handlers of its own want all events.
    #[doc(alias = "listenersAny")]
    pub fn listener_count_any(&self) -> usize {
        self.served.look_at_attached(|attached| attached.listeners.count(Scope::Any))
    }

    /// How many handlers want all events that are sent.
    #[doc(alias = "listenersAnyOutgoing")]
    pub fn listener_count_any_outgoing(&self) -> usize {
        self.served.look_at_attached(|attached| attached.listeners.count(Scope::Outgoing))
    }

    /// How many events a handler of [`on_any_outgoing`](Self::on_any_outgoing) has missed, since too many waited for it; of
    /// received events nobody misses one. `None` when it was removed, or was called as the one of [`once`](Self::once).
    pub fn lost(&self, listener: ListenerId) -> Option<usize> {
        self.served.lost(listener)
    }
}

fn repeated<R: HandlerResult>(
    of: &str,
    mut handler: impl FnMut(Event) -> R + Send + 'static,
) -> Function<Event> {
    let of: Box<str> = of.into();
    Function::Repeated(Box::new(move |event| conclude(&of, handler(event))))
}
