//! The handle of an outbox.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use serde::Serialize;

use super::carrier::Carrier;
use super::feeder::Feeder;
use super::options::{Fsync, OutboxOptions};
use super::record::to_record;
use super::shared::Shared;
use super::stock::Stock;
use super::store::OutboxStore;
use crate::client::emitter::encode;
use crate::client::socket::Socket;
use crate::error::{Error, ErrorKind, Result, Rounded};
#[cfg(doc)]
use crate::options::WhenFull;
use crate::options::check::Check;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn};

/// For how long a drop waits for the thread.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// Events that are kept on disk until the server has acknowledged them: after a crash, a power cut
/// or a reboot they are sent again, in their order.
///
/// ```no_run
/// # use std::time::Duration;
/// # fn main() -> siot::Result<()> {
/// use siot::{FileStore, Outbox, OutboxOptions};
///
/// let socket = siot::io("https://example.com/meters")?;
/// // At most 4 MiB on disk.
/// let store = FileStore::open("/var/lib/meter/outbox", 4 * 1024 * 1024)?;
/// let outbox = Outbox::open(&socket, store, OutboxOptions::new())?;
///
/// // When this returns, the reading is on the disk, and will be delivered.
/// outbox.emit("reading", ("kitchen", 21.5))?;
///
/// // What the server does not have by then is sent when the program runs again.
/// _ = outbox.flush(Duration::from_secs(5));
/// outbox.close(Duration::from_secs(1))?;
/// # Ok(())
/// # }
/// ```
///
/// # What is promised
///
/// An event for which [`emit`](Outbox::emit) returned `Ok` is sent until the server acknowledges
/// it, and the next one is not before it; it is lost only
///
/// * by a power cut, where [`Fsync::Every`] is chosen and its time was not over,
/// * where the policy [`WhenFull::DropOldest`] is chosen and the store is full,
/// * where the server cannot take it: it is larger than the server's `maxPayload`, or the connection has ended
///   with it 50 times in a row (five times as often as
///   [`Builder::interrupted_tries`](crate::Builder::interrupted_tries) says),
/// * with the disk, or by damage to the file (see [`FileStore`](crate::FileStore)).
///
/// The second and third are counted ([`Outbox::status`]) and logged.
///
/// # What the server does
///
/// It may get an event more than once. So a key comes with each as the last argument: sixteen
/// characters that stand for the outbox, `-`, and a number that grows from event to event. A server
/// applies what it has not applied yet, and acknowledges everything:
///
/// ```js
/// // `last` lives where the readings live, and is written in the same transaction.
/// socket.on("reading", (room, value, key, ack) => {
///   const outbox = key.slice(0, 16);
///   const number = Number(key.slice(17));
///   if (number > last(outbox)) {
///     store(room, value);
///     setLast(outbox, number);
///   }
///   ack();
/// });
/// ```
///
/// # Threads
///
/// One, `siot-outbox`. It sleeps while there is nothing to send, to sync or to remove. The outbox
/// keeps its socket alive.
///
/// # The end
///
/// [`close`](Outbox::close). Dropping it does the same, with a limit of one second. What the server
/// does not have stays on disk.
pub struct Outbox {
    shared: Arc<Shared>,
    options: OutboxOptions,
    /// `None`: it is closed.
    thread: Option<Thread>,
}

struct Thread {
    bell: Sender<()>,
    /// Ends with the thread.
    end: Receiver<()>,
}

/// How an outbox stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// How many events the server does not have, as far as is known.
    pub events: u64,
    /// How many bytes the store takes on the disk.
    pub bytes: u64,
    /// How many events gave way to newer ones, since it was opened.
    pub dropped: u64,
    /// How many events the server cannot take, since it was opened. They are gone, and logged.
    pub undeliverable: u64,
    /// Why nothing is sent or taken any more: the store is damaged.
    pub failure: Option<Error>,
}

