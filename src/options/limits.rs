//! The bounds of everything that could grow.

use crate::error::{Error, ErrorKind, Result};

/// What happens to an event that finds its buffer full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing is lost: the sender waits.
    ///
    /// Outgoing: while connected, `emit` blocks until there is room or the connection ends. It fails
    /// with [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) where nobody can tell for how
    /// long: while not connected, and where the room is taken by events of namespaces that are not. Incoming: siot stops reading, so that TCP slows the server
    /// down; a consumer that stays away for longer than the heartbeat allows loses the connection.
    #[default]
    Wait,
    /// The new event is refused. Outgoing: `emit` fails with
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull). Incoming: the event is dropped and
    /// counted.
    DropNewest,
    /// The oldest event in the buffer makes room for the new one, and is counted. Outgoing: whichever
    /// namespace of the connection it is of; one that was sent and awaits its acknowledgement, to be
    /// sent again if need be, is the last to go.
    DropOldest,
}

/// The bounds of the buffers of one connection.
///
/// The sum is what a connection can hold at most: one incoming message
/// ([`max_message`](Self::max_message)), the receive buffer, and the send buffer twice: once for
/// what the open session still has to write, and once for what waits for its namespace.
///
/// ```
/// use siot::{Limits, WhenFull};
///
/// let limits = Limits::new().send_bytes(64 * 1024).when_send_full(WhenFull::DropOldest);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) max_message: usize,
    pub(crate) max_attachments: usize,
    pub(crate) send_events: usize,
    pub(crate) send_bytes: usize,
    pub(crate) when_send_full: WhenFull,
    pub(crate) receive_events: usize,
    pub(crate) receive_bytes: usize,
    pub(crate) when_receive_full: WhenFull,
    pub(crate) acks: usize,
    pub(crate) stack_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 1024 * 1024,
            max_attachments: 10,
            send_events: 1024,
            send_bytes: 1024 * 1024,
            when_send_full: WhenFull::Wait,
            receive_events: 1024,
            receive_bytes: 1024 * 1024,
            when_receive_full: WhenFull::Wait,
            acks: 65_536,
            stack_size: 512 * 1024,
        }
    }
}

impl Limits {
    /// The default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest incoming packet, in bytes: its text and each of its attachments.
    ///
    /// A larger one ends the connection with `transport error`. Default: 1 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The most attachments (binary values) of one packet, in both directions.
    ///
    /// JavaScript servers close the connection above 10. Default: 10.
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.max_attachments = count;
        self
    }

    /// The most events that wait to be sent. Default: 1,024.
    pub fn send_events(mut self, count: usize) -> Self {
        self.send_events = count;
        self
    }

    /// The most bytes that wait to be sent. One event of any size always fits into an empty
    /// buffer. Default: 1 MiB.
    pub fn send_bytes(mut self, bytes: usize) -> Self {
        self.send_bytes = bytes;
        self
    }

    /// What happens to an outgoing event when the send buffer is full. Default:
    /// [`WhenFull::Wait`].
    pub fn when_send_full(mut self, policy: WhenFull) -> Self {
        self.when_send_full = policy;
        self
    }

    /// The most received events that wait for subscriptions and callbacks. Default: 1,024.
    pub fn receive_events(mut self, count: usize) -> Self {
        self.receive_events = count;
        self
    }

    /// The most bytes of received events that wait for subscriptions and callbacks. Default: 1 MiB.
    pub fn receive_bytes(mut self, bytes: usize) -> Self {
        self.receive_bytes = bytes;
        self
    }

    /// What happens to a received event when the receive buffer is full. Default:
    /// [`WhenFull::Wait`].
    pub fn when_receive_full(mut self, policy: WhenFull) -> Self {
        self.when_receive_full = policy;
        self
    }

    /// The most acknowledgements that a namespace waits for at a time. Default: 65,536.
    pub fn acks(mut self, count: usize) -> Self {
        self.acks = count;
        self
    }

    /// The stack size of siot's threads, in bytes. Default: 512 KiB, of which only what is used
    /// takes memory (some 20 kB on x86-64); the least that is taken is 256 KiB, twice what a
    /// handshake needs in a build without optimisation.
    ///
    /// Callbacks run on such a thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Refuses what would let nothing through.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = [
            ("max_message", self.max_message, 1),
            ("send_events", self.send_events, 1),
            ("send_bytes", self.send_bytes, 1),
            ("receive_events", self.receive_events, 1),
            ("receive_bytes", self.receive_bytes, 1),
            ("stack_size", self.stack_size, 256 * 1024),
        ];
        match limits.into_iter().find(|(_, value, least)| value < least) {
            None => Ok(()),
            Some((name, value, least)) => Err(Error::new(
                ErrorKind::InvalidOption,
                format!("Limits::{name} is {value}; the least is {least}"),
            )),
        }
    }
}
