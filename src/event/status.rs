//! What a user hears of the connection.

use std::fmt;
use std::time::Duration;

use super::drop_reason::DropReason;
use crate::error::{Error, Stage};
use crate::options::Transport;
use crate::sync::deliver::Deliver;

/// News of a socket's connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// The namespace is joined: events flow.
    #[non_exhaustive]
    #[doc(alias = "connect")]
    Connected {
        /// The id that the server gave to this socket.
        id: String,
        /// Whether the server restored the session of the last connection, so that nothing that it
        /// sent meanwhile is missing.
        recovered: bool,
    },
    /// An attempt to connect failed. [`Error::retry_in`] says whether and when the next one follows by
    /// itself: not with reconnection off, nor where the server refused the namespace
    /// ([`ErrorKind::Refused`](crate::ErrorKind::Refused)), unless
    /// [`Builder::reconnect_after`](crate::Builder::reconnect_after) has it so.
    #[doc(alias = "connect_error")]
    ConnectError(Error),
    /// A server before 3.0 reports that something went wrong in the connected namespace: its
    /// middleware refused an event. The connection goes on. [`Error::message`] or [`Error::data`]
    /// is what the server said.
    Error(Error),
    /// The connection ended.
    #[non_exhaustive]
    #[doc(alias = "disconnect")]
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// What the transport or the peer said, where there is more to say.
        error: Option<Error>,
        /// After how long the next attempt to connect follows by itself; `None` when none does.
        retry_in: Option<Duration>,
    },
    /// Events of this socket were dropped that were to be sent. The first is told at once; what is dropped
    /// within a second after that is told when it is over, as a sum for each reason. So these statuses
    /// do not fill the buffers of those who listen, whatever is lost.
    ///
    /// Not told is what the program itself decides when it happens:
    /// [volatile](crate::Emitter::volatile) events, the
    /// [clearing](crate::Socket::clear_send_buffer) of the buffer, the end of the socket.
    /// [`Counters::send_dropped`](crate::Counters::send_dropped) counts these as well. An event that a
    /// newer one [replaces](crate::Emitter::coalesce), or whose
    /// [time limit](crate::Emitter::timeout) passes, is not dropped: its [`Ack`](crate::Ack) says it.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::Status;
    ///
    /// socket.on_status(|status| {
    ///     if let Status::Dropped { events, bytes, reason, .. } = status {
    ///         eprintln!("{events} events of {bytes} bytes are lost: {reason}");
    ///     }
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    #[non_exhaustive]
    Dropped {
        /// How many.
        events: usize,
        /// How many bytes they had, in texts and attachments.
        bytes: usize,
        /// Why.
        reason: DropReason,
    },
}

impl Status {
    /// After how long the next attempt to connect follows by itself, from when this is told. `None`
    /// when none does, until somebody calls [`Socket::connect`](crate::Socket::connect), and with
    /// statuses that are no failure.
    ///
    /// Where the connection is down when the time has come, its own attempts are what is waited for.
    /// [`Manager::open`](crate::Manager::open) ends a wait for those.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::Status;
    ///
    /// socket.on_status(|status| match (&status, status.retry_in()) {
    ///     (Status::Connected { .. }, _) => println!("connected"),
    ///     (_, Some(delay)) => println!("offline, next attempt in {} s", delay.as_secs()),
    ///     (Status::ConnectError(error), None) => println!("offline for good: {error}"),
    ///     (Status::Disconnected { reason, .. }, None) => println!("offline for good: {reason}"),
    ///     _ => {}
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::ConnectError(error) => error.retry_in(),
            Self::Disconnected { retry_in, .. } => *retry_in,
            Self::Connected { .. } | Self::Error(_) | Self::Dropped { .. } => None,
        }
    }
}

/// Why a connection ended. Displays as the string that the JavaScript client gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The server called `socket.disconnect()`. There is no automatic reconnection, unless
    /// [`Builder::reconnect_after`](crate::Builder::reconnect_after) has it so.
    #[doc(alias = "io server disconnect")]
    IoServerDisconnect,
    /// This program disconnected the socket. There is no automatic reconnection.
    #[doc(alias = "io client disconnect")]
    IoClientDisconnect,
    /// This program closed the connection below the socket
    /// ([`Manager::disconnect`](crate::Manager::disconnect)). There is no automatic reconnection.
    #[doc(alias = "forced close")]
    ForcedClose,
    /// The session alone was closed, and the connection is opened again: by
    /// [`Manager::close_engine`](crate::Manager::close_engine), or by siot itself where the server turned out to
    /// speak another revision. JavaScript does not tell it from
    /// [`ForcedClose`](Self::ForcedClose): the string is the same.
    #[doc(alias = "forced close")]
    EngineClosed,
    /// No heartbeat came in time.
    #[doc(alias = "ping timeout")]
    PingTimeout,
    /// The peer closed the transport.
    #[doc(alias = "transport close")]
    TransportClose,
    /// The transport failed.
    #[doc(alias = "transport error")]
    TransportError,
    /// The peer sent a packet that is not Socket.IO.
    #[doc(alias = "parse error")]
    ParseError,
    /// At a server: the client disconnected the socket.
    #[doc(alias = "client namespace disconnect")]
    ClientNamespaceDisconnect,
    /// At a server: this program disconnected the socket.
    #[doc(alias = "server namespace disconnect")]
    ServerNamespaceDisconnect,
    /// At a server: this program disconnected the socket and the connection below it.
    #[doc(alias = "forced server close")]
    ForcedServerClose,
    /// At a server: it is being closed.
    #[doc(alias = "server shutting down")]
    ServerShuttingDown,
}

impl DisconnectReason {
    /// Whether siot has closed the session, and nobody has lost it.
    pub(crate) fn is_forced(self) -> bool {
        matches!(self, Self::ForcedClose | Self::EngineClosed)
    }

    /// The string that the JavaScript client gives.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IoServerDisconnect => "io server disconnect",
            Self::IoClientDisconnect => "io client disconnect",
            Self::ForcedClose | Self::EngineClosed => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ForcedServerClose => "forced server close",
            Self::ServerShuttingDown => "server shutting down",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// News of the connection that the sockets of a [`Manager`](crate::Manager) share.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ManagerEvent {
    /// The Engine.IO session is open.
    Open,
    /// The session ended.
    Close(DisconnectReason, Option<Error>),
    /// An attempt to connect failed, or the open session did.
    Error(Error),
    /// An attempt to connect has come to this stage.
    Stage(Stage),
    /// Something is wrong that does not end the attempt to connect: new certificates that cannot
    /// be used, a clock that goes wrong.
    Warning(Error),
    /// The server sent a heartbeat.
    Ping,
    /// The session moved to this transport.
    Upgrade(Transport),
    /// The session could not move to WebSocket and stays on long-polling.
    #[doc(alias = "upgradeError")]
    UpgradeError(Error),
    /// The next attempt to reconnect starts now; counted from 1.
    #[doc(alias = "reconnect_attempt")]
    ReconnectAttempt(u32),
    /// The connection is back, after this many attempts.
    Reconnect(u32),
    /// An attempt to reconnect failed.
    #[doc(alias = "reconnect_error")]
    ReconnectError(Error),
    /// The last permitted attempt to reconnect failed.
    #[doc(alias = "reconnect_failed")]
    ReconnectFailed,
}

// Their number alone is bounded: their texts are short.
impl Deliver for Status {
    fn size(&self) -> usize {
        0
    }
}

impl Deliver for ManagerEvent {
    fn size(&self) -> usize {
        0
    }
}
