//! What siot hands to a program, made by hand.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::event::drop_reason::DropReason;
use crate::event::status::{DisconnectReason, Status};
use crate::event::{AckReply, Event, Reply};
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::lock::lock;

/// An event of the namespace `/`, as one that has come. The arguments follow the rule of
/// [`Socket::emit`](crate::Socket::emit).
///
/// # Errors
///
/// [`ErrorKind::Payload`] when they cannot be encoded.
///
/// ```
/// # fn main() -> siot::Result<()> {
/// let event = siot::testing::event("reading", ("kitchen", 21.5))?;
/// assert_eq!((event.name(), event.arg::<f64>(1)?), ("reading", 21.5));
/// # Ok(())
/// # }
/// ```
pub fn event<T: Serialize>(name: &str, args: T) -> Result<Event> {
    event_in("/", name, args)
}

/// An event of another namespace, whose name begins with a slash.
///
/// # Errors
///
/// As [`event`].
pub fn event_in<T: Serialize>(namespace: &str, name: &str, args: T) -> Result<Event> {
    Ok(Event::new(SocketPacket::of_event(namespace, Payload::event(name, &args)?), None))
}

/// An event that asks for an acknowledgement, and what becomes of that.
///
/// # Errors
///
/// As [`event`].
///
/// ```
/// # fn main() -> siot::Result<()> {
/// let (event, answer) = siot::testing::event_with_ack("sum", (1, 2))?;
/// assert!(!answer.is_given());
/// let (a, b): (u32, u32) = event.args()?;
/// event.ack(a + b)?;
/// assert_eq!(answer.args::<u32>()?, Some(3));
/// # Ok(())
/// # }
/// ```
pub fn event_with_ack<T: Serialize>(name: &str, args: T) -> Result<(Event, GivenAck)> {
    let given = Arc::<Given>::default();
    let reply: Arc<dyn Reply> = Arc::clone(&given) as _;
    let packet = SocketPacket::of_event("/", Payload::event(name, &args)?);
    Ok((Event::new(packet, Some(reply)), GivenAck(given)))
}

/// The acknowledgement that a program has given to an event of [`event_with_ack`], if it has.
#[derive(Clone)]
pub struct GivenAck(Arc<Given>);

#[derive(Default)]
struct Given(Mutex<Option<AckReply>>);

impl Reply for Given {
    fn reply(&self, payload: Payload) -> Result<()> {
        let mut given = lock(&self.0);
        if given.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "this event was acknowledged already",
            ));
        }
        *given = Some(AckReply::new(SocketPacket::of_ack(payload)));
        Ok(())
    }
}

impl GivenAck {
    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        lock(&self.0.0).is_some()
    }

    /// Its arguments, decoded by the rule of [`Event::args`]; `None` when it was not given. It never blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when they are of another type.
    pub fn args<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.reply().map(|reply| reply.args()).transpose()
    }

    /// The acknowledgement, as the other side gets it.
    pub fn reply(&self) -> Option<AckReply> {
        lock(&self.0.0).clone()
    }
}

impl fmt::Debug for GivenAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GivenAck").field(&self.reply()).finish()
    }
}

/// An acknowledgement, as one that has come. The arguments follow the rule of [`Socket::emit`](crate::Socket::emit).
///
/// # Errors
///
/// [`ErrorKind::Payload`] when they cannot be encoded.
pub fn ack_reply<T: Serialize>(args: T) -> Result<AckReply> {
    Ok(AckReply::new(SocketPacket::of_ack(Payload::args(&args)?)))
}

/// An error of this kind, with this [message](Error::message).
///
/// ```
/// use siot::{ErrorKind, testing};
///
/// let error = testing::error(ErrorKind::Timeout, "no acknowledgement in time");
/// assert!(error.is_timeout());
/// ```
pub fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, message.into())
}

/// The error by which a server refuses a namespace, with its message and [data](Error::data).
///
/// # Errors
///
/// [`ErrorKind::Payload`] when the data cannot be written as JSON.
pub fn refusal(message: impl Into<String>, data: &impl Serialize) -> Result<Error> {
    let json = serde_json::to_string(data).map_err(|error| {
        Error::new(ErrorKind::Payload, "the data of a refusal is no JSON").with_source(error)
    })?;
    Ok(error(ErrorKind::Refused, message).with_data(json))
}

/// [`Status::Connected`], with this id, and whether the server has restored the session before.
pub fn connected(id: &str, recovered: bool) -> Status {
    Status::Connected { id: id.to_owned(), recovered }
}

/// [`Status::ConnectError`], with the time after which the next attempt follows by itself, if one does.
///
/// ```
/// use std::time::Duration;
/// use siot::{ErrorKind, Stage, testing};
///
/// let error = testing::error(ErrorKind::Connect(Stage::Tcp), "nobody listens");
/// let status = testing::connect_error(error, Some(Duration::from_secs(2)));
/// assert_eq!(status.retry_in(), Some(Duration::from_secs(2)));
/// ```
pub fn connect_error(error: Error, retry_in: Option<Duration>) -> Status {
    Status::ConnectError(error.with_retry_in(retry_in))
}

/// [`Status::Disconnected`], for this reason, with the time after which an attempt to connect follows by itself, if one
/// does.
pub fn disconnected(
    reason: DisconnectReason,
    error: Option<Error>,
    retry_in: Option<Duration>,
) -> Status {
    Status::Disconnected { reason, error, retry_in }
}

/// [`Status::Dropped`], of so many events with so many bytes.
pub fn dropped(events: usize, bytes: usize, reason: DropReason) -> Status {
    Status::Dropped { events, bytes, reason }
}
