//! Waiting for the server's answer to an event.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use serde::de::DeserializeOwned;

use crate::driver::ack_slot::{AckSlot, AwaitAnswer};
use crate::error::{Error, ErrorKind, Result, Rounded};
use crate::event::AckReply;
use crate::sync::readiness::ReadyFd;

/// The acknowledgement of one emitted event, on its way.
///
/// It always resolves: with the server's answer, or with an error when the timeout of the emit
/// passes, or when the connection that the event was sent by ends. An event that still waits to be
/// sent stays in wait across reconnections; so does one that is sent again until it is acknowledged
/// ([`Socket::reliable`](crate::Socket::reliable), [`Builder::retries`](crate::Builder::retries)).
///
/// Dropping it gives up the answer, not the event. The answer stays in it once it has come: it can be asked
/// for again, as another type too.
///
/// A thread that waits for it does meanwhile what the connection's own would do, where that is a WebSocket: it
/// reads what comes, for others too, and answers heartbeats. No code of the program's runs on it but the
/// logger.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// let sum: u32 = socket.emit_with_ack("sum", (1, 2))?.wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an answer was asked for: wait for it, or emit without"]
pub struct Ack {
    slot: Arc<AckSlot>,
    driver: Weak<dyn AwaitAnswer>,
}

impl Ack {
    pub(crate) fn new(slot: &Arc<AckSlot>, driver: Weak<dyn AwaitAnswer>) -> Self {
        Self { slot: Arc::clone(slot), driver }
    }

    /// Waits for the answer and decodes its arguments, as [`Event::args`](crate::Event::args) does.
    ///
    /// # Blocking
    ///
    /// Until the answer is there, or the timeout of the emit
    /// ([`Emitter::timeout`](crate::Emitter::timeout)) passes, or the connection that the event was
    /// sent by ends. Without a timeout, an event that waits for a connection waits for ever. It ends
    /// sooner where the answer cannot be read (`BufferFull`, below).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] and [`ErrorKind::Disconnected`] as above. [`ErrorKind::Payload`] when
    /// the answer is of another type. [`ErrorKind::Undeliverable`] when the connection ended with
    /// each of so many tries ([`Builder::interrupted_tries`](crate::Builder::interrupted_tries)).
    ///
    /// [`ErrorKind::BufferFull`] when the answer lies behind events that a consumer does not take,
    /// and [`Limits::receive_reserve`](crate::Limits::receive_reserve) is used up; the error names
    /// that consumer. The same kind when the event gave way to a newer one before it was sent
    /// ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)). [`ErrorKind::TooLarge`] when it
    /// waited for a connection to a server that would not take it. [`ErrorKind::Withdrawn`] when it was
    /// taken back before it was sent ([`Socket::take_waiting`](crate::Socket::take_waiting)), or a newer
    /// one with its key has replaced it ([`Emitter::coalesce`](crate::Emitter::coalesce)), and
    /// `Timeout` also when its [`ttl`](crate::Emitter::ttl) passed.
    pub fn wait<T: DeserializeOwned>(self) -> Result<T> {
        self.reply(None)?.args()
    }

    /// Like [`Ack::wait`], for at most this long. It can be asked again.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let mut ack = socket.timeout(Duration::from_secs(60)).emit_with_ack("sum", (1, 2))?;
    /// let second = Duration::from_secs(1);
    /// let sum: u32 = match ack.wait_timeout(second) {
    ///     Err(error) if error.is_timeout() => {
    ///         println!("it takes its time");
    ///         ack.wait()?
    ///     }
    ///     answer => answer?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// Those of [`Ack::wait`]; [`ErrorKind::Timeout`] also when `limit` passes.
    pub fn wait_timeout<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T> {
        self.reply(Some(limit))?.args()
    }

    /// The answer, or the error that there is in its place, if it is there already. It never blocks.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let mut ack = socket.emit_with_ack("sum", (1, 2))?;
    /// # let other_work = || ();
    /// let sum: u32 = loop {
    ///     if let Some(sum) = ack.try_wait() {
    ///         break sum?;
    ///     }
    ///     other_work();
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Ack::wait`], within the `Option`.
    pub fn try_wait<T: DeserializeOwned>(&mut self) -> Option<Result<T>> {
        let reply = self.slot.answer()?;
        Some(reply.and_then(|reply| reply.args()))
    }

    /// A channel that gets the answer, or an error as [`wait`](Ack::wait) has it, for `select!`. It
    /// never blocks.
    pub fn receiver(self) -> Receiver<Result<AckReply>> {
        let (sender, receiver) = bounded(1);
        // It fails only where the receiver was dropped, and then nobody wants the answer.
        self.forward(move |result| _ = sender.try_send(result));
        receiver
    }

    /// A descriptor that is readable from when the answer, or the error in its place, is here, for a loop of
    /// your own around `poll(2)`, `epoll` or `mio`; [`try_wait`](Ack::try_wait) takes it then. It never blocks.
    ///
    /// It becomes readable whatever happens, as the answer always resolves, and stays so: take it out of the loop
    /// then. Give the emit a [`timeout`](crate::Emitter::timeout), so that this is in time. Without such a descriptor an
    /// acknowledgement costs none.
    ///
    /// ```no_run
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// # fn main() -> siot::Result<()> {
    /// # use std::time::Duration;
    /// # let socket = siot::io("http://localhost:3000")?;
    /// let mut ack = socket.timeout(Duration::from_secs(5)).emit_with_ack("sum", (1, 2))?;
    /// let ready = ack.ready_fd()?;
    /// let sum: u32 = loop {
    ///     let mut fds = [PollFd::new(&ready, PollFlags::IN)]; // and those of the device
    ///     poll(&mut fds, None).map_err(std::io::Error::from)?;
    ///     if let Some(sum) = ack.try_wait() {
    ///         break sum?;
    ///     }
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when the system refuses a descriptor.
    pub fn ready_fd(&self) -> Result<ReadyFd> {
        self.slot.readiness().map(ReadyFd::new)
    }

    /// Passes the answer on, now or when it comes. That must be quick.
    pub(crate) fn forward(self, forward: impl FnOnce(Result<AckReply>) + Send + 'static) {
        self.slot.forward(Box::new(forward));
    }

    fn reply(&self, limit: Option<Duration>) -> Result<AckReply> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let answer = match self.driver.upgrade() {
            Some(driver) => driver.await_answer(&self.slot, deadline),
            None => self.slot.wait(deadline),
        };
        answer.unwrap_or_else(|| {
            let limit = Rounded(limit.unwrap_or_default());
            Err(Error::new(ErrorKind::Timeout, format!("no acknowledgement within {limit}")))
        })
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").finish_non_exhaustive()
    }
}
