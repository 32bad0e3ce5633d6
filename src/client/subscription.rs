//! Receiving by channel.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::client::ownership::{SharedConnection, SharedNamespace};
use crate::driver::client::Driver;
use crate::driver::listener_id::ListenerId;
#[cfg(feature = "server")]
use crate::driver::server::parts::SocketTaker;
use crate::error::{Error, ErrorKind, Result, Rounded};
use crate::event::Event;
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::{Mailbox, Nothing};
use crate::sync::readiness::ReadyFd;

/// A queue of what comes, to be read by any thread.
///
/// `T` says what lies in it, by who made it: [`Event`] ([`Socket::subscribe`](crate::Socket::subscribe)
/// and its relatives), [`Status`](crate::Status) ([`Socket::status`](crate::Socket::status)),
/// [`Incoming`](crate::Incoming) ([`Socket::subscribe_all`](crate::Socket::subscribe_all)),
/// [`ManagerEvent`](crate::ManagerEvent) ([`Manager::events`](crate::Manager::events)), or
/// [`EngineEvent`](crate::EngineEvent)
/// ([`Manager::engine_events`](crate::Manager::engine_events)).
///
#[cfg_attr(
    feature = "server",
    doc = "With the feature `server` there are two more: \
           [`SocketIncoming`](crate::server::SocketIncoming) \
           ([`ServerNamespace::subscribe_all`](crate::server::ServerNamespace::subscribe_all)), and \
           [`ServerSocket`](crate::server::ServerSocket) \
           ([`ServerNamespace::connections`](crate::server::ServerNamespace::connections)). \
           What is said here of `Manager::close` is true of \
           [`Server::close`](crate::server::Server::close) for them, and they keep nothing alive.\n"
)]
///
/// Each has bounds of its own: one that is not read takes nothing from the others. For events they are
/// those of [`Limits::receive_events`](crate::Limits::receive_events) or of a
/// [`Buffer`](crate::Buffer); of statuses and other news at most 64 wait.
///
/// It keeps the socket (or the connection) alive, and unsubscribes when it is dropped. It ends, which ends an
/// iteration over it too, with [`Manager::close`](crate::Manager::close): what waits is given first.
/// A disconnection does not end it.
///
/// Three ways to wait: [`recv`](Self::recv) blocks, [`recv_timeout`](Self::recv_timeout) blocks for
/// a while, [`try_recv`](Self::try_recv) never blocks. To wait for several things at a time, give
/// [`receiver`](Self::receiver) to crossbeam's `select!`, or [`ready_fd`](Self::ready_fd) to `poll(2)`.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// for event in socket.subscribe("news") {
///     let headline: String = event.args()?;
///     println!("{headline}");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it unsubscribes when it is dropped"]
pub struct Subscription<T: Deliver = Event> {
    mailbox: Arc<Mailbox<T>>,
    owner: Owner,
}

/// What a subscription listens to. It keeps a socket of a client, and its connection, alive.
enum Owner {
    Namespace(Arc<SharedNamespace>, ListenerId),
    Connection(Arc<SharedConnection>, ListenerId),
    #[cfg(feature = "server")]
    Server(Arc<dyn SocketTaker>),
}

impl Owner {
    fn unsubscribe(&self) {
        match self {
            Self::Namespace(namespace, listener) => {
                namespace.driver().unlisten(namespace.id, *listener);
            }
            Self::Connection(connection, listener) => {
                connection.driver.unlisten_manager(*listener);
            }
            #[cfg(feature = "server")]
            Self::Server(taker) => taker.abandon(),
        }
    }

    /// Why nothing comes any more.
    fn what_has_ended(&self) -> &'static str {
        match self {
            Self::Namespace(..) | Self::Connection(..) => "the manager was closed for good",
            #[cfg(feature = "server")]
            Self::Server(_) => "the server was closed, or the socket is gone",
        }
    }
}

impl<T: Deliver> Subscription<T> {
    pub(super) fn of_namespace(
        mailbox: Arc<Mailbox<T>>,
        owner: Arc<SharedNamespace>,
        listener: ListenerId,
    ) -> Self {
        note_subscription(owner.driver(), &mailbox);
        Self { mailbox, owner: Owner::Namespace(owner, listener) }
    }

