//! How far a large event has come, for people who wait for it.

use std::fmt;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use siot::Manager;

use crate::messages::Messages;

/// Less than this is sent before anybody wonders.
const LARGE: usize = 256 * 1024;
const INTERVAL: Duration = Duration::from_millis(200);

/// Shows the progress on a thread of its own, until it is dropped.
pub(crate) struct ProgressLine {
    /// Closing it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ProgressLine {
    /// Of so many bytes that are sent from now on, where that is worth showing and somebody sees it.
    pub(crate) fn start(messages: Messages, manager: &Manager, total: usize) -> Option<Self> {
        if total < LARGE || !messages.shows_progress() {
            return None;
        }
        let (end, ended) = bounded(0);
        let manager = manager.clone();
        let before = manager.stats().sent.wire_bytes;
        let show = move || show(messages, &manager, before, total as u64, &ended);
        // Without a thread there is no progress to see, and that is all.
        let thread = thread::Builder::new().name("progress".into()).spawn(show).ok()?;
        Some(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It would have panicked, which is told already.
            let _ = thread.join();
        }
    }
}

fn show(messages: Messages, manager: &Manager, before: u64, total: u64, ended: &Receiver<()>) {
    let start = Instant::now();
    while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        // On the wire there is more than the event itself.
        let sent = manager.stats().sent.wire_bytes.saturating_sub(before).min(total);
        messages.progress(Way { sent, total, took: start.elapsed() });
    }
    messages.progress("");
}

/// How much of it is sent.
struct Way {
    sent: u64,
    total: u64,
    took: Duration,
}

impl fmt::Display for Way {
    #[allow(clippy::cast_precision_loss, reason = "megabytes with one digit")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let (sent, total) = (megabytes(self.sent), megabytes(self.total));
        let percent = self.sent * 100 / self.total.max(1);
        let rate = sent / self.took.as_secs_f64().max(0.001);
        write!(f, "{percent:>3} %  {sent:.1} of {total:.1} MB, {rate:.1} MB/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told_in_parts_of_a_hundred() {
        let way = Way { sent: 4_200_000, total: 33_600_000, took: Duration::from_secs(2) };
        assert_eq!(way.to_string(), " 12 %  4.2 of 33.6 MB, 2.1 MB/s");
    }
}
