//! The front door.

use std::sync::{Mutex, Weak};

use crate::client::builder::Builder;
use crate::client::manager::{self, Manager};
use crate::client::socket::Socket;
use crate::client::socket_options::SocketOptions;
use crate::error::Result;
use crate::sync::lock::lock;

/// Connects to a Socket.IO server, with default options.
///
/// The path of the URL is the namespace (none is `/`), its query is sent with the handshake.
/// `http` and `ws` are the same here, and so are `https` and `wss`. Sockets of different
/// namespaces of one server share a connection.
///
/// It returns at once, and connects (and reconnects, for ever) in the background.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// let socket = siot::io("https://example.com/orders")?;
/// socket.emit("hello", "world")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl), and
/// [`ErrorKind::Resource`](crate::ErrorKind::Resource) when a thread cannot be started.
#[doc(alias = "connect")]
#[doc(alias = "lookup")]
pub fn io(url: &str) -> Result<Socket> {
    Builder::new(url).build()
}

/// The managers that later calls for the same server may share.
static CACHE: Mutex<Vec<(String, Weak<manager::Inner>)>> = Mutex::new(Vec::new());

/// A socket of the manager of this key, unless that has one of the namespace already; else of a new
/// one, which is kept under the key where that is free.
pub(crate) fn shared_socket(
    key: String,
    namespace: &str,
    options: SocketOptions,
    make: impl FnOnce() -> Result<Manager>,
) -> Result<Socket> {
    // Released before the manager that may turn out to be of no use, and may be the last handle.
    let manager;
    let mut cache = lock(&CACHE);
    cache.retain(|(_, manager)| manager.strong_count() > 0);
    let cached = cache.iter().find(|(known, _)| *known == key);
    manager = cached.and_then(|(_, manager)| manager.upgrade()).map(Manager::from_inner);
    match &manager {
        // With the lock held, since another call may want the same namespace.
        Some(manager) if !manager.has_socket(namespace) => manager.socket_with(namespace, options),
        Some(_) => {
            drop(cache);
            make()?.socket_with(namespace, options)
        }
        None => {
            let manager = make()?;
            cache.push((key, manager.downgrade()));
            manager.socket_with(namespace, options)
        }
    }
}
