//! Emitting, with flags or without.

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
use crate::event::undelivered::UndeliveredEvent;
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
    urgent: bool,
    timeout: Option<Duration>,
    ttl: Option<Duration>,
    key: Option<Box<str>>,
}

impl Emitter {
    /// Rather drop the event than let it wait: for a connection, or for an earlier event to be
    /// written. An event that never waits can have none of [`urgent`](Emitter::urgent),
    /// [`ttl`](Emitter::ttl) and [`coalesce`](Emitter::coalesce).
    pub fn volatile(self) -> Self {
        self.with_volatile(true)
    }

    /// The event goes out before all that waits and is not urgent, and is the last to give way in a full
    /// buffer ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)). Urgent events keep their order
    /// among each other. Not for a socket with [`retries`](crate::Builder::retries).
    pub fn urgent(self) -> Self {
        self.with_urgent(true)
    }

    /// How long to wait for an acknowledgement, from the emit on. An event that still waits to be
    /// sent when the time has passed is withdrawn.
    ///
    /// Default: [`Builder::ack_timeout`](crate::Builder::ack_timeout), and without that no limit.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with_timeout(Some(limit))
    }

    /// How long the event is worth sending, from when the buffer has taken it on. One that still waits when
    /// the time has passed is dropped ([`DropReason::Expired`](crate::DropReason::Expired)); the wait
    /// for its acknowledgement ends with [`ErrorKind::Timeout`]. A time in which a device slept counts.
    /// What was sent is not concerned. More than zero; not for a socket with
    /// [`retries`](crate::Builder::retries). Default: for ever.
    pub fn ttl(self, time: Duration) -> Self {
        self.with_ttl(Some(time))
    }

    /// Only the newest event with this key waits: it replaces the one before it (of the same socket), and
    /// goes to the end of what waits. The replaced one is not counted as dropped; the wait for its
    /// acknowledgement ends with [`ErrorKind::Withdrawn`]. What was sent is not concerned. Not for a
    /// socket with [`retries`](crate::Builder::retries).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// // After a night without network, the server gets the last position alone.
    /// socket.coalesce("position").emit("position", (52.5, 13.4))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn coalesce(self, key: &str) -> Self {
        self.with_coalesce(Some(key))
    }

    /// [`volatile`](Emitter::volatile), or not: for what is decided at run time.
    pub fn with_volatile(mut self, volatile: bool) -> Self {
        self.volatile = volatile;
        self
    }

    /// [`urgent`](Emitter::urgent), or not.
    pub fn with_urgent(mut self, urgent: bool) -> Self {
        self.urgent = urgent;
        self
    }

    /// [`timeout`](Emitter::timeout), or with `None` no limit.
    pub fn with_timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = limit;
        self
    }

    /// [`ttl`](Emitter::ttl), or with `None` for ever.
    pub fn with_ttl(mut self, time: Option<Duration>) -> Self {
        self.ttl = time;
        self
    }

    /// [`coalesce`](Emitter::coalesce), or with `None` without a key.
    pub fn with_coalesce(mut self, key: Option<&str>) -> Self {
        self.key = key.map(Into::into);
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
    /// As [`Socket::emit`], and [`ErrorKind::InvalidOption`] for flags that exclude each other or the
    /// socket's [`retries`](crate::Builder::retries).
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
    /// As [`Socket::emit_with_ack`], and [`ErrorKind::InvalidOption`] as [`emit`](Emitter::emit).
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        let payload = encode(event, &args)?;
        let slot = Arc::default();
        let ack = Ack::new(&slot);
        self.emit_payload(payload, Some(AckHandle::Slot(slot)))?;
        Ok(ack)
    }

    /// Emits an event and calls a function with the acknowledgement; see
    /// [`Socket::emit_with_callback`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit_with_callback`], and [`ErrorKind::InvalidOption`] as [`emit`](Emitter::emit).
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        let payload = encode(event, &args)?;
        self.socket.shared().driver().start_dispatch()?;
        let callback: AckCallback = Arc::new(Mutex::new(Some(Box::new(callback))));
        self.emit_payload(payload, Some(AckHandle::Callback(Arc::clone(&callback))))
    }

    fn emit_payload(&self, payload: Payload, ack: Option<AckHandle>) -> Result<()> {
        let emit = Emit {
            payload,
            ack,
            timeout: self.timeout,
            volatile: self.volatile,
            urgent: self.urgent,
            ttl: self.ttl,
            key: self.key.clone(),
        };
        let namespace = self.socket.shared();
        namespace.driver().emit(namespace.id, emit)
    }
}

