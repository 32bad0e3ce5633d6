//! How clients come back to their sockets.

use std::time::Duration;

/// What is kept for clients that lose their connection, for each namespace. With what would be more, the oldest goes;
/// a client that may have missed it begins anew.
///
/// ```no_run
/// use std::time::Duration;
/// use siot::server::{ConnectionStateRecovery, Server};
///
/// # fn main() -> siot::Result<()> {
/// let recovery = ConnectionStateRecovery::new().max_disconnection_duration(Duration::from_secs(30));
/// let server = Server::builder().connection_state_recovery(recovery).bind("127.0.0.1:3000")?;
/// server.on_connection(|socket| println!("{} is back: {}", socket.id(), socket.recovered()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "give it to `ServerBuilder::connection_state_recovery`"]
pub struct ConnectionStateRecovery {
    pub(super) max_disconnection_duration: Duration,
    pub(super) max_bytes: usize,
    pub(super) max_sockets: usize,
    pub(super) skip_middlewares: bool,
}

impl Default for ConnectionStateRecovery {
    fn default() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            max_bytes: 1024 * 1024,
            max_sockets: 1024,
            skip_middlewares: true,
        }
    }
}

impl ConnectionStateRecovery {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a client may be away. Default: two minutes.
    pub fn max_disconnection_duration(mut self, time: Duration) -> Self {
        self.max_disconnection_duration = time;
        self
    }

    /// How many bytes of events are kept. Default: 1 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many sockets are kept whose clients are away. Default: 1,024.
    pub fn max_sockets(mut self, count: usize) -> Self {
        self.max_sockets = count;
        self
    }

    /// Whether the functions of [`authorize`](crate::server::ServerNamespace::authorize) are passed over for a client that
    /// is back. Default: yes.
    pub fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }
}
