//! The bounds of what waits for one consumer.

use super::WhenFull;

/// The bounds of what waits for one consumer: a subscription, a callback, an observer.
///
/// Each consumer has a buffer of its own, so that one which is not read takes nothing from the
/// others. What is not named here is as [`Limits`](crate::Limits) has it.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// use siot::{Buffer, WhenFull};
///
/// // A display that shows the newest value, and may miss those between.
/// let newest = Buffer::new().events(1).when_full(WhenFull::DropOldest);
/// for event in socket.buffer(newest)?.subscribe("temperature") {
///     println!("{}", event.json());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "give it to `Socket::buffer` or `Manager::engine_events_with`"]
pub struct Buffer {
    pub(crate) events: Option<usize>,
    pub(crate) bytes: Option<usize>,
    pub(crate) when_full: Option<WhenFull>,
}

impl Buffer {
    /// The bounds of [`Limits`](crate::Limits).
    pub fn new() -> Self {
        Self::default()
    }

    /// The most events that wait. At least 1. Default:
    /// [`Limits::receive_events`](crate::Limits::receive_events).
    pub fn events(mut self, count: usize) -> Self {
        self.events = Some(count);
        self
    }

    /// The most bytes that wait, in texts and attachments. One event of any size always fits into an
    /// empty buffer. At least 1. Default: [`Limits::receive_bytes`](crate::Limits::receive_bytes).
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// What happens to a received event that finds the buffer full. Default:
    /// [`Limits::when_receive_full`](crate::Limits::when_receive_full).
    ///
    /// Two kinds of consumers hold up nothing, whatever is said here. For events that are sent
    /// ([`Socket::subscribe_any_outgoing`](crate::Socket::subscribe_any_outgoing),
    /// [`Socket::on_any_outgoing`](crate::Socket::on_any_outgoing)) it is always
    /// [`WhenFull::DropOldest`]. For observers of packets
    /// ([`Manager::engine_events_with`](crate::Manager::engine_events_with)) it is so too, unless
    /// [`WhenFull::DropNewest`] is asked for.
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = Some(policy);
        self
    }
}
