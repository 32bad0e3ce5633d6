//! From a connection to the sockets of its namespaces.

use super::Socket;
use crate::client::manager::Manager;
use crate::client::socket_options::SocketOptions;
use crate::core::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::options::check::Check;

impl Manager {
    /// The socket of a namespace, which starts to connect. A second call gives the same socket.
    ///
    /// Where the connection was built with [`ack_timeout`](crate::Builder::ack_timeout),
    /// [`retries`](crate::Builder::retries),
    /// [`interrupted_tries`](crate::Builder::interrupted_tries),
    /// [`reliable_window`](crate::Builder::reliable_window) and
    /// [`reconnect_after`](crate::Builder::reconnect_after), they hold for this socket too; `auth` does
    /// not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for a name that no server can have: one with a comma.
    /// [`ErrorKind::Disconnected`] after [`Manager::close`].
    pub fn socket(&self, namespace: &str) -> Result<Socket> {
        let mut options = SocketOptions::new();
        options.acks = self.shared().acks;
        options.reconnect_after = self.shared().reconnect_after;
        self.socket_with(namespace, options)
    }

    /// The socket of a namespace, with options of its own. Where there is one already, that is
    /// given, and the options have no effect but that of
    /// [`auto_connect`](SocketOptions::auto_connect).
    ///
    /// # Errors
    ///
    /// As [`Manager::socket`], and [`ErrorKind::Payload`] for the auth value.
    pub fn socket_with(&self, namespace: &str, options: SocketOptions) -> Result<Socket> {
        options.check()?;
        self.join(namespace, options)
    }

    /// The same, with options that are checked.
    pub(in crate::client) fn join(
        &self,
        namespace: &str,
        options: SocketOptions,
    ) -> Result<Socket> {
        let name = normal_name(namespace)?;
        self.driver().look(Client::check_not_over)?;
        let auto_connect = options.auto_connect;
        let socket = Socket::of(self.shared().find_or_make(&name, options));
        if auto_connect {
            socket.connect();
        }
        Ok(socket)
    }
}

/// With a leading slash.
fn normal_name(namespace: &str) -> Result<String> {
    if namespace.contains(',') || namespace.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::InvalidOption,
            format!("a namespace cannot have the name {namespace:?}"),
        )
        .with_hint("a comma or a control character would break the protocol"));
    }
    if namespace.starts_with('/') { Ok(namespace.to_owned()) } else { Ok(format!("/{namespace}")) }
}
