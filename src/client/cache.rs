//! Sharing connections among the sockets of one server.

use std::sync::{Arc, Mutex, Weak};

use crate::client::manager::Manager;
use crate::client::ownership::SharedConnection;
use crate::client::recipe::Recipe;
use crate::client::socket::Socket;
use crate::client::socket_options::SocketOptions;
use crate::error::Result;
use crate::sync::lock::lock;

/// The connections that later sockets may share, until they are closed.
static CACHE: Mutex<Vec<Weak<SharedConnection>>> = Mutex::new(Vec::new());

/// A socket of a connection that is as the recipe makes one. Where there is none it is made, and
/// shared from then on; where it has a socket of the namespace already, a connection is made for this
/// socket alone.
///
/// Nothing but equality will do: whoever asks for a connection must get the one that he asked for, and
/// not one that trusts, reaches or tells somebody else.
///
/// `namespace` is as a URL has it, with its leading slash; the options are checked.
pub(super) fn shared_socket(
    recipe: Recipe,
    namespace: &str,
    options: SocketOptions,
) -> Result<Socket> {
    // Declared before the lock, and so dropped after it: where a connection is not the one, this may be
    // its last reference, whose drop closes the connection.
    let mut looked_at = Vec::new();
    let mut cache = lock(&CACHE);
    cache.retain(|connection| connection.strong_count() > 0);
    looked_at.extend(cache.iter().filter_map(Weak::upgrade).map(Manager::of));
    let is_ours =
        |manager: &&Manager| !manager.driver().is_over() && recipe.has_made(manager.driver());
    match looked_at.iter().find(is_ours) {
        // The lock stays held: another call for the same namespace must find this socket.
        Some(manager) if !manager.shared().has_socket(namespace) => {
            manager.join(namespace, options)
        }
        Some(_) => {
            drop(cache);
            recipe.make()?.join(namespace, options)
        }
        None => {
            let manager = recipe.make()?;
            cache.push(Arc::downgrade(manager.shared()));
            manager.join(namespace, options)
        }
    }
}

#[cfg(test)]
mod tests;
