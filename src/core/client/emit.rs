//! What is sent, and what is handed back.

use std::time::Duration;

use crate::core::time::Timestamp;
use crate::error::Error;
use crate::payload::Payload;

/// What an event is sent with.
#[derive(Debug)]
pub(crate) struct Emit<A> {
    pub(crate) payload: Payload,
    /// What `Output::Acked` gives back.
    pub(crate) ack: Option<A>,
    /// The limit of the wait for the acknowledgement.
    pub(crate) timeout: Option<Duration>,
    /// Rather drop it than let it wait.
    pub(crate) volatile: bool,
    /// It goes out before what waits and is not urgent.
    pub(crate) urgent: bool,
    /// How long it is worth sending.
    pub(crate) ttl: Option<Duration>,
    /// It takes the place of what waits with this key.
    pub(crate) replaces: Option<Box<str>>,
    /// Send it again until it is acknowledged, or the limit has passed.
    pub(crate) reliable: bool,
    /// When it was emitted, if not now: its caller has waited for room, and limits count from here.
    pub(crate) since: Option<Timestamp>,
}

/// Why something to send was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken<T> {
    /// There is no room. Here it is back; try again after `Output::Changed`.
    Full(Box<T>),
    /// It can never be sent, or not now.
    Error(Error),
}

/// What becomes of an event, as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is taken on.
    Queued(SendQueue),
    /// There is no room, and something that is under way will make some.
    Wait,
    /// There is no room, and nobody can tell when there will be; or the session is gone that an
    /// answer was for.
    Refused,
    /// It is volatile and cannot go out at once.
    Dropped,
}

/// Where an event waits until it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendQueue {
    /// Among what is ready, until the session writes it.
    Ready,
    /// In the namespace's buffer, until that is joined.
    Buffer,
    /// In the queue of what is sent again until it is acknowledged.
    Retry,
}
