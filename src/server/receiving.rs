//! Receiving by channel, for programs with threads of their own.

use std::sync::Arc;

use super::handles::{Server, ServerNamespace, ServerSocket};
use super::incoming::SocketIncoming;
use crate::client::subscription::Subscription;
use crate::driver::server::feed::{Arrivals, SocketFeed, bounds_of};
use crate::driver::server::parts::SocketTaker;
use crate::error::Result;
use crate::options::Buffer;
use crate::options::check::Check;
use crate::sync::mailbox::Mailbox;

impl ServerNamespace {
    /// Subscribes to all that comes by the sockets of this namespace: who connects, events, and who disconnects, in this
    /// order for each socket. It takes the place of handlers: those of the namespace and of its sockets are not called for
    /// sockets that join from now on. ([`authorize`](Self::authorize), and what is asked by
    /// [`emit_with_callback`](ServerSocket::emit_with_callback), is called as ever.) Subscribe in
    /// [`ServerBuilder::bind_with`](crate::server::ServerBuilder::bind_with), to miss nobody.
    ///
    /// As many events wait in the subscription as
    /// [`ServerBuilder::receive_events`](crate::server::ServerBuilder::receive_events) and
    /// [`receive_bytes`](crate::server::ServerBuilder::receive_bytes) say. What comes beyond that waits in front of it, for each
    /// socket within the same bounds, and only then nothing more is read from that client. They go on in turn, one event
    /// of each: a client that floods holds up itself alone.
    ///
    /// Several threads may take from it; then it is theirs to see that they do not handle two events of one socket at the
    /// same time. It ends when the server closes, behind the ends of all sockets. When it is dropped, what comes by the sockets
    /// that it had goes nowhere, and handlers are called for those that join later. It never blocks.
    ///
    /// ```no_run
    /// use siot::server::{Server, SocketNews};
    ///
    /// # fn main() -> siot::Result<()> {
    /// let mut incoming = None;
    /// let server = Server::builder().bind_with("127.0.0.1:3000", |server| {
    ///     incoming = Some(server.subscribe_all());
    /// })?;
    /// for incoming in incoming.unwrap()? {
    ///     let socket = incoming.socket;
    ///     match incoming.news {
    ///         SocketNews::Connected => println!("{} has come", socket.id()),
    ///         SocketNews::Event(event) => drop(server.emit("said", event.json())?),
    ///         SocketNews::Disconnected(reason) => println!("{} has left: {reason}", socket.id()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) when there is such a subscription, or one of
    /// [`connections`](Self::connections), already.
    pub fn subscribe_all(&self) -> Result<Subscription<SocketIncoming>> {
        self.subscribe_all_with(Buffer::new())
    }

    /// The same with other bounds for the events that wait in the subscription, and what happens when they are reached: with another
    /// policy than [`WhenFull::Wait`](crate::WhenFull::Wait) events are dropped ([`Subscription::lost`]), connections and
    /// disconnections are not.
    ///
    /// # Errors
    ///
    /// As [`subscribe_all`](Self::subscribe_all), and the same kind for a bound of 0.
    pub fn subscribe_all_with(&self, buffer: Buffer) -> Result<Subscription<SocketIncoming>> {
        buffer.check()?;
        let bounds = bounds_of(buffer, self.served.hub.options.inbox);
        let (feed, mailbox) = SocketFeed::new(bounds, false);
        subscription(feed, mailbox, |taker| self.served.leave_to(taker))
    }

