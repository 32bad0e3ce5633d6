//! The handle of one namespace. Here is what concerns its connection and its buffers; other methods of [`Socket`] are
//!
//! * in `listening.rs`: callbacks and subscriptions (in `buffered.rs` those with bounds of their own)
//! * in `client/emitter.rs`: emitting, by itself or through an emitter with flags
//! * in `unsent.rs`: what waits to be sent, or goes out first at each connection
//!
//! `Manager::socket`, which makes the handle, is in `joining.rs`.

pub(crate) mod buffered;
mod joining;
mod listening;
pub(crate) mod unsent;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::client::manager::Manager;
use crate::client::ownership::SharedNamespace;
use crate::client::socket_options::auth_function;
use crate::core::client::namespace::Phase;
use crate::driver::client::{Driver, NamespaceAuth};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::event::status::Status;
use crate::payload::Payload;

/// A namespace of a server: the way to emit and receive events.
///
/// Cheap to clone; all clones are the same socket, and may be used by any number of threads. With
/// the last clone (and the last [`Subscription`](crate::Subscription)) the namespace is left, and
/// with its last socket the connection is closed, in the background.
///
/// It connects and reconnects by itself. Events that are emitted while it is not connected wait
/// (within [`Limits`](crate::Limits)) and are sent, in order, once it is.
#[derive(Clone)]
pub struct Socket {
    manager: Manager,
    shared: Arc<SharedNamespace>,
}

impl Socket {
    pub(super) fn of(shared: Arc<SharedNamespace>) -> Self {
        Self { manager: Manager::of(Arc::clone(&shared.connection)), shared }
    }

    /// The events that wait for the socket to be connected, each as JSON, the oldest first.
    #[doc(alias = "sendBuffer")]
    pub fn send_buffer(&self) -> Vec<String> {
        self.driver()
            .look(|core| core.namespace(self.shared.id).send_buffer().map(str::to_owned).collect())
    }

    /// Drops the events that wait for the socket to be connected; gives their number. The
    /// acknowledgements that they asked for fail.
    pub fn clear_send_buffer(&self) -> usize {
        self.driver().run(|core, _| core.clear_send_buffer(self.shared.id))
    }

    /// How many events came before the server's answer to CONNECT, and wait for that.
    #[doc(alias = "receiveBuffer")]
    pub fn receive_buffer_len(&self) -> usize {
        self.driver().look(|core| core.namespace(self.shared.id).early_events())
    }

    /// Drops the events that came before the server's answer to CONNECT; gives their number.
    pub fn clear_receive_buffer(&self) -> usize {
        self.driver().run(|core, _| core.clear_receive_buffer(self.shared.id))
    }

    /// Changes what is sent when the namespace is joined, from the next time on; see
    /// [`Builder::auth`](crate::Builder::auth).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when it is no object, or has binary data.
    pub fn set_auth<T: Serialize>(&self, auth: T) -> Result<()> {
        let auth = NamespaceAuth::Fixed(Payload::value(&auth)?);
        drop(self.driver().set_auth(self.shared.id, auth));
        Ok(())
    }

    /// Asks a function for what is sent when the namespace is joined, from the next time on; see
    /// [`Builder::auth_with`](crate::Builder::auth_with).
    pub fn set_auth_with<T: Serialize>(
        &self,
        auth: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) {
        drop(self.driver().set_auth(self.shared.id, auth_function(auth)));
    }

    /// Joins the namespace, now and after each reconnection; opens the connection if need be. It
    /// never blocks. After [`Manager::close`] it does nothing, and a line of level `WARN` says so.
    ///
    /// A program that calls it whenever the server has refused the namespace, or put the socket out, makes
    /// no tight loop: only the first time goes at once, see
    /// [`Builder::reconnect_after`](crate::Builder::reconnect_after).
    #[doc(alias = "open")]
    pub fn connect(&self) {
        self.driver().run(|core, now| core.connect(self.shared.id, now));
    }

    /// Leaves the namespace, and stays away until [`connect`](Socket::connect). It never blocks.
    ///
    /// What was emitted before is sent first. JavaScript servers forget events that arrive together
    /// with the farewell, so that waits until the server has read them: by WebSocket it answers a ping
    /// of WebSocket itself, by long-polling the request. A server that does not answer is told after
    /// 5 s. A program that is about to exit calls [`Manager::close`](crate::Manager::close), which waits
    /// for this.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// socket.emit("reading", 21.5)?;
    /// socket.disconnect(); // The server handles the reading before it hears of this.
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "close")]
    pub fn disconnect(&self) {
        self.driver().disconnect(self.shared.id);
    }

    /// Waits until all that was emitted by this socket is written, and acknowledged where an
    /// acknowledgement is awaited (or given up). What is emitted by others meanwhile prolongs it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// socket.emit("reading", 21.5)?;
    /// socket.flush(Duration::from_secs(5))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when `limit` passes before; the message says
    /// how many events are not delivered. At once
    /// [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) when something waits and nothing tries
    /// to connect, and [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) as
    /// [`wait_connected`](Socket::wait_connected) has it. What waits goes on to wait.
    pub fn flush(&self, limit: Duration) -> Result<()> {
        self.driver().flush(Some(self.shared.id), limit)
    }

    /// Waits until the socket is connected.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the last failure as its source, or with the
    /// loss of the last session, where sessions are opened and lost before the namespace is joined; and
    /// at once the failure itself, when there will be no further attempt.
    /// [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) after [`Manager::close`], and at once
    /// when the session was lost, which is its source, and there will be no further attempt.
    ///
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) at once, when the server's answer lies
    /// behind events that a consumer does not take, and
    /// [`Limits::receive_reserve`](crate::Limits::receive_reserve) is used up; the error names that
    /// consumer.
    pub fn wait_connected(&self, limit: Duration) -> Result<()> {
        self.driver().wait_joined(self.shared.id, limit)
    }

    /// Whether the namespace is joined.
    #[doc(alias = "disconnected")]
    pub fn is_connected(&self) -> bool {
        self.driver().look(|core| core.namespace(self.shared.id).phase == Phase::Joined)
    }

    /// Whether the socket connects, now or when it can.
    pub fn is_active(&self) -> bool {
        self.driver().look(|core| core.namespace(self.shared.id).is_active())
    }

    /// Whether the server restored the session of the last connection at the current one, so that
    /// nothing that it sent meanwhile is missing.
    pub fn is_recovered(&self) -> bool {
        self.driver().look(|core| {
            let status = core.namespace(self.shared.id).status();
            matches!(status, Some(Status::Connected { recovered: true, .. }))
        })
    }

    /// The id that the server gave to this socket, while it is connected.
    pub fn id(&self) -> Option<String> {
        self.driver().look(|core| core.namespace(self.shared.id).id.clone())
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.name
    }

    /// The connection.
    #[doc(alias = "io")]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    pub(super) fn shared(&self) -> &Arc<SharedNamespace> {
        &self.shared
    }

    fn driver(&self) -> &Driver {
        self.shared.driver()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", &self.namespace())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
