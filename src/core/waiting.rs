//! Events that wait to be sent, whole: so that they can be taken back until a writer takes them.

use std::sync::Arc;

use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::payload::Payload;
use crate::proto::socket_packet::Kind;

/// An event that waits to be sent, or an answer to one of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) namespace: NamespaceId,
    pub(crate) content: Sendable,
    /// Its place in the order in which the events of all namespaces came.
    pub(crate) order: u64,
    /// It goes out before what is not.
    pub(crate) urgent: bool,
    /// From when on it is not worth sending.
    pub(crate) expiry: Option<Timestamp>,
    /// It takes the place of what waits with this key.
    pub(crate) replaces: Option<Box<str>>,
    /// Those who watch what is sent have seen it.
    pub(crate) shown: bool,
    /// It goes out at once or not at all.
    pub(crate) volatile: bool,
}

/// What a packet will be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sendable {
    /// An event, and the number of the acknowledgement that it asks for.
    Event(Payload, Option<u64>),
    /// An event that goes first at each connection, and so is of no use in the next.
    First(Payload),
    /// A try of the event in the queue of retries that waits for the acknowledgement of this number.
    Try(u64),
    /// An event that was handed to a session, and is kept with the acknowledgement of this number, which
    /// it waits for.
    Tracked(Arc<Payload>, u64),
    /// The answer to the server's event of this number.
    Answer(Payload, u64),
}

impl Waiting {
    /// An event or an answer without any of the flags.
    pub(crate) fn new(namespace: NamespaceId, content: Sendable, order: u64) -> Self {
        Self {
            namespace,
            content,
            order,
            urgent: false,
            expiry: None,
            replaces: None,
            shown: false,
            volatile: false,
        }
    }

    /// The number of the acknowledgement that it asks for.
    pub(crate) fn ack(&self) -> Option<u64> {
        match self.content {
            Sendable::Event(_, ack) => ack,
            Sendable::Try(ack) | Sendable::Tracked(_, ack) => Some(ack),
            Sendable::Answer(..) | Sendable::First(_) => None,
        }
    }

    /// Has an event that asks for an acknowledgement tracked: gives what is kept with that.
    pub(crate) fn track(&mut self) -> Option<Arc<Payload>> {
        let Sendable::Event(payload, Some(ack)) = &mut self.content else { return None };
        let event = Arc::new(std::mem::take(payload));
        self.content = Sendable::Tracked(Arc::clone(&event), *ack);
        Some(event)
    }

    pub(crate) fn is_event(&self) -> bool {
        matches!(self.content, Sendable::Event(..))
    }

    /// The event, if it is one that is not to be lost without a word, and no acknowledgement tells of it.
    pub(crate) fn plain(&self) -> Option<&Payload> {
        match &self.content {
            Sendable::Event(payload, None) if !self.volatile => Some(payload),
            _ => None,
        }
    }

    /// What it counts for where it waits.
    pub(crate) fn load(&self) -> Load {
        // A try counts where the event lies.
        self.payload().map(Load::from).unwrap_or_default()
    }

    /// What a packet of it will carry, but for a try.
    pub(crate) fn payload(&self) -> Option<&Payload> {
        match &self.content {
            Sendable::Event(payload, _)
            | Sendable::Answer(payload, _)
            | Sendable::First(payload) => Some(payload),
            Sendable::Tracked(payload, _) => Some(payload),
            Sendable::Try(_) => None,
        }
    }

    /// The type and the number of its packet.
    pub(crate) fn kind_and_number(&self) -> (Kind, Option<u64>) {
        match self.content {
            Sendable::Answer(_, number) => (Kind::Ack, Some(number)),
            _ => (Kind::Event, self.ack()),
        }
    }
}
