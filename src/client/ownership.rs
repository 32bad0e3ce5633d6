//! Who keeps what alive: the state that the handles of a connection share, and that of a socket.
//!
//! A [`Manager`](crate::Manager), a [`Socket`](crate::Socket) and a
//! [`Subscription`](crate::Subscription) are references to these. When the last reference to a
//! socket is dropped, its namespace is left; when the last to a connection is, that is closed.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::client::socket_options::{AckOptions, SocketOptions};
use crate::core::ids::NamespaceId;
use crate::core::numbered::Numbered;
use crate::driver::client::Driver;
use crate::options::Rejections;
use crate::sync::lock::lock;

/// What the handles of one connection share.
pub(crate) struct SharedConnection {
    pub(super) driver: Arc<Driver>,
    /// The options of the connection's sockets, where those have none of their own.
    pub(super) acks: AckOptions,
    pub(super) reconnect_after: Rejections,
    sockets: Mutex<Numbered<NamespaceId, Weak<SharedNamespace>>>,
}

/// What the clones of one socket share.
pub(crate) struct SharedNamespace {
    pub(super) connection: Arc<SharedConnection>,
    pub(super) id: NamespaceId,
    pub(super) name: Arc<str>,
    pub(super) ack_timeout: Option<Duration>,
}

impl SharedConnection {
    pub(super) fn new(driver: Arc<Driver>, acks: AckOptions, reconnect_after: Rejections) -> Self {
        Self { driver, acks, reconnect_after, sockets: Mutex::new(Numbered::new()) }
    }

    /// The socket of the namespace of this name, which has its leading slash. Where there is none,
    /// it is made, with these options.
    pub(super) fn find_or_make(
        self: &Arc<Self>,
        name: &str,
        options: SocketOptions,
    ) -> Arc<SharedNamespace> {
        // Dropped after the lock is released, since that may run a user's code.
        let _replaced;
        let mut sockets = lock(&self.sockets);
        let id = self.driver.register_namespace(name);
        let entry = sockets.get_or_add(id, Weak::new);
        if let Some(socket) = entry.upgrade() {
            return socket;
        }
        _replaced = options.auth.and_then(|auth| self.driver.set_auth(id, auth));
        let acks = options.acks;
        self.driver.run(|core, _| {
            core.set_retries(id, acks.retries);
            core.set_retry_limits(id, acks.retry_limits);
            core.set_reconnect_after(id, options.reconnect_after);
        });
        let socket = Arc::new(SharedNamespace {
            connection: Arc::clone(self),
            id,
            name: name.into(),
            ack_timeout: acks.timeout,
        });
        *entry = Arc::downgrade(&socket);
        socket
    }

    /// Whether there is a socket of the namespace of this name, which has its leading slash.
    pub(super) fn has_socket(&self, name: &str) -> bool {
        // Not by an upgrade: its reference may become the last one, and dropping that takes the lock
        // which is held here.
        let sockets = lock(&self.sockets);
        let id = self.driver.look(|core| core.find_namespace(name));
        id.and_then(|id| sockets.get(id)).is_some_and(|socket| socket.strong_count() > 0)
    }

    /// The last reference to a socket is gone.
    fn forget(&self, id: NamespaceId) {
        // Dropped after the lock is released, since that may run a user's code.
        let _of_user;
        let mut sockets = lock(&self.sockets);
        if sockets.get(id).is_some_and(|socket| socket.strong_count() > 0) {
            // Another thread has made a new socket between the last drop and the lock.
            return;
        }
        sockets.remove(id);
        _of_user = self.driver.forget(id);
    }
}

impl SharedNamespace {
    pub(super) fn driver(&self) -> &Driver {
        &self.connection.driver
    }
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.driver.shut_down();
    }
}

impl Drop for SharedNamespace {
    fn drop(&mut self) {
        self.connection.forget(self.id);
    }
}
