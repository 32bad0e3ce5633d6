//! A namespace, as the program has it.

use std::sync::Arc;

use serde::Serialize;

use super::cluster::{ClusterAck, ClusterAnswers};
use super::handlers::{HandlerResult, conclude};
use super::handles::{Broadcast, ServerNamespace, ServerSocket};
use super::refusal::Refusal;
use crate::client::emitter::encode;
use crate::driver::server::broadcast::BroadcastReport;
use crate::driver::server::parts::ServedNamespace;
use crate::error::Result;
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::proto::socket_packet::RESERVED_EVENTS;
use crate::sync::logging::log_later;

impl ServerNamespace {
    pub(super) fn new(served: Arc<ServedNamespace>) -> Self {
        Self { served }
    }

    /// Its name, with the leading slash.
    pub fn name(&self) -> &str {
        &self.served.name
    }

    /// Adds a function that decides whether a client may join, before it is answered. Several are asked in their
    /// order, up to the first refusal. It may block, for at most as long as
    /// [`ServerBuilder::connect_timeout`](crate::server::ServerBuilder::connect_timeout) has it; a client that is gone
    /// meanwhile joins nothing. Add it in [`ServerBuilder::bind_with`](crate::server::ServerBuilder::bind_with), so that
    /// nobody comes in unasked before. Through the socket that it gets nothing can be emitted yet, but
    /// [data](ServerSocket::set_data) can be attached to it.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
    /// server.of("/admin").authorize(|socket| {
    ///     let auth: std::collections::HashMap<String, String> = socket.handshake().auth()?;
    ///     match auth.get("token").map(String::as_str) {
    ///         Some("secret") => Ok(()),
    ///         _ => Err("not authorized".into()),
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorize(
        &self,
        function: impl Fn(&ServerSocket) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> &Self {
        let function = Arc::new(move |socket: &Arc<_>| {
            function(&ServerSocket::new(Arc::clone(socket))).map_err(Refusal::into_error)
        });
        self.served.change_handlers(|handlers| handlers.authorize.push(function));
        self
    }

    /// Adds a handler for new sockets. It is called before all other handlers of the socket, and after the client was
    /// told: it may emit, and wait for acknowledgements.
    pub fn on_connection<R: HandlerResult>(
        &self,
        handler: impl Fn(&ServerSocket) -> R + Send + Sync + 'static,
    ) -> &Self {
        let handler = Arc::new(move |socket: &Arc<_>| {
            conclude("connection", handler(&ServerSocket::new(Arc::clone(socket))));
        });
        self.served.change_handlers(|handlers| handlers.connection.push(handler));
        self
    }

    /// Adds a handler for the events of this name. Nothing comes by the names that no event can have, such as
    /// `disconnect`, and a line of the log says so: see [`on_disconnect`](Self::on_disconnect).
    pub fn on<R: HandlerResult>(
        &self,
        event: &str,
        handler: impl Fn(&ServerSocket, Event) -> R + Send + Sync + 'static,
    ) -> &Self {
        if RESERVED_EVENTS.contains(&event) {
            log_later!(Warn, in self.name(), "a handler that nothing will come by: {event:?} belongs to the protocol");
        }
        let name: Box<str> = event.into();
        let handler = Arc::new(move |socket: &Arc<_>, event| {
            conclude(&name, handler(&ServerSocket::new(Arc::clone(socket)), event));
        });
        self.served.change_handlers(|handlers| {
            handlers.events.entry(event.into()).or_default().push(handler);
        });
        self
    }

    /// Adds a handler for all events, which is called before those for one name.
    pub fn on_any<R: HandlerResult>(
        &self,
        handler: impl Fn(&ServerSocket, Event) -> R + Send + Sync + 'static,
    ) -> &Self {
        let handler = Arc::new(move |socket: &Arc<_>, event| {
            conclude("any", handler(&ServerSocket::new(Arc::clone(socket)), event));
        });
        self.served.change_handlers(|handlers| handlers.any.push(handler));
        self
    }

    /// Adds a handler for the end of sockets, called before those of [`on_disconnect`](Self::on_disconnect). Nothing
    /// can be emitted to the socket any more, nor do broadcasts to its rooms reach it, but
    /// [`rooms`](ServerSocket::rooms) tells in which it was.
    pub fn on_disconnecting<R: HandlerResult>(
        &self,
        handler: impl Fn(&ServerSocket, DisconnectReason) -> R + Send + Sync + 'static,
    ) -> &Self {
        let handler = Arc::new(move |socket: &Arc<_>, reason| {
            conclude("disconnecting", handler(&ServerSocket::new(Arc::clone(socket)), reason));
        });
        self.served.change_handlers(|handlers| handlers.disconnecting.push(handler));
        self
    }

    /// Adds a handler for the end of sockets. It is the last that is called for a socket, once for each that
    /// [`on_connection`](Self::on_connection) was called for.
    pub fn on_disconnect<R: HandlerResult>(
        &self,
        handler: impl Fn(&ServerSocket, DisconnectReason) -> R + Send + Sync + 'static,
    ) -> &Self {
        let handler = Arc::new(move |socket: &Arc<_>, reason| {
            conclude("disconnect", handler(&ServerSocket::new(Arc::clone(socket)), reason));
        });
        self.served.change_handlers(|handlers| handlers.disconnect.push(handler));
        self
    }

    /// Removes the handlers for the events of this name; gives their number. Calls that have begun go on.
    pub fn off_event(&self, event: &str) -> usize {
        let removed = self.served.change_handlers(|handlers| handlers.events.remove(event));
        removed.map_or(0, |handlers| handlers.len())
    }

    /// Adds a handler for the events of this name that other servers of the cluster emit
    /// ([`server_side_emit`](Self::server_side_emit)). One that wants an answer gets it by [`Event::ack`], of which the other server sees
    /// the first argument. Handlers run on the pool, one after the other.
    pub fn on_server_event<R: HandlerResult>(
        &self,
        event: &str,
        handler: impl Fn(Event) -> R + Send + Sync + 'static,
    ) -> &Self {
        let name: Box<str> = event.into();
        let handler = Arc::new(move |event| conclude(&name, handler(event)));
        self.served.change_handlers(|handlers| {
            handlers.server_events.entry(event.into()).or_default().push(handler);
        });
        self
    }

    /// Emits an event to the other servers of the cluster, which handle it by
    /// [`on_server_event`](Self::on_server_event). Clients do not see it. It does not block.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when the arguments cannot be encoded,
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for a name that means something to
    /// the protocol, [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) when too much waits for the other servers.
    pub fn server_side_emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.served.server_side_emit(encode(event, &args)?)
    }

