//! Emitting with flags.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::ack::Ack;
use crate::core::client::Emit;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::proto::socket_packet::RESERVED_EVENTS;
use crate::socket::Socket;

/// A socket with flags that hold for what is emitted through it.
///
/// ```no_run
/// # use std::time::Duration;
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// socket.volatile().emit("temperature", 21.5)?;
/// let sum: u32 = socket.timeout(Duration::from_secs(5)).emit_with_ack("sum", (1, 2))?.wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Emitter {
    socket: Socket,
    volatile: bool,
    timeout: Option<Duration>,
}

impl Emitter {
    pub(crate) fn new(socket: Socket) -> Self {
        let timeout = socket.default_ack_timeout();
        Self { socket, volatile: false, timeout }
    }

    /// Rather drop the event than let it wait: for a connection, or for an earlier event to be
    /// written.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// How long to wait for an acknowledgement, from the emit on. An event that still waits to be
    /// sent when the time has passed is withdrawn.
    ///
    /// Default: [`Builder::ack_timeout`](crate::Builder::ack_timeout), and without that no limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Emits an event; see [`Socket::emit`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        self.socket.send(Emit { payload, ack: None, volatile: self.volatile })
    }

    /// Emits an event and asks for an acknowledgement; see [`Socket::emit_with_ack`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        let payload = encode(event, &args)?;
        let slot = Arc::default();
        let ack = Ack::new(&slot);
        let ack_and_limit = Some((slot, self.timeout));
        self.socket.send(Emit { payload, ack: ack_and_limit, volatile: self.volatile })?;
        Ok(ack)
    }
}

fn encode<T: Serialize>(event: &str, args: &T) -> Result<Payload> {
    if RESERVED_EVENTS.contains(&event) {
        return Err(Error::new(
            ErrorKind::ReservedEvent,
            format!("{event:?} belongs to the protocol and cannot be emitted"),
        ));
    }
    Payload::event(event, args)
}
