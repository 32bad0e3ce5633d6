//! Floor 3: what a user receives: events, and the answers to their own.

mod arguments;
pub(crate) mod attempt_info;
pub(crate) mod drop_reason;
pub(crate) mod incoming;
pub(crate) mod observed;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod undelivered;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::arguments::Arguments;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::deliver::{Deliver, Receipt, Receipts};

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
// It is not behind an `Arc`: allocated by the thread that reads and freed by the one that consumes, that
// would make both wait for each other in the allocator.
pub struct Event {
    arguments: Arguments,
    /// Shared by the clones.
    reply: Option<Arc<dyn Reply>>,
    /// Tells that it was taken out of the channel of a subscription.
    _receipt: Option<Receipt>,
}

/// The way back of an acknowledgement.
pub(crate) trait Reply: Send + Sync {
    /// Sends the acknowledgement; at most once.
    fn reply(&self, payload: Payload) -> Result<()>;
}

impl Event {
    pub(crate) fn new(packet: SocketPacket, reply: Option<Arc<dyn Reply>>) -> Self {
        Self { arguments: Arguments { packet }, reply, _receipt: None }
    }

    /// An event that this program sent, for subscriptions to what is sent.
    pub(crate) fn outgoing(namespace: &str, payload: Payload) -> Self {
        Self::new(SocketPacket::of_event(namespace, payload), None)
    }

    fn with_receipt(self, receipts: &Receipts) -> Self {
        Self { _receipt: Some(receipts.issue()), ..self }
    }

    /// The name of the event.
    pub fn name(&self) -> &str {
        self.arguments.packet.name()
    }

    /// The namespace it came from, or, where it is one that this program sent, that it goes to.
    pub fn namespace(&self) -> &str {
        self.arguments.packet.namespace()
    }

    /// Decodes the arguments: into a tuple as many as it has, into `()` none, into any other type the
    /// first ([`ArgList`](crate::ArgList) has the rule in full).
    ///
    /// Arguments beyond those asked for are ignored. A missing one decodes as the `None` of an
    /// `Option`, and is an error otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when an argument is missing, is of another type, or is nested deeper
    /// than 127 levels. The event stays as it is: try another type, or take [`Event::json`].
    pub fn args<T: DeserializeOwned>(&self) -> Result<T> {
        self.arguments.decode()
    }

    /// Decodes one argument, counted from 0.
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.arguments.get(index)
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The event as it came: a JSON array of the name and the arguments. An attachment stands as
    /// `{"_placeholder":true,"num":n}`.
    pub fn json(&self) -> &str {
        self.arguments.json()
    }

    /// Whether the server asks for an acknowledgement.
    pub fn wants_ack(&self) -> bool {
        self.reply.is_some()
    }

    /// Sends the acknowledgement that the server asked for. The arguments follow the rule of
    /// [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Blocking
    ///
    /// Like [`Socket::emit`](crate::Socket::emit), it waits for room where the send buffer is full, for at
    /// most as long as the connection lasts that the event came by, and only with the policy
    /// [`WhenFull::Wait`](crate::WhenFull::Wait).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when the arguments cannot be encoded; [`ErrorKind::InvalidOption`]
    /// when the server did not ask for an acknowledgement, or already has it;
    /// [`ErrorKind::Disconnected`] when the connection that the event came by has ended: the
    /// server no longer waits; [`ErrorKind::BufferFull`] when there is no room, and a consumer of
    /// events is so far behind that nothing is read any more (see
    /// [`Limits::receive_reserve`](crate::Limits::receive_reserve)), or the policy is
    /// [`WhenFull::DropNewest`](crate::WhenFull::DropNewest). With
    /// [`WhenFull::DropOldest`](crate::WhenFull::DropOldest) the oldest events give way to it, but no other
    /// answers.
    pub fn ack<T: Serialize>(&self, args: T) -> Result<()> {
        match &self.reply {
            Some(reply) => reply.reply(Payload::args(&args)?),
            None => Err(Error::new(
                ErrorKind::InvalidOption,
                format!("the server asked for no acknowledgement of {:?}", self.name()),
            )),
        }
    }
}

impl AckReply {
    /// What it counts where it waits, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.arguments.size()
    }
}

impl Deliver for Event {
    fn size(&self) -> usize {
        self.arguments.size()
    }

    const ADD_RECEIPT: Option<fn(Self, &Receipts) -> Self> = Some(Self::with_receipt);
}

impl Clone for Event {
    fn clone(&self) -> Self {
        Self { arguments: self.arguments.clone(), reply: self.reply.clone(), _receipt: None }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("namespace", &self.namespace())
            .field("json", &self.json())
            .field("attachments", &self.arguments.attachments().len())
            .field("wants_ack", &self.wants_ack())
            .finish_non_exhaustive()
    }
}

/// The arguments of an acknowledgement, still encoded.
#[derive(Clone)]
pub struct AckReply {
    arguments: Arc<Arguments>,
}

impl AckReply {
    pub(crate) fn new(packet: SocketPacket) -> Self {
        Self { arguments: Arc::new(Arguments { packet }) }
    }

    /// One that has come by another way than a packet: a list of its arguments.
    #[cfg(feature = "server")]
    pub(crate) fn of(payload: Payload) -> Self {
        Self::new(SocketPacket::of_ack(payload))
    }

    /// The list of its arguments.
    #[cfg(feature = "server")]
    pub(crate) fn payload(&self) -> Payload {
        let attachments = self.arguments.attachments().to_vec();
        Payload { json: self.json().to_owned(), attachments }
    }

    /// Decodes the arguments, by the rule of [`Event::args`].
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn args<T: DeserializeOwned>(&self) -> Result<T> {
        self.arguments.decode()
    }

    /// Decodes one argument, counted from 0; see [`Event::arg`].
    ///
    /// # Errors
    ///
    /// As [`Event::args`].
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.arguments.get(index)
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The acknowledgement as it came: a JSON array of the arguments.
    pub fn json(&self) -> &str {
        self.arguments.json()
    }
}

impl fmt::Debug for AckReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckReply")
            .field("json", &self.json())
            .field("attachments", &self.arguments.attachments().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_two_lines_of_a_processors_cache() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}
