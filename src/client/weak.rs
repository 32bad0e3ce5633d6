//! Handles that keep nothing alive.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::client::manager::Manager;
use crate::client::ownership::{SharedConnection, SharedNamespace};
use crate::client::socket::Socket;

/// A [`Socket`] that does not keep its namespace alive; [`Socket::downgrade`] gives it.
///
/// For callbacks that need their own socket: one that owns a [`Socket`] keeps the connection alive until
/// [`Manager::close`].
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// let weak = socket.downgrade();
/// socket.on("question", move |_| {
///     if let Some(socket) = weak.upgrade() {
///         let _ = socket.emit("answer", 42);
///     }
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WeakSocket {
    shared: Weak<SharedNamespace>,
}

impl WeakSocket {
    /// The socket, if there is a handle of it yet: a socket, or a subscription of it. It never blocks.
    pub fn upgrade(&self) -> Option<Socket> {
        self.shared.upgrade().map(Socket::of)
    }
}

impl fmt::Debug for WeakSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSocket").finish_non_exhaustive()
    }
}

impl Socket {
    /// A handle of this socket that does not keep it alive.
    pub fn downgrade(&self) -> WeakSocket {
        WeakSocket { shared: Arc::downgrade(self.shared()) }
    }
}

/// A [`Manager`] that does not keep its connection alive; [`Manager::downgrade`] gives it.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// let weak = socket.manager().downgrade();
/// socket.on("restart", move |_| {
///     if let Some(manager) = weak.upgrade() {
///         manager.close_engine();
///     }
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WeakManager {
    shared: Weak<SharedConnection>,
}

impl WeakManager {
    /// The manager, if there is a handle of its connection yet: a manager, a socket, or a subscription of
    /// either. It never blocks.
    pub fn upgrade(&self) -> Option<Manager> {
        self.shared.upgrade().map(Manager::of)
    }
}

impl fmt::Debug for WeakManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakManager").finish_non_exhaustive()
    }
}

impl Manager {
    /// A handle of this connection that does not keep it alive.
    pub fn downgrade(&self) -> WeakManager {
        WeakManager { shared: Arc::downgrade(self.shared()) }
    }
}