    pub(super) fn of_connection(
        mailbox: Arc<Mailbox<T>>,
        owner: Arc<SharedConnection>,
        listener: ListenerId,
    ) -> Self {
        note_subscription(&owner.driver, &mailbox);
        Self { mailbox, owner: Owner::Connection(owner, listener) }
    }

    #[cfg(feature = "server")]
    pub(crate) fn of_server(mailbox: Arc<Mailbox<T>>, taker: Arc<dyn SocketTaker>) -> Self {
        Self { mailbox, owner: Owner::Server(taker) }
    }

    /// The next one. After [`Manager::close`](crate::Manager::close), what waits is given first.
    ///
    /// # Blocking
    ///
    /// Until there is one, or [`Manager::close`](crate::Manager::close); without a limit. A
    /// disconnection does not end it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Disconnected`] when nothing waits and nothing can come any more.
    pub fn recv(&self) -> Result<T> {
        self.take(None)
    }

    /// The next one, if it comes within the limit; see [`recv`](Self::recv).
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when nothing came; [`ErrorKind::Disconnected`] when nothing waits and
    /// nothing can come any more.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T> {
        // A limit beyond all time is none.
        self.take(Instant::now().checked_add(limit)).map_err(|error| match error.kind() {
            ErrorKind::Timeout => {
                Error::new(ErrorKind::Timeout, format!("nothing came within {}", Rounded(limit)))
            }
            _ => error,
        })
    }

    fn take(&self, deadline: Option<Instant>) -> Result<T> {
        self.mailbox.take(deadline).map_err(|nothing| match nothing {
            Nothing::Late => Error::new(ErrorKind::Timeout, "nothing came in time"),
            Nothing::Closed => Error::new(ErrorKind::Disconnected, self.owner.what_has_ended()),
        })
    }

    /// The next one, if it is there already; `None` also when nothing can come any more. It never
    /// blocks.
    pub fn try_recv(&self) -> Option<T> {
        self.mailbox.try_take()
    }

    /// What is there already; the iterator never blocks.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { subscription: self }
    }

    /// What waits and what comes, until [`Manager::close`](crate::Manager::close).
    ///
    /// # Blocking
    ///
    /// Each step blocks as [`recv`](Self::recv) does. Where there has to be a limit, use
    /// [`recv_timeout`](Self::recv_timeout).
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { subscription: self }
    }

    /// A channel that gets what waits and what comes, for `select!` of `crossbeam-channel` 0.5. The
    /// other methods take from it as well. It never blocks.
    ///
    /// Once `receiver` was called, siot takes an empty subscription for one that somebody waits for:
    /// that is a reason to read on although others are full (see
    /// [`Limits::receive_reserve`](crate::Limits::receive_reserve)).
    ///
    /// Where siot has stopped reading, it goes on when the `Event`s that were taken from the channel
    /// are dropped: do not keep them.
    pub fn receiver(&self) -> &Receiver<T> {
        self.mailbox.receiver()
    }

    /// A descriptor that is readable while something waits to be taken, for a loop of your own around
    /// `poll(2)`, `epoll` or `mio`. It never blocks. [`Manager::ready_fd`](crate::Manager::ready_fd) has
    /// one for all subscriptions of a connection.
    ///
    /// Take what waits by [`try_recv`](Self::try_recv), until it gives `None`: then the descriptor is not
    /// readable any more. Where the loop is edge-triggered, as `mio` is, that is necessary, since the next
    /// edge comes after that. At the end ([`is_closed`](Self::is_closed)) it stays readable; leave the loop
    /// then, or take the descriptor out of it.
    ///
    /// Without such a descriptor a subscription costs none. As long as there is one, siot takes an empty
    /// subscription for one that somebody waits for, as with [`receiver`](Self::receiver). Do not use both at
    /// the same time: what the program takes out of the channel itself, the descriptor may not hear of
    /// before the next `try_recv`.
    ///
    /// ```no_run
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let orders = socket.subscribe("order");
    /// let ready = orders.ready_fd()?;
    /// while !orders.is_closed() {
    ///     let mut fds = [PollFd::new(&ready, PollFlags::IN)]; // and those of the device
    ///     poll(&mut fds, None).map_err(std::io::Error::from).expect("poll(2) works");
    ///     for order in orders.try_iter() {
    ///         println!("order {}", order.json());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when the system refuses a descriptor.
    pub fn ready_fd(&self) -> Result<ReadyFd> {
        self.mailbox.readiness().map(ReadyFd::new)
    }

    /// Whether nothing comes any more, because of [`Manager::close`](crate::Manager::close). What waits can
    /// still be taken. It never blocks.
    pub fn is_closed(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// How many wait to be taken. It never blocks.
    pub fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were dropped because this subscription's buffer was full; see
    /// [`Buffer`](crate::Buffer). It never blocks.
    ///
    /// Iterate over `&subscription` to be able to ask afterwards: iterating over the subscription itself
    /// consumes it.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::{Buffer, WhenFull};
    ///
    /// let few = Buffer::new().events(16).when_full(WhenFull::DropOldest);
    /// let alarms = socket.buffer(few)?.subscribe("alarm");
    /// for alarm in &alarms {
    ///     println!("{} (missed before it: {})", alarm.json(), alarms.lost());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn lost(&self) -> usize {
        self.mailbox.lost()
    }
}

