//! Waiting with a limit.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

/// For everything that happens soon or never; generous, because test machines are slow and shared.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

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