    /// The same, and asks each of them for an answer.
    ///
    /// # Errors
    ///
    /// As [`server_side_emit`](Self::server_side_emit). Where too much waits, [`ClusterAck::wait`] tells.
    pub fn server_side_emit_with_ack<T: Serialize>(
        &self,
        event: &str,
        args: T,
    ) -> Result<ClusterAck> {
        Ok(ClusterAck(self.served.ask_servers(encode(event, &args)?)))
    }

    /// How many servers of the cluster have this namespace, this one included.
    ///
    /// # Blocking
    ///
    /// In a cluster, for at most [`ServerBuilder::cluster_timeout`](crate::server::ServerBuilder::cluster_timeout).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when it cannot be known in time,
    /// [`ErrorKind::Transport`](crate::ErrorKind::Transport) when what carries messages between them is away,
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) in a handler, where all threads for handlers wait already.
    pub fn count_servers(&self) -> Result<usize> {
        self.served.count_servers()
    }

    /// The names of the rooms that there are on all servers of the cluster, those among them that are named by the ids of
    /// sockets.
    ///
    /// # Blocking
    ///
    /// As [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::fetch_sockets`].
    pub fn fetch_rooms(&self) -> Result<ClusterAnswers<Arc<str>>> {
        let (answers, missing) = self.served.fetch_rooms()?;
        Ok(ClusterAnswers { answers, missing })
    }

    /// Emits to all its sockets; see [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastReport> {
        self.all().emit(event, args)
    }

    /// Its sockets on this server, and not those on others of its cluster.
    pub fn local(&self) -> Broadcast {
        self.all().local()
    }

    /// All its sockets.
    pub fn all(&self) -> Broadcast {
        Broadcast::new(&self.served)
    }

    /// Its sockets in a room.
    pub fn to(&self, room: &str) -> Broadcast {
        self.all().to(room)
    }

    /// Its sockets but for those in a room.
    pub fn except(&self, room: &str) -> Broadcast {
        self.all().except(room)
    }

    /// How many sockets it has.
    pub fn len(&self) -> usize {
        self.served.count()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the rooms that somebody has joined, but for those that are named by a socket's id.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.served.rooms()
    }
}
