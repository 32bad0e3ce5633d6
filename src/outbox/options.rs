//! The options of an outbox.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::options::WhenFull;
use crate::options::check::{Check, check_time};

/// When what was emitted into an outbox is safe from a power cut. From the end of the process it is
/// always safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fsync {
    /// When `emit` returns: each event is synced.
    #[default]
    Always,
    /// After this time at the latest: the events of that time are synced together.
    Every(Duration),
}

/// How an [`Outbox`](crate::Outbox) works.
///
/// ```
/// use std::time::Duration;
///
/// use siot::{Fsync, OutboxOptions, WhenFull};
///
/// // At most ten seconds of readings are lost by a power cut; the newest are worth more than the oldest.
/// let options = OutboxOptions::new()
///     .fsync(Fsync::Every(Duration::from_secs(10)))
///     .when_full(WhenFull::DropOldest);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "give it to `Outbox::open`"]
pub struct OutboxOptions {
    pub(super) fsync: Fsync,
    pub(super) when_full: WhenFull,
    pub(super) window: usize,
}

impl OutboxOptions {
    /// The default options.
    pub fn new() -> Self {
        Self { fsync: Fsync::Always, when_full: WhenFull::Wait, window: 8 }
    }

    /// When what was emitted is safe from a power cut. Default: [`Fsync::Always`].
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// What happens to an event that finds no room in the store.
    ///
    /// With [`WhenFull::DropOldest`] the oldest that is not under way to the server makes room.
    /// With the others `emit` fails with [`ErrorKind::BufferFull`]: it does not wait for a server.
    /// Default: [`WhenFull::Wait`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// How many events are handed to the socket at a time, from 1 to 64. As many of them are under way
    /// to the server as [`Builder::reliable_window`](crate::Builder::reliable_window) allows. Default: 8.
    pub fn window(mut self, events: usize) -> Self {
        self.window = events;
        self
    }
}

impl Default for OutboxOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Check for OutboxOptions {
    fn check(&self) -> Result<()> {
        if !(1..=64).contains(&self.window) {
            let what = format!("window is {}, not from 1 to 64", self.window);
            return Err(Error::new(ErrorKind::InvalidOption, what));
        }
        let Fsync::Every(time) = self.fsync else { return Ok(()) };
        check_time(Some(time), "Fsync::Every with a time of zero; that is Fsync::Always")
    }
}
