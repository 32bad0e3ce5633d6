//! Deadlines, as values.

use std::collections::{BTreeSet, HashMap};

use crate::core::time::Timestamp;

use crate::core::ids::{LinkId, NamespaceId};

/// The things that wait for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The wait before the next attempt to connect.
    Reconnect,
    /// The attempt to connect, up to the Engine.IO handshake.
    Open,
    /// The heartbeat of the open session.
    Heartbeat,
    /// The peer's part in the heartbeat is due; set while the reader holds still.
    HeartbeatDue,
    /// The session has lasted: the backoff starts from the beginning again.
    Stable,
    /// The upgrade to WebSocket.
    Upgrade,
    /// The answer of a link's peer that it has dealt with what was written.
    Confirm(LinkId),
    /// A transport that is being closed in good order.
    Linger(LinkId),
    /// The next request of a link that polls, after answers that brought nothing.
    Poll(LinkId),
    /// The server's answer to CONNECT.
    Join(NamespaceId),
    /// An acknowledgement.
    Ack(NamespaceId, u64),
}

/// All deadlines of a connection.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    by_timer: HashMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets, moves or (with `None`) stops a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Timestamp>) {
        if self.by_timer.get(&timer).copied() == at {
            return;
        }
        let before = match at {
            Some(at) => self.by_timer.insert(timer, at),
            None => self.by_timer.remove(&timer),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, timer));
        }
        if let Some(at) = at {
            self.by_time.insert((at, timer));
        }
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes a timer that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_timer.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(Duration::from_secs(seconds))
    }

    #[test]
    fn timers_fire_in_order_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Open, Some(at(20)));
        timers.set(Timer::Heartbeat, Some(at(10)));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(30)), Some(Timer::Heartbeat));
        assert_eq!(timers.pop_due(at(30)), Some(Timer::Open));
        assert_eq!(timers.pop_due(at(30)), None);
    }

    #[test]
    fn a_moved_timer_leaves_nothing_at_its_old_place() {
        let mut timers = Timers::default();
        timers.set(Timer::Heartbeat, Some(at(10)));
        timers.set(Timer::Heartbeat, Some(at(50)));
        assert_eq!(timers.next(), Some(at(50)));
        timers.set(Timer::Heartbeat, None);
        assert_eq!(timers.next(), None);
    }
}
