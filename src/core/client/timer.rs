//! Deadlines, as values.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::core::ids::{LinkId, NamespaceId};
use crate::core::numbers::NumberMap;
use crate::core::time::Timestamp;

/// The things that wait for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The wait before the next attempt to connect.
    Reconnect,
    /// Those who hear of the attempt are told of it.
    Tell,
    /// The attempt to connect, up to the Engine.IO handshake.
    Open,
    /// The heartbeat of the open session.
    Heartbeat,
    /// The peer's part in the heartbeat is due; set while the reader holds still.
    HeartbeatDue,
    /// The upgrade to WebSocket.
    Upgrade,
    /// The answer of a link's peer that it has dealt with what was written.
    Confirm(LinkId),
    /// A transport that is being closed in good order.
    Linger(LinkId),
    /// The next request of a link that polls, after answers that brought nothing.
    Poll(LinkId),
    /// The server's answer to CONNECT, or the next attempt to join.
    Join(NamespaceId),
    /// An acknowledgement.
    Ack(NamespaceId, u64),
    /// The event with this place in the order is no longer worth sending.
    Expiry(NamespaceId, u64),
    /// The users of a namespace may be told again of what is dropped.
    Drops(NamespaceId),
    /// The acknowledgement of a try.
    Try(NamespaceId, u64),
    /// The acknowledgement of the reliable event with this place in the order, whatever the try.
    Reliable(NamespaceId, u64),
}

/// All deadlines of a connection.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_timer: NumberMap<Timer, Timestamp>,
    /// The first on top. Beneath it there may be void ones, of timers that were moved or stopped.
    by_time: BinaryHeap<Reverse<(Timestamp, Timer)>>,
}

impl Timers {
    /// Sets, moves or (with `None`) stops a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Timestamp>) {
        if self.by_timer.get(&timer).copied() == at {
            return;
        }
        if let Some(at) = at {
            self.by_timer.insert(timer, at);
            self.by_time.push(Reverse((at, timer)));
        } else {
            self.by_timer.remove(&timer);
        }
        self.forget_void();
    }

    /// When a timer is due.
    pub(crate) fn at(&self, timer: Timer) -> Option<Timestamp> {
        self.by_timer.get(&timer).copied()
    }

    /// Whether a timer is set.
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.by_timer.contains_key(&timer)
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a timer that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        let Reverse((at, timer)) = *self.by_time.peek()?;
        if at > now {
            return None;
        }
        self.set(timer, None);
        Some(timer)
    }

    /// Takes away the void ones on top, and all where they are the most.
    fn forget_void(&mut self) {
        const FEW: usize = 16;
        if self.by_time.len() > 2 * self.by_timer.len() + FEW {
            self.by_time = self.by_timer.iter().map(|(timer, at)| Reverse((*at, *timer))).collect();
        }
        while let Some(Reverse((at, timer))) = self.by_time.peek() {
            if self.by_timer.get(timer) == Some(at) {
                break;
            }
            self.by_time.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
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

    #[test]
    fn a_timer_that_comes_back_to_a_moment_fires_once() {
        let mut timers = Timers::default();
        for seconds in [10, 50, 10, 50, 10] {
            timers.set(Timer::Heartbeat, Some(at(seconds)));
        }
        assert_eq!(timers.pop_due(at(60)), Some(Timer::Heartbeat));
        assert_eq!((timers.pop_due(at(60)), timers.next()), (None, None));
    }

    #[test]
    fn timers_that_were_stopped_do_not_gather() {
        let mut timers = Timers::default();
        timers.set(Timer::Heartbeat, Some(at(1)));
        for number in 0..100_000 {
            let ack = Timer::Ack(NamespaceId(0), number);
            timers.set(ack, Some(at(20 + number)));
            if number >= 10 {
                let answered = Timer::Ack(NamespaceId(0), number - 10);
                timers.set(answered, None);
            }
        }
        assert_eq!(timers.by_timer.len(), 11);
        assert!(timers.by_time.capacity() <= 128, "{}", timers.by_time.capacity());
        assert_eq!(timers.pop_due(at(1)), Some(Timer::Heartbeat));
        assert_eq!(timers.next(), Some(at(20 + 99_990)));
    }

    #[test]
    fn the_first_deadline_is_that_of_all_that_are_set() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
        for _ in 0..100_000 {
            let timer = Timer::Linger(LinkId(random.u32(..50)));
            let deadline = random.bool().then(|| at(random.u64(..20)));
            timers.set(timer, deadline);
            match deadline {
                Some(deadline) => model.insert(timer, deadline),
                None => model.remove(&timer),
            };
            let first = model.iter().map(|(timer, deadline)| (*deadline, *timer)).min();
            assert_eq!(timers.next(), first.map(|(deadline, _)| deadline));
            assert!(timers.by_time.len() <= 2 * timers.by_timer.len() + 16);
            if random.u8(..8) == 0 {
                assert_eq!(timers.pop_due(at(30)), first.map(|(_, timer)| timer));
                first.map(|(_, timer)| model.remove(&timer));
            }
        }
    }
}
