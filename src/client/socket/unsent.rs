//! What waits to be sent by a socket, and what goes before it.

use serde::Serialize;

use super::Socket;
use crate::client::emitter::encode;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::event::undelivered::UndeliveredEvent;

/// How much waits to be sent by a socket; see [`Socket::waiting`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// The number of events.
    pub events: usize,
    /// Their texts and attachments, in bytes.
    pub bytes: usize,
}

impl Socket {
    /// How much waits to be sent, without a copy of it: for a connection, for what was emitted before to be
    /// written, or, with [`retries`](crate::Builder::retries), for an acknowledgement. What was handed to
    /// the transport (at most some 64 KiB, or one event) waits no more, though it may come back when the
    /// connection is lost. It never blocks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let unsent = socket.waiting();
    /// println!("{} events of {} bytes wait", unsent.events, unsent.bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub fn waiting(&self) -> Unsent {
        let load = self.driver().look(|core| core.waiting(self.shared.id));
        Unsent { events: load.packets, bytes: load.bytes }
    }

    /// Takes out what waits and was never sent, in the order in which it would have been: to store it, to
    /// choose from it, or to send it by another way. Their flags (urgent, ttl, key, time limit) are not
    /// kept. What is under way, or was sent once by [`retries`](crate::Builder::retries), stays.
    ///
    /// The wait for the acknowledgements that were asked for ends with [`ErrorKind::Withdrawn`]. It never
    /// blocks, and makes room for those who wait for it.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// // An alarm is all that is worth sending from now on.
    /// for event in socket.take_waiting() {
    ///     if event.name() == "alarm" {
    ///         socket.emit_again(&event)?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_waiting(&self) -> Vec<UndeliveredEvent> {
        self.driver().run(|core, now| core.take_unsent(self.shared.id, now))
    }

    /// Takes out what was written in sessions that were lost, and of which nobody knows whether the server has read it: of
    /// events without an acknowledgement, those that the server had not confirmed. They are not sent again by
    /// themselves, since they may have arrived: sent again they may arrive twice, and not sent again not at all. It is
    /// for the program to decide; [`Manager::close`](crate::Manager::close) hands back what nobody has taken.
    ///
    /// They are in the order of the emits, the oldest first, and [sent](UndeliveredEvent::was_sent). Those of the open
    /// session are not among them. At most [`Limits::unconfirmed_bytes`](crate::Limits::unconfirmed_bytes) wait here, for
    /// all namespaces of the connection; the oldest give way, and are counted
    /// ([`Counters::send_unconfirmed`](crate::Counters::send_unconfirmed)). It never blocks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// for status in &socket.status() {
    ///     if let siot::Status::Connected { .. } = status {
    ///         for event in socket.take_unconfirmed() {
    ///             // A reading twice does no harm, an order may.
    ///             if event.name() == "reading" {
    ///                 socket.emit_again(&event)?;
    ///             }
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_unconfirmed(&self) -> Vec<UndeliveredEvent> {
        self.driver().run(|core, _| core.take_unconfirmed(self.shared.id))
    }

    /// Has an event sent first at each connection, before all that waits, also before what is
    /// [urgent](crate::Emitter::urgent): so that a device says what it is before its backlog follows.
    ///
    /// It holds from the next connection on: where the first one counts, build with
    /// [`auto_connect(false)`](crate::Builder::auto_connect). Several events of different names go in the
    /// order in which their names came; one of the same name takes the place of the one before.
    /// It is a value and no function, since nothing of the program's may run between the connection and
    /// the backlog: whenever it changes, call this again. It goes once per connection, without an
    /// acknowledgement and without [`retries`](crate::Builder::retries); it is not among
    /// [`waiting`](Socket::waiting), nor ever handed back. It never blocks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("http://localhost:3000").auto_connect(false).build()?;
    /// socket.on_connect_first("device", ("sensor 7", "firmware 2.1"))?;
    /// socket.emit("reading", 21.5)?;
    /// socket.connect(); // The server gets "device", then "reading".
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`], [`ErrorKind::ReservedEvent`] and [`ErrorKind::Disconnected`] as
    /// [`emit`](Socket::emit) has them; [`ErrorKind::TooLarge`] with more attachments than
    /// [`Limits::max_attachments`](crate::Limits::max_attachments); [`ErrorKind::BufferFull`] when all that goes
    /// first exceeds [`Limits::send_events`](crate::Limits::send_events) or
    /// [`Limits::send_bytes`](crate::Limits::send_bytes), which it has for itself. Then nothing has changed. One
    /// that is larger than the server takes is dropped at the connection, and
    /// [`Status::Dropped`](crate::Status::Dropped) says it.
    pub fn on_connect_first<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        self.driver().run(|core, _| core.send_at_connect(self.shared.id, event, payload))
    }

    /// Has nothing sent first any more; see [`on_connect_first`](Socket::on_connect_first).
    pub fn clear_connect_first(&self) {
        self.driver().run(|core, _| core.clear_at_connect(self.shared.id));
    }
}
