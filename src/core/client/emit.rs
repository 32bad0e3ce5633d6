//! What is sent, and what is handed back.

use std::time::Duration;

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
}

/// Why something to send was not taken.
#[derive(Debug)]
pub(crate) enum Refused<T> {
    /// There is no room. Here it is back; try again after `Output::Room`.
    Full(T),
    /// It can never be sent, or not now.
    Error(Error),
}
