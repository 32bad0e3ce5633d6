//! Connecting by a URL alone.

use crate::client::builder::Builder;
use crate::client::socket::Socket;
use crate::error::Result;

/// Connects to a Socket.IO server, with default options.
///
/// The path of the URL is the namespace (none is `/`), its query is sent with the handshake.
/// `http` and `ws` are the same here, and so are `https` and `wss`. Sockets of different
/// namespaces of one server share a connection, where their queries are the same.
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
