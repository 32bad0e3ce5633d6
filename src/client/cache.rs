//! Sharing connections among the sockets of one server.

use std::sync::{Mutex, Weak};

use crate::client::manager::Manager;
use crate::client::ownership::SharedConnection;
use crate::client::socket::Socket;
use crate::client::socket_options::SocketOptions;
use crate::error::Result;
use crate::sync::lock::lock;

/// The connections that later sockets of the same server may share, until they are closed.
static CACHE: Mutex<Vec<(String, Weak<SharedConnection>)>> = Mutex::new(Vec::new());

/// A socket of the connection that is known by this key. Where there is none it is made, and known
/// by the key from then on; where it has a socket of the namespace already, a connection is made
/// for this socket alone.
///
/// `namespace` is as a URL has it, with its leading slash; the options are checked.
pub(super) fn shared_socket(
    key: String,
    namespace: &str,
    options: SocketOptions,
    make: impl FnOnce() -> Result<Manager>,
) -> Result<Socket> {
    // Declared before the lock, and so dropped after it: where the connection has such a socket
    // already, this may be the last reference, whose drop closes the connection.
    let manager;
    let mut cache = lock(&CACHE);
    cache.retain(|(_, connection)| connection.strong_count() > 0);
    let cached = cache.iter().find(|(known, _)| *known == key);
    manager = cached.and_then(|(_, connection)| connection.upgrade()).map(Manager::of);
    let open = manager.as_ref().filter(|manager| !manager.driver().is_over());
    match open {
        // The lock stays held: another call for the same namespace must find this socket.
        Some(manager) if !manager.shared().has_socket(namespace) => {
            manager.join(namespace, options)
        }
        Some(_) => {
            drop(cache);
            make()?.join(namespace, options)
        }
        None => {
            let manager = make()?;
            cache.retain(|(known, _)| *known != key);
            cache.push((key, manager.downgrade()));
            manager.join(namespace, options)
        }
    }
}