impl<T: Deliver> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.owner.unsubscribe();
    }
}

fn note_subscription<T: Deliver>(driver: &Driver, mailbox: &Arc<Mailbox<T>>) {
    // To a connection that was closed before, nothing comes any more.
    if driver.is_over() {
        mailbox.close();
    }
    driver.subscribed(mailbox);
}

impl<T: Deliver> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Deliver> IntoIterator for Subscription<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    /// What waits and what comes, until [`Manager::close`](crate::Manager::close).
    ///
    /// # Blocking
    ///
    /// Each step blocks as [`Subscription::recv`] does.
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { subscription: self }
    }
}

impl<'a, T: Deliver> IntoIterator for &'a Subscription<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    /// As [`Subscription::iter`].
    ///
    /// # Blocking
    ///
    /// Each step blocks as [`Subscription::recv`] does.
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// A blocking iterator over a subscription that it owns.
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct IntoIter<T: Deliver> {
    subscription: Subscription<T>,
}

impl<T: Deliver> Iterator for IntoIter<T> {
    type Item = T;

    /// The next one; `None` when nothing can come any more.
    ///
    /// # Blocking
    ///
    /// As [`Subscription::recv`].
    fn next(&mut self) -> Option<T> {
        self.subscription.recv().ok()
    }
}

/// A blocking iterator over a subscription.
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Iter<'a, T: Deliver> {
    subscription: &'a Subscription<T>,
}

impl<T: Deliver> Iterator for Iter<'_, T> {
    type Item = T;

    /// The next one; `None` when nothing can come any more.
    ///
    /// # Blocking
    ///
    /// As [`Subscription::recv`].
    fn next(&mut self) -> Option<T> {
        self.subscription.recv().ok()
    }
}

/// An iterator over what is there in a subscription already; it never blocks.
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct TryIter<'a, T: Deliver> {
    subscription: &'a Subscription<T>,
}

impl<T: Deliver> Iterator for TryIter<'_, T> {
    type Item = T;

    /// The next one, if it is there already.
    fn next(&mut self) -> Option<T> {
        self.subscription.try_recv()
    }
}

/// What a [`Subscription`] can be of, for functions that take any: `Event`, `Status`, `Incoming`,
/// `ManagerEvent` and `EngineEvent`.
///
/// ```no_run
/// use siot::Subscription;
/// use siot::subscription::Item;
///
/// fn drain<T: Item>(subscription: &Subscription<T>) -> usize {
///     subscription.try_iter().count()
/// }
/// ```
pub trait Item: Deliver {}

impl<T: Deliver> Item for T {}
