//! Receiving by channel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::client::ownership::{SharedConnection, SharedNamespace};
use crate::driver::listeners::ListenerId;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::observed::EngineEvent;
use crate::event::status::{ManagerEvent, Status};

/// A queue of received events (or statuses), to be read by any thread.
///
/// It keeps the socket (or the connection) alive, and unsubscribes when it is dropped. It ends, which ends an
/// iteration over it too, when the connection is closed for good
/// ([`Manager::close`](crate::Manager::close)); a disconnection does not end it.
///
/// Three ways to wait: [`recv`](Self::recv) blocks, [`recv_timeout`](Self::recv_timeout) blocks for
/// a while, [`try_recv`](Self::try_recv) never blocks. To wait for several things at a time, give
/// [`receiver`](Self::receiver) to crossbeam's `select!`.
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
pub struct Subscription<T: Deliverable = Event> {
    receiver: Receiver<T>,
    owner: Owner,
    listener: ListenerId,
}

/// What a subscription listens to, which it keeps alive.
enum Owner {
    Namespace(Arc<SharedNamespace>),
    Connection(Arc<SharedConnection>),
}

/// What a subscription can deliver.
///
/// It has no name outside of this crate, and so no implementations there.
pub trait Deliverable: Send + Sized {
    /// Tells that a consumer has it.
    #[doc(hidden)]
    fn received(self) -> Self {
        self
    }
}

impl Deliverable for Status {}
impl Deliverable for ManagerEvent {}
impl Deliverable for EngineEvent {}

impl Deliverable for Event {
    fn received(self) -> Self {
        Event::received(self)
    }
}

impl<T: Deliverable> Subscription<T> {
    pub(super) fn of_namespace(
        receiver: Receiver<T>,
        owner: Arc<SharedNamespace>,
        listener: ListenerId,
    ) -> Self {
        Self { receiver, owner: Owner::Namespace(owner), listener }
    }

    pub(super) fn of_connection(
        receiver: Receiver<T>,
        owner: Arc<SharedConnection>,
        listener: ListenerId,
    ) -> Self {
        Self { receiver, owner: Owner::Connection(owner), listener }
    }

    /// The next one.
    ///
    /// # Blocking
    ///
    /// Until there is one, or the connection is closed for good.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Disconnected`] when nothing can come any more.
    pub fn recv(&self) -> Result<T> {
        self.receiver.recv().map(T::received).map_err(|_| closed())
    }

    /// The next one, if it comes within the limit.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when nothing came; [`ErrorKind::Disconnected`] when nothing can come
    /// any more.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T> {
        self.receiver.recv_timeout(limit).map(T::received).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                Error::new(ErrorKind::Timeout, format!("nothing came within {limit:?}"))
            }
            RecvTimeoutError::Disconnected => closed(),
        })
    }

    /// The next one, if it is there already. It never blocks.
    pub fn try_recv(&self) -> Option<T> {
        self.receiver.try_recv().ok().map(T::received)
    }

    /// What is there already; the iterator never blocks.
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv())
    }

    /// What comes, blocking, until the connection is closed for good.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { subscription: self }
    }

    /// The channel itself, for crossbeam's `select!`.
    ///
    /// An event that is taken from it keeps its place in the receive buffer
    /// ([`Limits::receive_events`](crate::Limits::receive_events)) until it is dropped; one that is
    /// taken by the methods of the subscription gives it back at once.
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Disconnected, "the connection was closed for good")
}

impl<T: Deliverable> Drop for Subscription<T> {
    fn drop(&mut self) {
        match &self.owner {
            Owner::Namespace(namespace) => namespace.driver().unlisten(namespace.id, self.listener),
            Owner::Connection(connection) => connection.driver.unlisten_manager(self.listener),
        };
    }
}

impl<T: Deliverable> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("waiting", &self.receiver.len())
            .finish_non_exhaustive()
    }
}

impl<T: Deliverable> IntoIterator for Subscription<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    /// Iterates, blocking, until the connection is closed for good.
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { subscription: self }
    }
}

impl<'a, T: Deliverable> IntoIterator for &'a Subscription<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    /// Iterates, blocking, until the connection is closed for good.
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// A blocking iterator over a subscription that it owns.
#[derive(Debug)]
pub struct IntoIter<T: Deliverable> {
    subscription: Subscription<T>,
}

impl<T: Deliverable> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.subscription.recv().ok()
    }
}

/// A blocking iterator over a subscription.
#[derive(Debug)]
pub struct Iter<'a, T: Deliverable> {
    subscription: &'a Subscription<T>,
}

impl<T: Deliverable> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.subscription.recv().ok()
    }
}
