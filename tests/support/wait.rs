//! Waiting with a limit.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

/// For everything that happens soon or never; generous, because test machines are slow and shared,
/// and those of other processors are emulated.
pub(crate) const LIMIT: Duration =
    Duration::from_secs(if cfg!(target_arch = "x86_64") { 20 } else { 30 });

/// The next message, or a failed test when none comes in time.
#[track_caller]
pub(crate) fn recv_within<T>(receiver: &Receiver<T>, limit: Duration) -> T {
    match receiver.recv_timeout(limit) {
        Ok(message) => message,
        Err(error) => panic!("no message within {limit:?}: {error}"),
    }
}

/// Asks until the answer is yes, or fails the test. Only for conditions outside this process (what
/// a server or the kernel sees): inside there are channels.
#[track_caller]
pub(crate) fn eventually(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says which of the cases of a test it was, if that fails while this value lives.
pub(crate) struct CaseName(String);

impl CaseName {
    pub(crate) fn new(name: impl std::fmt::Debug) -> Self {
        Self(format!("{name:?}"))
    }
}

impl Drop for CaseName {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this was the case of {}", self.0);
        }
    }
}
