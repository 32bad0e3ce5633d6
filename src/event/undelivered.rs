//! Events that are handed back.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::payload::{Args, Payload};
use crate::sync::gate::OVERHEAD;

/// An event that was emitted and did not make it to the server, as far as is known.
/// [`Manager::close`](crate::Manager::close), [`Socket::take_waiting`](crate::Socket::take_waiting) and
/// [`Socket::take_unconfirmed`](crate::Socket::take_unconfirmed) give it, to be stored or sent again.
///
/// ```no_run
/// # use std::time::Duration;
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// # fn store(namespace: &str, json: &str) {}
/// for event in socket.manager().close(Duration::from_secs(5)) {
///     if !event.was_sent() {
///         store(event.namespace(), event.json());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UndeliveredEvent {
    namespace: Arc<str>,
    payload: Payload,
    was_sent: bool,
    /// Its place in the order in which the events of all namespaces came.
    order: u64,
}

impl UndeliveredEvent {
    pub(crate) fn new(namespace: Arc<str>, payload: Payload, was_sent: bool, order: u64) -> Self {
        Self { namespace, payload, was_sent, order }
    }

    /// Puts what was sent before the others, and each in the order in which it was emitted.
    pub(crate) fn sort(events: &mut [Self]) {
        events.sort_by_key(|event| (!event.was_sent, event.order));
    }

    /// The namespace it was emitted to, with its leading slash.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the event.
    pub fn name(&self) -> String {
        self.list(0).get(0).unwrap_or_default()
    }

    /// What is known of it. `false`: it was never sent. `true`: it was sent at least in part, and neither
    /// acknowledged nor, without an acknowledgement, otherwise confirmed, so that nobody can tell whether the server has
    /// it. Sent again, it may arrive twice.
    pub fn was_sent(&self) -> bool {
        self.was_sent
    }

    /// Decodes the arguments, by the rule of [`Event::args`](crate::Event::args).
    ///
    /// # Errors
    ///
    /// As [`Event::args`](crate::Event::args).
    pub fn args<T: DeserializeOwned>(&self) -> Result<T> {
        self.list(1).decode()
    }

    /// The event as a JSON array of its name and arguments. An attachment stands as
    /// `{"_placeholder":true,"num":n}`.
    pub fn json(&self) -> &str {
        &self.payload.json
    }

    /// The binary values among the arguments, by the number in their placeholder.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.payload.attachments.iter().map(Bytes::as_ref)
    }

    /// What it counts for while it is kept, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.payload.size() + OVERHEAD
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    fn list(&self, skip: usize) -> Args<'_> {
        Args { json: &self.payload.json, skip, attachments: &self.payload.attachments }
    }
}

impl fmt::Debug for UndeliveredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UndeliveredEvent")
            .field("namespace", &self.namespace)
            .field("json", &self.payload.json)
            .field("attachments", &self.payload.attachments.len())
            .field("was_sent", &self.was_sent)
            .finish_non_exhaustive()
    }
}
