//! What ends a wait at the next deadline.
//!
//! A limit for each wait would have the system set up a timer, and take it away again, around each of them. This one
//! stays set: mostly what it is set for is farther away than what comes.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::core::time::Timestamp;

/// A timer that makes its token ready.
pub(super) struct AlarmClock {
    timer: OwnedFd,
    /// For when it was set the last time.
    set: Option<Timestamp>,
}

impl AlarmClock {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, set: None })
    }

    /// Goes off by the end of the millisecond of this time, or has done so: deadlines that lie so close need one turn of the
    /// thread.
    pub(super) fn set(&mut self, at: Timestamp, now: Timestamp) -> io::Result<()> {
        let at = end_of_millisecond(at);
        if self.set.is_some_and(|set| now < set && set <= at) {
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut value = Timespec::try_from(at.0).map_err(|_| io::ErrorKind::InvalidInput)?;
        // Zero would stop it.
        value.tv_nsec += i64::from(value == zero);
        let value = Itimerspec { it_interval: zero, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value)?;
        self.set = Some(at);
        Ok(())
    }
}

fn end_of_millisecond(at: Timestamp) -> Timestamp {
    let above = at.0.subsec_nanos() % 1_000_000;
    if above == 0 { at } else { at + Duration::from_nanos(u64::from(1_000_000 - above)) }
}

#[cfg(test)]
mod tests {
    use mio::event::Event;
    use mio::{Events, Poll};

    use super::*;
    use crate::driver::clock::now;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn deadlines_that_lie_close_together_have_one_time() {
        let nanos = |nanos| Timestamp(Duration::from_nanos(nanos));
        let ends = [0, 1, 999_999, 1_000_000, 1_000_001].map(|at| end_of_millisecond(nanos(at)));
        assert_eq!(ends, [0, 1, 1, 1, 2].map(|millis| nanos(millis * 1_000_000)));
    }

    #[test]
    fn it_goes_off_for_the_earliest_and_then_for_what_follows() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mut clock = AlarmClock::new(poll.registry(), Token(7)).unwrap();
        let begin = now();
        let at = |millis| begin + Duration::from_millis(millis);
        clock.set(at(60_000), begin).unwrap();
        for next in [20, 40, 0] {
            clock.set(at(next), now()).unwrap();
            // It is left as it is, for as long as that is not past.
            clock.set(at(next + 30_000), Timestamp(Duration::ZERO)).unwrap();
            assert_eq!(clock.set, Some(end_of_millisecond(at(next))));
            poll.poll(&mut events, LIMIT).unwrap();
            assert_eq!(events.iter().map(Event::token).collect::<Vec<_>>(), [Token(7)]);
            assert!(now() >= at(next));
        }
    }

    #[test]
    fn what_was_due_at_the_beginning_of_time_is_due_at_once() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mut clock = AlarmClock::new(poll.registry(), Token(7)).unwrap();
        clock.set(Timestamp(Duration::ZERO), now()).unwrap();
        poll.poll(&mut events, LIMIT).unwrap();
        assert_eq!(events.iter().count(), 1);
    }

    #[test]
    fn it_is_set_anew_from_the_moment_on_that_it_was_set_for() {
        let poll = Poll::new().unwrap();
        let mut clock = AlarmClock::new(poll.registry(), Token(7)).unwrap();
        let first = end_of_millisecond(now() + Duration::from_secs(60));
        let second = first + Duration::from_secs(1);
        clock.set(first, now()).unwrap();
        clock.set(second, now()).unwrap();
        assert_eq!(clock.set, Some(first));
        clock.set(second, first).unwrap();
        assert_eq!(clock.set, Some(second));
    }
}
