//! The only clock: time since boot, suspended or not.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::core::time::Timestamp;

/// The time since boot, including the time that the system was suspended: a heartbeat that was
/// slept through has been missed.
pub(super) fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Timestamp(Duration::new(seconds, nanos))
}
