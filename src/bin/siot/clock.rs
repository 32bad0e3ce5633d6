//! The time since the command was started, by which its limits and its log go.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at};

/// How long saying goodbye may take when nothing else is waited for.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much of it is left when the time is up: enough for a server that reads.
const LEAST_FAREWELL: Duration = Duration::from_millis(100);

static START: OnceLock<Instant> = OnceLock::new();

/// When the command was started: the first call says so.
pub(crate) fn start() -> Instant {
    *START.get_or_init(Instant::now)
}

/// When the time of the whole is up, if there is a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    /// So long behind the start of the command.
    pub(crate) fn of(limit: Duration) -> Self {
        Self(Some(start() + limit))
    }

    /// So long from now on.
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Some(Instant::now() + limit))
    }

    /// Says when it is reached.
    pub(crate) fn reached(self) -> Receiver<Instant> {
        self.0.map_or_else(crossbeam_channel::never, at)
    }

    /// How much time is left; `None` is any.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// How long saying goodbye may take.
    pub(crate) fn farewell(self) -> Duration {
        self.left().map_or(FAREWELL, |left| left.clamp(LEAST_FAREWELL, FAREWELL))
    }
}
