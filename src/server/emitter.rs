//! Emitting to one socket, with flags or without.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde::Serialize;

use super::handles::{ServerEmitter, ServerSocket};
use crate::client::ack::Ack;
use crate::client::emitter::encode;
use crate::driver::ack_slot::{AckCallback, AckHandle, AckSlot, AwaitAnswer};
use crate::driver::server::answers::AnswerSink;
use crate::driver::server::parts::Hub;
use crate::error::Result;
use crate::event::AckReply;
use crate::payload::Payload;

impl ServerEmitter {
    /// Rather drop the event than let it wait: for an earlier event to be written, or, where the client polls, for its
    /// next request.
    pub fn volatile(self) -> Self {
        self.with_volatile(true)
    }

    /// How long an acknowledgement is awaited. Default:
    /// [`ServerBuilder::ack_timeout`](crate::server::ServerBuilder::ack_timeout).
    pub fn timeout(self, limit: Duration) -> Self {
        self.with_timeout(limit)
    }

    /// [`volatile`](Self::volatile), or not: for what is decided at run time.
    pub fn with_volatile(mut self, volatile: bool) -> Self {
        self.volatile = volatile;
        self
    }

    /// [`timeout`](Self::timeout), or with `None` its default.
    pub fn with_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// Emits an event; see [`ServerSocket::emit`]. It never blocks.
    ///
    /// # Errors
    ///
    /// As [`ServerSocket::emit`]; a [volatile](Self::volatile) event that is dropped is none.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.socket.served.emit(encode(event, &args)?, self.volatile)
    }

    /// Emits an event, and asks for an acknowledgement; see [`ServerSocket::emit_with_ack`]. It never blocks.
    ///
    /// # Errors
    ///
    /// As [`ServerSocket::emit_with_ack`]. Where a [volatile](Self::volatile) event is dropped,
    /// [`Ack::wait`] is [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected).
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        let payload = encode(event, &args)?;
        let slot = Arc::<AckSlot>::default();
        self.ask(&payload, AckHandle::Slot(Arc::clone(&slot)))?;
        let hub: Weak<Hub> = Arc::downgrade(&self.socket.served.namespace.hub);
        Ok(Ack::new(&slot, hub as Weak<dyn AwaitAnswer>))
    }

    /// Emits an event, and calls a function with the acknowledgement; see [`ServerSocket::emit_with_callback`]. It never
    /// blocks.
    ///
    /// # Errors
    ///
    /// As [`ServerSocket::emit_with_callback`].
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        let payload = encode(event, &args)?;
        let callback: AckCallback = Arc::new(Mutex::new(Some(Box::new(callback))));
        self.ask(&payload, AckHandle::Callback(Arc::clone(&callback)))
    }

    fn ask(&self, payload: &Payload, handle: AckHandle) -> Result<()> {
        let served = &self.socket.served;
        let limit = self.timeout.unwrap_or(served.namespace.hub.options.ack_timeout);
        served.emit_with_ack(payload, self.volatile, AnswerSink::Handle(handle), Some(limit))
    }
}

/// Emitting without flags.
impl ServerSocket {
    /// Emits an event to this client. The arguments follow the rule of [`Socket::emit`](crate::Socket::emit).
    ///
    /// It never blocks: what the client does not take at once waits for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when the arguments cannot be encoded;
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for a name that means something to the protocol;
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for more attachments than
    /// [`ServerBuilder::max_attachments`](crate::server::ServerBuilder::max_attachments);
    /// [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) when the socket is not connected, also before
    /// [`ServerNamespace::authorize`](crate::server::ServerNamespace::authorize) has let it in;
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) when so much waits for the client as
    /// [`ServerBuilder::send_bytes`](crate::server::ServerBuilder::send_bytes) allows. The event was not sent then.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.served.emit(encode(event, &args)?, false)
    }

    /// Emits an event, and asks for an acknowledgement, within
    /// [`ServerBuilder::ack_timeout`](crate::server::ServerBuilder::ack_timeout), or the limit of
    /// [`timeout`](Self::timeout). It never blocks; waiting for the [`Ack`] does, which is allowed in any handler, of this
    /// socket too.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> siot::Result<()> {
    /// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
    /// server.on_connection(|socket| {
    ///     let limit = Duration::from_secs(5);
    ///     let version: String = socket.timeout(limit).emit_with_ack("version", ())?.wait()?;
    ///     println!("{} has version {version}", socket.id());
    ///     Ok::<_, siot::Error>(())
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) also when too many
    /// acknowledgements of this socket are awaited.
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emitter().emit_with_ack(event, args)
    }

    /// Emits an event, and calls a function with the acknowledgement, or with the error that ends the wait for it (as
    /// [`Ack::wait`] has it): once, in turn with the handlers of this socket. It never blocks.
    ///
    /// # Errors
    ///
    /// As [`emit_with_ack`](Self::emit_with_ack). The function is then not called.
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        self.emitter().emit_with_callback(event, args, callback)
    }

    /// Emits the event `message`. It never blocks.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn send<T: Serialize>(&self, args: T) -> Result<()> {
        self.emit("message", args)
    }

    /// For events that are not worth keeping; see [`ServerEmitter::volatile`].
    pub fn volatile(&self) -> ServerEmitter {
        self.emitter().volatile()
    }

    /// For acknowledgements with a limit of their own; see [`ServerEmitter::timeout`].
    pub fn timeout(&self, limit: Duration) -> ServerEmitter {
        self.emitter().timeout(limit)
    }

    /// An emitter without a flag, for flags that are decided at run time.
    pub fn emitter(&self) -> ServerEmitter {
        ServerEmitter { socket: self.clone(), volatile: false, timeout: None }
    }
}
