//! Ends that deliver what was emitted, or give it back.

use std::time::{Duration, Instant};

use super::Driver;
use crate::core::client::Client;
use crate::core::ids::NamespaceId;
use crate::error::{Error, ErrorKind, Result, Rounded};
use crate::event::undelivered::UndeliveredEvent;

/// How much of the limit of a close is kept for the farewell: a quarter, and no more than this.
const FAREWELL: Duration = Duration::from_secs(1);

impl Driver {
    /// Blocks until all that was emitted in a namespace, or with `None` in all of them, is written, and
    /// acknowledged where that was asked for.
    pub(crate) fn flush(&self, namespace: Option<NamespaceId>, limit: Duration) -> Result<()> {
        let done = self.wait_until(Some(limit), |monitor| {
            !monitor.core.is_delivering(namespace) || monitor.core.stalled().is_some()
        });
        let monitor = self.lock();
        let waiting = monitor.core.count_waiting(namespace);
        if waiting == 0 && done {
            return Ok(());
        }
        if let Some(why) = monitor.core.stalled() {
            return Err(why.clone());
        }
        let what = format!("{waiting} events are not delivered");
        Err(if done {
            let what = format!("{what}, and nothing tries to connect");
            Error::new(ErrorKind::Disconnected, what).with_hint("call connect() first")
        } else {
            Error::new(ErrorKind::Timeout, format!("{what} within {}", Rounded(limit)))
        })
    }

    /// Closes for good, when what was emitted is delivered or the limit is near; gives what is not.
    pub(crate) fn close(&self, limit: Duration) -> Vec<UndeliveredEvent> {
        let start = Instant::now();
        self.wait_until(Some(for_delivery(limit)), |monitor| {
            !monitor.core.is_delivering(None) || monitor.core.stalled().is_some()
        });
        // At once: what is emitted after it is refused.
        let mut undelivered = self.run(Client::end);
        self.release_users();
        self.wait_closed(limit.saturating_sub(start.elapsed()));
        undelivered.extend(self.run(Client::take_unwritten));
        UndeliveredEvent::sort(&mut undelivered);
        undelivered
    }
}

/// How much of the limit of a close may go by until all is delivered.
fn for_delivery(limit: Duration) -> Duration {
    limit.saturating_sub(FAREWELL.min(limit / 4))
}

#[cfg(test)]
mod tests;