impl Outbox {
    /// Opens an outbox, which begins to send what is in the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`], [`ErrorKind::Resource`] when the thread cannot be started, and
    /// what the store says ([`ErrorKind::Damaged`], [`ErrorKind::Storage`]).
    pub fn open(
        socket: &Socket,
        store: impl OutboxStore + 'static,
        options: OutboxOptions,
    ) -> Result<Self> {
        Self::over(Box::new(socket.clone()), Box::new(store), options)
    }

    pub(super) fn over(
        carrier: Box<dyn Carrier>,
        store: Box<dyn OutboxStore>,
        options: OutboxOptions,
    ) -> Result<Self> {
        options.check()?;
        let shared = Arc::new(Shared::new(Stock::new(store)?));
        let sync_within = match options.fsync {
            Fsync::Always => None,
            Fsync::Every(time) => Some(time),
        };
        let (bell, rung) = bounded(1);
        let (ended, end) = bounded(0);
        let feeder = Feeder::new(Arc::clone(&shared), carrier, rung, options.window, sync_within);
        spawn(Role::Outbox, None, move || {
            feeder.run();
            drop::<Sender<()>>(ended);
        })?;
        Ok(Self { shared, options, thread: Some(Thread { bell, end }) })
    }

    /// Takes an event. A tuple is the list of arguments, `()` is none, anything else is one
    /// argument; the key comes behind them.
    ///
    /// # Blocking
    ///
    /// As long as the disk takes. It never waits for the network.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when the arguments cannot be encoded, [`ErrorKind::ReservedEvent`],
    /// [`ErrorKind::TooLarge`] when the store can never take it, [`ErrorKind::BufferFull`] when the
    /// store is full ([`OutboxOptions::when_full`]), [`ErrorKind::Storage`] when it cannot be
    /// written (the event may be found there after a crash all the same), and
    /// [`ErrorKind::Damaged`] after damage was found.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let record = to_record(&encode(event, &args)?)?;
        let is_durable = self.options.fsync == Fsync::Always;
        self.shared.stock().append(&record, is_durable, self.options.when_full)?;
        self.ring();
        Ok(())
    }

    /// Makes what was emitted safe from power cuts, now. With [`Fsync::Always`] it is.
    ///
    /// # Blocking
    ///
    /// As long as the disk takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`].
    pub fn sync(&self) -> Result<()> {
        self.shared.stock().sync()
    }

    /// Waits until the server has acknowledged all events.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`]; [`ErrorKind::Damaged`] when the store is.
    pub fn flush(&self, limit: Duration) -> Result<()> {
        self.shared.wait_delivered(limit)
    }

    /// How it stands.
    pub fn status(&self) -> OutboxStatus {
        let stock = self.shared.stock();
        OutboxStatus {
            events: stock.waiting(),
            bytes: stock.bytes_on_disk(),
            dropped: stock.dropped(),
            undeliverable: stock.undeliverable(),
            failure: stock.failure().cloned(),
        }
    }

    /// Ends the thread and closes the store, synced. What the server does not have stays in it.
    ///
    /// # Blocking
    ///
    /// For at most `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when the thread is not done by then, because the disk is not: it ends
    /// later, and until then the store cannot be opened again.
    pub fn close(mut self, limit: Duration) -> Result<()> {
        self.end(limit)
    }

    fn ring(&self) {
        if let Some(thread) = &self.thread {
            match thread.bell.try_send(()) {
                // It rings already.
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => {
                    log_later!(Error, "the thread of the outbox is gone; events wait on disk");
                }
            }
        }
    }

    fn end(&mut self, limit: Duration) -> Result<()> {
        let Some(Thread { bell, end }) = self.thread.take() else { return Ok(()) };
        drop(bell);
        match end.recv_timeout(limit) {
            Err(RecvTimeoutError::Timeout) => {
                let what = format!("the outbox is not closed within {}", Rounded(limit));
                Err(Error::new(ErrorKind::Timeout, what))
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if let Err(error) = self.end(DROP_LIMIT) {
            log_later!(Error, "{error:#}");
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("status", &self.status()).finish_non_exhaustive()
    }
}
