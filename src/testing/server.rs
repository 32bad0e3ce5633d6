//! A server for tests.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::line::{FaultyLine, LineOrder};
use crate::error::Result;
use crate::server::{Server, ServerBuilder};
use crate::sync::lock::lock;

/// A server in the process of a test, at a free port of loopback, that fails on command.
///
/// It is a [`Server`] like any other, behind a line of its own that can be cut, slowed down or silenced. So what a program
/// meets is real: packets, heartbeats, time limits, TLS. Each command has been carried out when it returns; none
/// needs a pause. Dropping it [stops](Self::stop) it.
///
/// ```
/// use std::time::Duration;
/// use siot::server::Server;
/// use siot::testing::TestServer;
/// use siot::{Builder, Status};
///
/// # fn main() -> siot::Result<()> {
/// let server = TestServer::start(Server::builder(), |server| {
///     server.on("double", |_, event| event.ack(2 * event.arg::<u32>(0)?));
/// })?;
///
/// // What is tested: that it gets over a lost connection.
/// let socket = Builder::new(server.url()).reconnection_delay(Duration::from_millis(10)).build()?;
/// let (statuses, limit) = (socket.status(), Duration::from_secs(10));
/// assert!(matches!(statuses.recv_timeout(limit)?, Status::Connected { .. }));
/// server.drop_connections()?;
/// // What is emitted before it knows of the loss may go out by the lost connection.
/// assert!(matches!(statuses.recv_timeout(limit)?, Status::Disconnected { .. }));
/// assert_eq!(socket.emit_with_ack("double", 21)?.wait::<u32>()?, 42);
/// # Ok(())
/// # }
/// ```
///
/// All commands but [`delay`](Self::delay) work on what is there and on what comes later. They can be combined: a server
/// that was stopped while it was silent is gone, and connections to it are refused, silent or not.
///
/// # Errors
///
/// Of the commands: [`ErrorKind::Resource`](crate::ErrorKind::Resource) when the system refuses a thread or a
/// descriptor.
pub struct TestServer {
    line: FaultyLine,
    builder: ServerBuilder,
    prepare: Box<dyn Fn(&Server) + Send + Sync>,
    /// The one that serves, or served last.
    served: Mutex<TestedServer>,
    url: String,
}

struct TestedServer {
    server: Server,
    is_stopped: bool,
}

impl TestServer {
    /// Starts a server with these options. `prepare` adds the handlers, here and at each restart, before anybody is served;
    /// addresses that the builder names are served as well, and do not fail.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::bind`].
    pub fn start(
        builder: ServerBuilder,
        prepare: impl Fn(&Server) + Send + Sync + 'static,
    ) -> Result<Self> {
        let line = FaultyLine::new()?;
        let prepare: Box<dyn Fn(&Server) + Send + Sync> = Box::new(prepare);
        let scheme = "http";
        #[cfg(feature = "rustls")]
        let scheme = if builder.is_encrypted() { "https" } else { scheme };
        let url = format!("{scheme}://{}", line.address);
        let first = TestedServer { server: serve(&line, &builder, &prepare)?, is_stopped: false };
        Ok(Self { line, builder, prepare, served: Mutex::new(first), url })
    }

    /// The same as servers 1.x and 2.x are, which speak their revision (Engine.IO 3) whatever they are asked for.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::bind`].
    pub fn start_old(
        builder: ServerBuilder,
        prepare: impl Fn(&Server) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start(builder.old(), prepare)
    }

    /// Its URL: `http://127.0.0.1:` and the port, or `https` where the options have TLS. It stays the same for good.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.line.address
    }

    /// The server itself: to emit, or to see who is there. After a restart it is another one; while it is stopped, the last.
    pub fn server(&self) -> Server {
        lock(&self.served).server.clone()
    }

    /// Resets all connections, with what is on its way, and ends all sessions, as when a cable is pulled and plugged in again. Clients
    /// that come back begin anew.
    pub fn drop_connections(&self) -> Result<()> {
        let served = lock(&self.served);
        // Who comes back at once waits until the sessions are gone.
        self.line.tell(LineOrder::Hold(true))?;
        self.line.tell(LineOrder::Cut)?;
        served.server.lose_clients();
        self.line.tell(LineOrder::Hold(false))
    }

    /// Refuses new connections, and leaves those that there are alone.
    pub fn refuse_connections(&self) -> Result<()> {
        let _served = lock(&self.served);
        self.line.tell(LineOrder::Listen(false))
    }

    /// Takes new connections again. A stopped server has to be [resumed](Self::resume) instead: this changes nothing then.
    pub fn accept_connections(&self) -> Result<()> {
        let served = lock(&self.served);
        self.line.tell(LineOrder::Listen(!served.is_stopped))
    }

    /// Ends the server as a crash does: connections are reset, nobody is told, new ones are refused, and all that it knew is
    /// forgotten.
    pub fn stop(&self) -> Result<()> {
        self.stop_served(&mut lock(&self.served))
    }

    /// Starts it again after [`stop`](Self::stop), as a new one, at the same URL; does nothing when it runs.
    pub fn resume(&self) -> Result<()> {
        self.resume_served(&mut lock(&self.served))
    }

    /// Stops it, and starts it again.
    pub fn restart(&self) -> Result<()> {
        let mut served = lock(&self.served);
        self.stop_served(&mut served)?;
        self.resume_served(&mut served)
    }

    /// Falls silent, as a network does that loses all packets: nothing passes any more in either direction, and nothing ends. New
    /// connections are made, and lead nowhere. What is sent waits, until [`speak`](Self::speak).
    pub fn go_silent(&self) -> Result<()> {
        self.line.tell(LineOrder::Silence(true))
    }

    /// Ends the silence: all that was sent meanwhile arrives.
    pub fn speak(&self) -> Result<()> {
        self.line.tell(LineOrder::Silence(false))
    }

    /// Has all that is sent from now on, in each direction, arrive so much later, in order; a day at most. Zero, as in the
    /// beginning, ends that.
    pub fn delay(&self, delay: Duration) -> Result<()> {
        self.line.tell(LineOrder::Delay(delay))
    }

    fn stop_served(&self, served: &mut TestedServer) -> Result<()> {
        served.is_stopped = true;
        self.line.tell(LineOrder::Listen(false))?;
        self.line.tell(LineOrder::Cut)?;
        served.server.lose_clients();
        served.server.close(Duration::ZERO);
        Ok(())
    }

    fn resume_served(&self, served: &mut TestedServer) -> Result<()> {
        if served.is_stopped {
            served.server = serve(&self.line, &self.builder, &self.prepare)?;
            served.is_stopped = false;
        }
        Ok(())
    }
}

/// Starts a server to which the line leads.
fn serve(
    line: &FaultyLine,
    builder: &ServerBuilder,
    prepare: &(dyn Fn(&Server) + Send + Sync),
) -> Result<Server> {
    let server = builder.clone().bind_with("127.0.0.1:0", prepare)?;
    line.tell(LineOrder::LeadTo(server.local_addrs()[0]))?;
    line.tell(LineOrder::Listen(true))?;
    Ok(server)
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // What fails here has nobody to hear it, and ends with the line.
        let _ = self.stop();
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("url", &self.url).finish_non_exhaustive()
    }
}
