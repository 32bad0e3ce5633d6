//! Floor 1: what a user receives: events, and news of the connection.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::budget::Permit;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::options::Transport;
use crate::payload::{Args, Payload};
use crate::proto::socket_packet::SocketPacket;

/// A received event: its name, and its arguments, still encoded.
///
/// Cheap to clone. The arguments decode into the type that you name:
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// for event in socket.subscribe("order") {
///     let (id, name): (u64, String) = event.args()?;
///     println!("order {id}: {name}");
///     event.ack("done")?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Event {
    inner: Arc<Inner>,
    /// The event's place in the receive buffer, until a consumer has it.
    permit: Option<Permit>,
}

struct Inner {
    packet: SocketPacket,
    reply: Option<Box<dyn Reply>>,
}

/// The way back of an acknowledgement.
pub(crate) trait Reply: Send + Sync {
    /// Sends the acknowledgement; at most once.
    fn reply(&self, payload: Payload) -> Result<()>;
}

impl Event {
    pub(crate) fn new(packet: SocketPacket, reply: Option<Box<dyn Reply>>) -> Self {
        Self { inner: Arc::new(Inner { packet, reply }), permit: None }
    }

    /// An event that was sent, as those see it who want to know.
    pub(crate) fn outgoing(payload: Payload) -> Self {
        Self::new(SocketPacket::of_event(payload), None)
    }

    /// The same event, holding a place in the receive buffer.
    pub(crate) fn with_permit(&self, permit: Permit) -> Self {
        Self { inner: Arc::clone(&self.inner), permit: Some(permit) }
    }

    /// Gives the place in the receive buffer back: a consumer has the event.
    pub(crate) fn received(mut self) -> Self {
        self.permit = None;
        self
    }

    /// What the event counts in the receive buffer, in bytes.
    pub(crate) fn size(&self) -> usize {
        let packet = &self.inner.packet;
        packet.text.as_frame().len()
            + packet.attachments.iter().map(bytes::Bytes::len).sum::<usize>()
    }

    /// The name of the event.
    pub fn name(&self) -> &str {
        self.inner.packet.name()
    }

    /// The namespace it came from.
    pub fn namespace(&self) -> &str {
        self.inner.packet.namespace()
    }

    /// Decodes the arguments: into a tuple all of them, into `()` none, into anything else the
    /// first.
    ///
    /// Arguments beyond those asked for are ignored. A missing one decodes as the `None` of an
    /// `Option`, and is an error otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when an argument is missing, is of another type, or is nested deeper
    /// than 128 levels. The event stays as it is: try another type, or take [`Event::json`].
    pub fn args<T: DeserializeOwned>(&self) -> Result<T> {
        self.list().decode()
    }

    /// Decodes one argument, counted from 0.
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.list().get(index)
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The event as it came: a JSON array of the name and the arguments. An attachment stands as
    /// `{"_placeholder":true,"num":n}`.
    pub fn json(&self) -> &str {
        self.inner.packet.data()
    }

    /// Whether the server asks for an acknowledgement.
    pub fn wants_ack(&self) -> bool {
        self.inner.reply.is_some()
    }

    /// Sends the acknowledgement that the server asked for. The arguments follow the rule of
    /// [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Blocking
    ///
    /// Like [`Socket::emit`](crate::Socket::emit), it may wait for room in the send buffer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when the arguments cannot be encoded; [`ErrorKind::InvalidOption`]
    /// when the server did not ask for an acknowledgement, or already has it;
    /// [`ErrorKind::Disconnected`] when the connection that the event came by has ended: the
    /// server no longer waits.
    pub fn ack<T: Serialize>(&self, args: T) -> Result<()> {
        match &self.inner.reply {
            Some(reply) => reply.reply(Payload::args(&args)?),
            None => Err(Error::new(
                ErrorKind::InvalidOption,
                format!("the server asked for no acknowledgement of {:?}", self.name()),
            )),
        }
    }

    fn list(&self) -> Args<'_> {
        Args { json: self.json(), skip: 1, attachments: &self.inner.packet.attachments }
    }
}

impl Clone for Event {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), permit: None }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("namespace", &self.namespace())
            .field("json", &self.json())
            .field("attachments", &self.inner.packet.attachments.len())
            .field("wants_ack", &self.wants_ack())
            .finish_non_exhaustive()
    }
}

/// The arguments of an acknowledgement, still encoded.
#[derive(Clone)]
pub struct AckReply {
    packet: Arc<SocketPacket>,
}

impl AckReply {
    pub(crate) fn new(packet: SocketPacket) -> Self {
        Self { packet: Arc::new(packet) }
    }

    /// Decodes the arguments, by the rule of [`Event::args`].
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn args<T: DeserializeOwned>(&self) -> Result<T> {
        self.list().decode()
    }

    /// Decodes one argument, counted from 0.
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.list().get(index)
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The acknowledgement as it came: a JSON array of the arguments.
    pub fn json(&self) -> &str {
        self.packet.data()
    }

    fn list(&self) -> Args<'_> {
        Args { json: self.json(), skip: 0, attachments: &self.packet.attachments }
    }
}

impl fmt::Debug for AckReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckReply")
            .field("json", &self.json())
            .field("attachments", &self.packet.attachments.len())
            .finish()
    }
}

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
    /// An attempt to connect failed. Unless the server refused the namespace
    /// ([`ErrorKind::Refused`]) or reconnection is off, the next attempt follows by itself.
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
    },
}

/// Why a connection ended. Displays as the string that the JavaScript client gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The server called `socket.disconnect()`. There is no automatic reconnection.
    #[doc(alias = "io server disconnect")]
    IoServerDisconnect,
    /// This program disconnected the socket. There is no automatic reconnection.
    #[doc(alias = "io client disconnect")]
    IoClientDisconnect,
    /// This program closed the connection below the socket.
    #[doc(alias = "forced close")]
    ForcedClose,
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
}

impl DisconnectReason {
    /// The string that the JavaScript client gives.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IoServerDisconnect => "io server disconnect",
            Self::IoClientDisconnect => "io client disconnect",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
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