    /// Subscribes to the sockets that join this namespace from now on, for a program with a thread for each of them: what comes
    /// by such a socket waits until the program [subscribes](ServerSocket::subscribe_all) to it, or disconnects it. Handlers are
    /// not called for it. It never blocks.
    ///
    /// A client of which more waits than may is held up, and in the end disconnected
    /// ([`ServerBuilder::stall_timeout`](crate::server::ServerBuilder::stall_timeout)). Sockets that nobody takes wait, and count as clients
    /// ([`ServerBuilder::max_connections`](crate::server::ServerBuilder::max_connections)) as long as they do. It ends
    /// when the server closes. When it is dropped, those that nobody has taken are disconnected, and handlers are called for those that
    /// join later.
    ///
    /// ```no_run
    /// use siot::server::{Server, SocketNews};
    ///
    /// # fn main() -> siot::Result<()> {
    /// let mut connections = None;
    /// let _server = Server::builder().bind_with("127.0.0.1:3000", |server| {
    ///     connections = Some(server.connections());
    /// })?;
    /// for socket in connections.unwrap()? {
    ///     std::thread::spawn(move || {
    ///         for incoming in socket.subscribe_all()? {
    ///             if let SocketNews::Event(event) = incoming.news {
    ///                 socket.emit("echo", event.json())?;
    ///             }
    ///         }
    ///         Ok::<_, siot::Error>(())
    ///     });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`subscribe_all`](Self::subscribe_all).
    pub fn connections(&self) -> Result<Subscription<ServerSocket>> {
        let (arrivals, mailbox) = Arrivals::new();
        subscription(arrivals, mailbox, |taker| self.served.leave_to(taker))
    }
}

impl Server {
    /// Subscribes to all that comes by the sockets of all namespaces, also of those that are made later, but for namespaces
    /// that have a subscription of their own; see [`ServerNamespace::subscribe_all`]. It never blocks.
    ///
    /// # Errors
    ///
    /// As [`ServerNamespace::subscribe_all`].
    pub fn subscribe_all_namespaces(&self) -> Result<Subscription<SocketIncoming>> {
        self.subscribe_all_namespaces_with(Buffer::new())
    }

    /// The same with other bounds; see [`ServerNamespace::subscribe_all_with`].
    ///
    /// # Errors
    ///
    /// As [`ServerNamespace::subscribe_all_with`].
    pub fn subscribe_all_namespaces_with(
        &self,
        buffer: Buffer,
    ) -> Result<Subscription<SocketIncoming>> {
        buffer.check()?;
        let bounds = bounds_of(buffer, self.owner.hub.options.inbox);
        let (feed, mailbox) = SocketFeed::new(bounds, false);
        subscription(feed, mailbox, |taker| self.owner.hub.leave_to(taker))
    }
}

impl ServerSocket {
    /// Subscribes to what comes by this socket, which [`ServerNamespace::connections`] gave: first
    /// what has come meanwhile, and with [`SocketNews::Disconnected`](crate::server::SocketNews::Disconnected) it ends. The bounds
    /// are those of [`ServerNamespace::subscribe_all`]. It never blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) when handlers, or a subscription, get what comes by it.
    pub fn subscribe_all(&self) -> Result<Subscription<SocketIncoming>> {
        self.subscribe_all_with(Buffer::new())
    }

    /// The same with other bounds; see [`ServerNamespace::subscribe_all_with`].
    ///
    /// # Errors
    ///
    /// As [`subscribe_all`](Self::subscribe_all), and the same kind for a bound of 0.
    pub fn subscribe_all_with(&self, buffer: Buffer) -> Result<Subscription<SocketIncoming>> {
        buffer.check()?;
        let bounds = bounds_of(buffer, self.served.namespace.hub.options.inbox);
        let (feed, mailbox) = SocketFeed::new(bounds, true);
        subscription(feed, mailbox, |taker| self.served.subscribe(taker))
    }
}

/// The subscription that a taker feeds, once that has been put in its place.
fn subscription<T: crate::sync::deliver::Deliver>(
    taker: Arc<impl SocketTaker + 'static>,
    mailbox: Arc<Mailbox<T>>,
    put: impl FnOnce(&Arc<dyn SocketTaker>) -> Result<()>,
) -> Result<Subscription<T>> {
    let taker: Arc<dyn SocketTaker> = taker;
    put(&taker)?;
    Ok(Subscription::of_server(mailbox, taker))
}
