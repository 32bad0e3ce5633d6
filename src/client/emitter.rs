//! Emitting with flags.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use crate::client::ack::Ack;
use crate::client::socket::Socket;
use crate::core::client::Emit;
use crate::driver::ack_slot::AckCallback;
use crate::driver::ack_slot::AckHandle;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;
use crate::payload::Payload;
use crate::proto::socket_packet::RESERVED_EVENTS;

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
        self.emit_payload(payload, None)
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
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        let payload = encode(event, &args)?;
        let slot = Arc::default();
        let ack = Ack::new(&slot);
        self.emit_payload(payload, Some(AckHandle::Slot(slot)))?;
        Ok(ack)
    }

    /// Emits an event and calls a function with the acknowledgement, or with the error that ends
    /// the wait for it, on siot's dispatch thread.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`], and [`ErrorKind::Resource`] when the dispatch thread cannot be started.
    /// The function is then not called.
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        let payload = encode(event, &args)?;
        self.socket.start_dispatch()?;
        let callback: AckCallback = Arc::new(Mutex::new(Some(Box::new(callback))));
        self.emit_payload(payload, Some(AckHandle::Callback(Arc::clone(&callback))))
    }

    fn emit_payload(&self, payload: Payload, ack: Option<AckHandle>) -> Result<()> {
        let emit = Emit { payload, ack, timeout: self.timeout, volatile: self.volatile };
        self.socket.emit_encoded(emit)
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
