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
#[must_use = "it emits nothing by itself"]
pub struct Emitter {
    socket: Socket,
    flags: Flags,
}

/// What an event is emitted with.
#[derive(Clone, Debug, Default)]
struct Flags {
    volatile: bool,
    urgent: bool,
    timeout: Option<Duration>,
    ttl: Option<Duration>,
    /// What waits with this key is replaced.
    replaces: Option<Box<str>>,
    /// By what the server knows a reliable event.
    key: Option<Arc<str>>,
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

    /// Send the event again until the server acknowledges it; see [`Socket::reliable`]. Each event
    /// needs a key of its own.
    pub fn reliable(mut self, key: impl Into<Arc<str>>) -> Self {
        self.flags.key = Some(key.into());
        self
    }

    /// How long emitting may take, from the call on: waiting for room in the send buffer, and waiting
    /// for an acknowledgement where one is asked for. An event that still waits to be sent when the
    /// time has passed is withdrawn.
    ///
    /// With [`Duration::ZERO`], [`emit`](Emitter::emit) never blocks: it is for loops that must not. Where there is no
    /// room it fails with [`ErrorKind::BufferFull`], and the event was not sent. Without a connection the event
    /// waits in the buffer, as ever. (Not so where the limit is that of tries, as below.)
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// match socket.timeout(Duration::ZERO).emit("reading", 21.5) {
    ///     Err(error) if error.kind() == siot::ErrorKind::BufferFull => println!("later, then"),
    ///     result => result?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Default: for events with an acknowledgement
    /// [`Builder::ack_timeout`](crate::Builder::ack_timeout), for others no limit. With
    /// [`retries`](crate::Builder::retries) each try has the time anew, once there was room. For a
    /// [reliable](Socket::reliable) event it is the limit of all its tries together, and there is none
    /// by default.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with_timeout(limit)
    }

    /// How long the event is worth sending, from when the buffer has taken it on. One that still waits when
    /// the time has passed is dropped ([`DropReason::Expired`](crate::DropReason::Expired)); the wait
    /// for its acknowledgement ends with [`ErrorKind::Timeout`]. A time in which a device slept counts.
    /// What was sent is not concerned. More than zero; not for a socket with
    /// [`retries`](crate::Builder::retries). Default: for ever.
    pub fn ttl(self, time: Duration) -> Self {
        self.with_ttl(time)
    }

    /// Only the newest event with this key waits: it replaces the one before it (of the same socket), and
    /// goes to the end of what waits. The replaced one is not counted as dropped; the wait for its
    /// acknowledgement ends with [`ErrorKind::Withdrawn`]. What was sent is not concerned. Not for a
    /// socket with [`retries`](crate::Builder::retries), nor for a [reliable](Socket::reliable) event.
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
        self.with_coalesce(key)
    }

    /// [`volatile`](Emitter::volatile), or not: for what is decided at run time.
    pub fn with_volatile(mut self, volatile: bool) -> Self {
        self.flags.volatile = volatile;
        self
    }

    /// [`urgent`](Emitter::urgent), or not.
    pub fn with_urgent(mut self, urgent: bool) -> Self {
        self.flags.urgent = urgent;
        self
    }

    /// [`timeout`](Emitter::timeout), or with `None` its default.
    pub fn with_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.flags.timeout = limit.into();
        self
    }

    /// [`ttl`](Emitter::ttl), or with `None` for ever.
    pub fn with_ttl(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.flags.ttl = time.into();
        self
    }

    /// [`coalesce`](Emitter::coalesce), or with `None` without a key.
    pub fn with_coalesce<'a>(mut self, key: impl Into<Option<&'a str>>) -> Self {
        self.flags.replaces = key.into().map(Into::into);
        self
    }

    /// Emits an event; see [`Socket::emit`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`], and for at most the [`timeout`](Emitter::timeout).
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`], and [`ErrorKind::Timeout`] when there was no room within the
    /// [`timeout`](Emitter::timeout), [`ErrorKind::InvalidOption`] for flags that exclude each other or
    /// the socket's [`retries`](crate::Builder::retries). After an error nothing was sent.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.flags.emit(&self.socket, encode(event, &args)?, None)
    }

    /// Emits an event and asks for an acknowledgement; see [`Socket::emit_with_ack`].
    ///
    /// # Blocking
    ///
    /// As [`Emitter::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit_with_ack`], and [`ErrorKind::InvalidOption`] as [`emit`](Emitter::emit).
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        self.emit_encoded(encode(event, &args)?)
    }

    /// The same for an event that is encoded already, but for its key.
    pub(crate) fn emit_encoded(&self, payload: Payload) -> Result<Ack> {
        self.flags.emit_with_ack(&self.socket, payload)
    }

    /// Emits an event and calls a function with the acknowledgement; see
    /// [`Socket::emit_with_callback`].
    ///
    /// # Blocking
    ///
    /// As [`Emitter::emit`].
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
        self.flags.emit(&self.socket, payload, Some(AckHandle::Callback(Arc::clone(&callback))))
    }
}

impl Flags {
    /// Appends the key of a reliable event.
    fn with_key(&self, mut payload: Payload) -> Result<Payload> {
        if let Some(key) = &self.key {
            if self.volatile {
                let what = "an event cannot be volatile and reliable";
                return Err(Error::new(ErrorKind::InvalidOption, what));
            }
            payload.append(key)?;
        }
        Ok(payload)
    }

    fn emit_with_ack(&self, socket: &Socket, payload: Payload) -> Result<Ack> {
        let slot = Arc::default();
        let ack = Ack::new(&slot, socket.shared().driver().downgrade());
        self.emit(socket, payload, Some(AckHandle::Slot(slot)))?;
        Ok(ack)
    }

    fn emit(&self, socket: &Socket, payload: Payload, ack: Option<AckHandle>) -> Result<()> {
        let payload = self.with_key(payload)?;
        let namespace = socket.shared();
        let reliable = self.key.is_some();
        // That of the socket's options is the limit of a reliable event's try.
        let timeout = self.timeout.or(namespace.ack_timeout.filter(|_| !reliable));
        // Without an acknowledgement, only who names a limit has one for the call.
        let limit = if ack.is_some() { timeout } else { self.timeout };
        let emit = Emit {
            payload,
            ack,
            timeout,
            volatile: self.volatile,
            reliable,
            urgent: self.urgent,
            ttl: self.ttl,
            replaces: self.replaces.clone(),
            since: None,
        };
        namespace.driver().emit(namespace.id, emit, limit)
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
    /// as the connection lasts (see [`WhenFull`](crate::WhenFull)), or for the limit that
    /// [`Socket::timeout`] gives it. A connection on which nothing moves any more ends after the
    /// server's `pingInterval` and `pingTimeout` together (45 s with the defaults of JavaScript
    /// servers), although the server may still ping; one that is only slow stays. With
    /// [`retries`](crate::Builder::retries) room is made by acknowledgements, so it may also have to
    /// wait for those. While it waits, siot reads on, though consumers of received events are behind: the
    /// server may read only once it is read. While not connected it never blocks.
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
        Flags::default().emit(self, encode(event, &args)?, None)
    }

    /// Emits an event and asks the server for an acknowledgement.
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit`], and for at most [`Builder::ack_timeout`](crate::Builder::ack_timeout) where
    /// that is set: waiting for room counts against it. The wait for the answer is [`Ack::wait`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`]. [`ErrorKind::Timeout`] when there was no room within the limit; nothing was
    /// sent. (Within a limit of zero, that is [`ErrorKind::BufferFull`].) [`ErrorKind::BufferFull`] also
    /// when as many acknowledgements are pending as [`Limits::acks`](crate::Limits::acks) allows.
    #[doc(alias = "emitWithAck")]
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<Ack> {
        Flags::default().emit_with_ack(self, encode(event, &args)?)
    }

    /// Emits an event and calls a function with the acknowledgement, or with the error that ends
    /// the wait for it (as [`Ack::wait`] has it), on the thread `siot-call`; see [`Socket::on`].
    ///
    /// # Blocking
    ///
    /// As [`Socket::emit_with_ack`].
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
        Flags::default().emit(self, event.payload().clone(), None)
    }

    /// For events that are not worth keeping; see [`Emitter::volatile`].
    pub fn volatile(&self) -> Emitter {
        self.emitter().volatile()
    }

    /// For emitting with a deadline; see [`Emitter::timeout`].
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

    /// For events that must arrive: each is sent again until the server acknowledges it.
    ///
    /// The key tells the server which event it is. It travels as the last argument, before the
    /// function by which the server acknowledges, and each event needs one of its own: a number
    /// that only grows, or a UUID.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// # let number = 7;
    /// let reading = socket.reliable(number.to_string()).emit_with_ack("reading", 21.5)?;
    /// let hour = Duration::from_secs(3600);
    /// socket.reliable("a1f4").timeout(hour).emit("alarm", ("door 3", "open"))?;
    /// reading.wait::<()>()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # What is promised
    ///
    /// An event arrives at least once, unless it is given up: at its
    /// [`timeout`](Emitter::timeout), which bounds the time from the emit to the end of all tries; when the server
    /// would not take it ([`ErrorKind::TooLarge`]); when the connection has ended again and again
    /// with it ([`Builder::interrupted_tries`](crate::Builder::interrupted_tries)); when a newer one
    /// takes its place ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)); and with the
    /// connection ([`Manager::close`](crate::Manager::close)) or the socket's last handle. Its
    /// [`Ack`] then has the error, and whether it arrived is not known. An event without a timeout waits
    /// as long as it takes.
    ///
    /// For the first time the events arrive in the order in which they were emitted, among all of this
    /// socket that are reliable. Several are under way at a time
    /// ([`Builder::reliable_window`](crate::Builder::reliable_window)). One that is not acknowledged
    /// within 10 s ([`Builder::ack_timeout`](crate::Builder::ack_timeout)) is sent again, and those
    /// behind it too; after a reconnection all that are not acknowledged are. So the server sees some of them
    /// twice, and of each at most as many others after its first time as the window has, less one.
    ///
    /// # What the server needs
    ///
    /// It has to acknowledge each event, whatever it has to say, and to drop what it knows. In JavaScript,
    /// where a device tells its id in [`auth`](crate::Builder::auth):
    ///
    /// ```js
    /// const devices = new Map();
    /// io.on("connection", (socket) => {
    ///   const id = socket.handshake.auth.device; // of version 2: handshake.query.device
    ///   const device = devices.get(id) || { keys: [] };
    ///   if (device.socket) device.socket.removeAllListeners("reading"); // what is late comes again
    ///   devices.set(id, Object.assign(device, { socket }));
    ///   socket.on("reading", (value, key, ack) => {
    ///     if (!device.keys.includes(key)) apply(id, value), device.keys.push(key);
    ///     device.keys = device.keys.slice(-16); // twice the window
    ///     ack();
    ///   });
    /// });
    /// ```
    ///
    /// So each reading is applied exactly once, in order. Where the server itself may fail, the keys have to be
    /// stored together with what was applied, in one transaction; if `apply` takes its time, the next
    /// one of the same device has to wait for it. Where it fails, `socket.conn.close()` instead of `ack()` has the
    /// event sent again, and what is behind it not applied before. If keys are numbers that only grow,
    /// the last one is all that has to be remembered.
    ///
    /// # Errors
    ///
    /// None here. With [`volatile`](Emitter::volatile) as well, emitting fails with
    /// [`ErrorKind::InvalidOption`].
    pub fn reliable(&self, key: impl Into<Arc<str>>) -> Emitter {
        self.emitter().reliable(key)
    }

    /// An emitter without a flag, for flags that are decided at run time. The time limit is that of
    /// [`timeout`](Emitter::timeout)'s default.
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
        Emitter { socket: self.clone(), flags: Flags::default() }
    }
}

/// Encodes an event, unless it has a name of the protocol's own.
pub(crate) fn encode<T: Serialize>(event: &str, args: &T) -> Result<Payload> {
    if RESERVED_EVENTS.contains(&event) {
        return Err(Error::new(
            ErrorKind::ReservedEvent,
            format!("{event:?} belongs to the protocol and cannot be emitted"),
        ));
    }
    Payload::event(event, args)
}
