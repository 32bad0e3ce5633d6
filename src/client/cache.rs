//! Sharing connections among the sockets of one server.

use std::sync::{Mutex, Weak};

use crate::client::manager::Manager;
use crate::client::shared::SharedConnection;
use crate::client::socket::Socket;
use crate::client::socket_options::SocketOptions;
use crate::error::Result;
use crate::sync::lock::lock;

/// The connections that later sockets of the same server may share.
static CACHE: Mutex<Vec<(String, Weak<SharedConnection>)>> = Mutex::new(Vec::new());

/// A socket of the connection of this key, unless that has one of the namespace already; else of a
/// new one, which is kept under the key where that is free.
///
/// `namespace` is as a URL has it, with its leading slash; the options are checked.
pub(super) fn shared_socket(
    key: String,
    namespace: &str,
    options: SocketOptions,
    make: impl FnOnce() -> Result<Manager>,
) -> Result<Socket> {
    // Dropped after the lock is released: it may turn out to be of no use, and to be the last
    // reference.
    let manager;
    let mut cache = lock(&CACHE);
    cache.retain(|(_, connection)| connection.strong_count() > 0);
    let cached = cache.iter().find(|(known, _)| *known == key);
    manager = cached.and_then(|(_, connection)| connection.upgrade()).map(Manager::of);
    match &manager {
        // With the lock held, since another call may want the same namespace.
        Some(manager) if !manager.shared().has_socket(namespace) => {
            manager.join(namespace, options)
        }
        Some(_) => {
            drop(cache);
            make()?.join(namespace, options)
        }
        None => {
            let manager = make()?;
            cache.push((key, manager.downgrade()));
            manager.join(namespace, options)
        }
    }
}