/// Emitting without flags.
impl Socket {
    /// Emits an event. A tuple is the list of arguments, `()` is none, a value of any other type is one
    /// argument ([`ArgList`](crate::ArgList) has the rule in full).
    ///
    /// Binary ([`Binary`](crate::Binary), or any type that serializes as bytes) may stand at any
    /// depth. `Ok` means that the event is queued: it is sent now, or when the socket is connected.
    /// It is delivered at most once; for certainty ask for an acknowledgement.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// socket.emit("hello", "world")?;
    /// socket.emit("reading", ("sensor 7", 21.5))?;
    /// socket.emit("ready", ())?;
    /// socket.emit("photo", siot::Binary::from(vec![0xFF, 0xD8]))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking
    ///
    /// While connected, it waits for room in the send buffer when that is full, for at most as long
    /// as the connection lasts (see [`WhenFull`](crate::WhenFull)). Meanwhile siot reads on, though
    /// consumers of received events are behind: the server may read only once it is read. While not
    /// connected it never blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when the arguments cannot be encoded,
    /// [`ErrorKind::ReservedEvent`],
    /// [`ErrorKind::Disconnected`] after [`Manager::close`](crate::Manager::close),
    /// [`ErrorKind::TooLarge`] when the server would not take it or it has more attachments than
    /// [`Limits::max_attachments`](crate::Limits::max_attachments), and
    /// [`ErrorKind::BufferFull`] when the send buffer is full and it cannot or should not wait (see
    /// [`WhenFull`](crate::WhenFull)). Where it cannot wait because a consumer of received events is
    /// too far behind, the error names that one. After an error nothing was sent.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.emitter().emit(event, args)
    }

    /// Emits an event and asks the server for an acknowledgement.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`]; the wait for the answer is [`Ack::wait`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`]. [`ErrorKind::BufferFull`] also when as many acknowledgements are pending
    /// as [`Limits::acks`](crate::Limits::acks) allows.
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emitter().emit_with_ack(event, args)
    }

    /// Emits an event and calls a function with the acknowledgement, or with the error that ends
    /// the wait for it (as [`Ack::wait`] has it), on the thread `siot-call`; see [`Socket::on`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit_with_ack`], and [`ErrorKind::Resource`] when the thread cannot be started.
    /// The function is then not called.
    pub fn emit_with_callback<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(Result<AckReply>) + Send + 'static,
    ) -> Result<()> {
        self.emitter().emit_with_callback(event, args, callback)
    }

    /// Emits the event `message`.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<()> {
        self.emit("message", args)
    }

    /// Emits once more an event that was handed back, with its binary values.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn emit_again(&self, event: &UndeliveredEvent) -> Result<()> {
        self.emitter().emit_payload(event.payload().clone(), None)
    }

    /// For events that are not worth keeping; see [`Emitter::volatile`].
    pub fn volatile(&self) -> Emitter {
        self.emitter().volatile()
    }

    /// For acknowledgements with a deadline; see [`Emitter::timeout`].
    pub fn timeout(&self, limit: Duration) -> Emitter {
        self.emitter().timeout(limit)
    }

    /// For what goes out before all that waits; see [`Emitter::urgent`].
    pub fn urgent(&self) -> Emitter {
        self.emitter().urgent()
    }

    /// For what is worth sending for a time; see [`Emitter::ttl`].
    pub fn ttl(&self, time: Duration) -> Emitter {
        self.emitter().ttl(time)
    }

    /// For values of which the newest is enough; see [`Emitter::coalesce`].
    pub fn coalesce(&self, key: &str) -> Emitter {
        self.emitter().coalesce(key)
    }

    /// An emitter without a flag, for flags that are decided at run time. The time limit is that of the
    /// socket's options.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// # let (is_alarm, lifetime) = (true, None);
    /// socket.emitter().with_urgent(is_alarm).with_ttl(lifetime).emit("level", 7)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emitter(&self) -> Emitter {
        Emitter {
            socket: self.clone(),
            volatile: false,
            urgent: false,
            timeout: self.shared().ack_timeout,
            ttl: None,
            key: None,
        }
    }
}

/// An event, unless the protocol reserves its name.
pub(in crate::client) fn encode<T: Serialize>(event: &str, args: &T) -> Result<Payload> {
    if RESERVED_EVENTS.contains(&event) {
        return Err(Error::new(
            ErrorKind::ReservedEvent,
            format!("{event:?} belongs to the protocol and cannot be emitted"),
        ));
    }
    Payload::event(event, args)
}
