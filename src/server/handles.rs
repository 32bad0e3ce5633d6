//! What a program holds of a server. Their methods stand in files of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::server::broadcast::{AskedClients, BroadcastFlags};
use crate::driver::server::parts::{Hub, ServedNamespace, ServedSocket};

/// A server. It is used as its namespace `/` is. Cheap to clone; with the last clone it is closed, without waiting
/// for clients.
#[derive(Clone)]
pub struct Server {
    pub(super) root: ServerNamespace,
    pub(super) owner: Arc<RunningServer>,
}

/// What ends with the last handle.
pub(super) struct RunningServer {
    pub(super) hub: Arc<Hub>,
    pub(super) addresses: Vec<SocketAddr>,
}

/// A namespace of a server. Cheap to clone.
///
/// Its handlers are called for all its sockets, each on a thread of the pool, the calls for one socket one
/// after the other. Those that are added later are called for what comes later.
#[derive(Clone)]
pub struct ServerNamespace {
    pub(super) served: Arc<ServedNamespace>,
}

/// One client in one namespace. Cheap to clone; a clone keeps nothing of the connection alive.
#[derive(Clone)]
pub struct ServerSocket {
    pub(super) served: Arc<ServedSocket>,
}

/// A socket with flags that hold for what is emitted through it.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
/// server.on("track", |socket, _| socket.volatile().emit("position", (52.5, 13.4)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it emits nothing by itself"]
pub struct ServerEmitter {
    pub(super) socket: ServerSocket,
    pub(super) volatile: bool,
    pub(super) timeout: Option<Duration>,
}

/// To whom an event goes, and how. Each method gives a new one; nothing is sent before [`emit`](Self::emit).
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
/// server.to("kitchen").to("hall").except("guests").emit("light", "on")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it emits nothing by itself"]
pub struct Broadcast {
    pub(super) namespace: Arc<ServedNamespace>,
    pub(super) flags: BroadcastFlags,
    pub(super) ack_timeout: Option<Duration>,
}

/// The acknowledgements of many, on their way.
#[must_use = "answers were asked for: wait for them, or emit without"]
pub struct BroadcastAck {
    pub(super) namespace: Arc<ServedNamespace>,
    pub(super) asked: AskedClients,
    pub(super) limit: Duration,
}
