//! Time and processor time, and what they come to for each message.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::Result;

/// What one process has measured. What a mode has no figure for is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Processor time of all threads, user's and system's, for each message, in nanoseconds.
    pub(crate) cpu: Option<u64>,
    /// Time for each message, in nanoseconds.
    pub(crate) wall: Option<u64>,
    /// Half of the messages took no longer than this, in nanoseconds.
    pub(crate) median: Option<u64>,
    /// Resident memory for each connection, in bytes.
    pub(crate) rss: Option<u64>,
}

impl Figures {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let figures: Value = serde_json::from_str(line)?;
        let of = |name: &str| figures[name].as_u64();
        Ok(Self { cpu: of("cpu"), wall: of("wall"), median: of("median"), rss: of("rss") })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, wall, median, rss } = self;
        write!(f, "{}", json!({ "cpu": cpu, "wall": wall, "median": median, "rss": rss }))
    }
}

/// Measures so many units of work, of which each may say how long it took.
pub(crate) fn watch(
    count: usize,
    work: impl FnOnce(&mut Vec<Duration>) -> Result<()>,
) -> Result<Figures> {
    let mut times = Vec::with_capacity(count);
    let (wall, cpu) = (Instant::now(), cpu_time());
    work(&mut times)?;
    let (wall, cpu) = (wall.elapsed(), cpu_time() - cpu);
    times.sort_unstable();
    Ok(Figures {
        cpu: Some(nanos(cpu) / count as u64),
        wall: Some(nanos(wall) / count as u64),
        median: times.get(times.len() / 2).map(|time| nanos(*time)),
        rss: None,
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What this process has used so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes * 1024)
}
