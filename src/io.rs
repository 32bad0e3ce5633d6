//! The front door.

use std::sync::{Mutex, PoisonError, Weak};

use crate::builder::Builder;
use crate::error::Result;
use crate::manager::{self, Manager};
use crate::socket::Socket;

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

/// The manager of this key, unless it has a socket of the namespace already; else a new one,
/// which is kept under the key where that is free.
pub(crate) fn shared_manager(
    key: String,
    namespace: &str,
    make: impl FnOnce() -> Result<Manager>,
) -> Result<Manager> {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.retain(|(_, manager)| manager.strong_count() > 0);
    let cached = cache.iter().find(|(known, _)| *known == key);
    let cached = cached.and_then(|(_, manager)| manager.upgrade()).map(Manager::from_inner);
    match cached {
        Some(manager) if !manager.has_socket(namespace) => Ok(manager),
        Some(_) => make(),
        None => {
            let manager = make()?;
            cache.push((key, manager.downgrade()));
            Ok(manager)
        }
    }
}
