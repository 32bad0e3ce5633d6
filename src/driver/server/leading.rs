//! Who serves the connections of a server: one thread at a time, the leader.
//!
//! What its steps ask of the pool the leader does by itself, as soon as it has done a few: to wake a thread of the pool would
//! cost more than most handlers take. Meanwhile nobody serves the connections, and a handler may block. So another
//! thread, the follower, has an eye on the leader: when that one leaves, a timer is set which has the follower look, once in
//! [`GRACE`] at most. Where the leader has been away for so long, or says that its handler waits, the follower leads from
//! there on, and the other one does what there is for the pool, and then follows. Where handlers take their time, they are
//! left to the pool for a while (`Quickness`).

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::io::Io;
use super::io_turn::Step;
use super::pool::Workers;
use super::shift::{AT_ONCE, Absence, GRACE, IDLE, Look, Shift};
use crate::driver::clock::now;
use crate::error::Result;
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, play, spawn, survive};

/// The stacks of both threads, unless those of the pool are larger: TLS and requests need theirs, too.
const STACK: usize = 2 << 20;

/// One thread leads, another one may follow.
pub(super) struct Leadership {
    pool: Arc<Workers>,
    shift: Mutex<Shift<Box<Io>>>,
    /// What the follower sleeps on. It is set under the lock of the shift, so that nobody sets it back who has not seen why it was
    /// set.
    timer: OwnedFd,
    stack_size: usize,
}

thread_local! {
    /// Whom the thread leads while it is away.
    static LED: RefCell<Option<(Arc<Leadership>, Absence)>> = const { RefCell::new(None) };
}

/// The handler of this thread begins to wait: if the thread leads, another one is to do so.
pub(super) fn hand_over() {
    LED.with_borrow(|led| {
        if let Some((led, absence)) = led {
            let mut shift = lock(&led.shift);
            if shift.note_wait(*absence) {
                led.set_timer(AT_ONCE);
            }
        }
    });
}

impl Leadership {
    pub(super) fn new(pool: &Arc<Workers>, stack_size: usize) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            pool: Arc::clone(pool),
            shift: Mutex::default(),
            timer: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?,
            stack_size: stack_size.max(STACK),
        }))
    }

    /// Starts the thread that leads at first.
    pub(super) fn start(self: Arc<Self>, io: Box<Io>) -> Result<()> {
        let stack_size = self.stack_size;
        spawn(Role::Server, Some(stack_size), move || self.serve(Some(io)))
    }

    /// Leads and follows in turn, until the server has ended or nobody has to follow.
    fn serve(self: Arc<Self>, mut led: Option<Box<Io>>) {
        while let Some(io) = led {
            led = if self.lead(io) { self.follow() } else { None };
        }
    }

    /// Serves the connections until somebody else does, whom the caller may follow; `false`: until the server has ended.
    fn lead(self: &Arc<Self>, mut io: Box<Io>) -> bool {
        io.hub.timers.are_kept_here();
        loop {
            match io.step() {
                Step::Done => {}
                Step::HasWork => match self.attend(io) {
                    Some(back) => io = back,
                    None => return self.begin_to_follow(),
                },
                Step::Ended => {
                    self.end(io);
                    return false;
                }
            }
        }
    }

    fn end(&self, io: Box<Io>) {
        let mut shift = lock(&self.shift);
        shift.end();
        self.set_timer(AT_ONCE);
        drop(shift);
        io.end();
    }

    /// Leaves the connections, to do what waits for the pool. `None`: somebody else leads now.
    fn attend(self: &Arc<Self>, io: Box<Io>) -> Option<Box<Io>> {
        let begin = now();
        let mut shift = lock(&self.shift);
        let absence = shift.leave(io, begin);
        let is_watched = shift.is_watched() || self.watch(&mut shift);
        drop(shift);
        let tasks = if is_watched {
            self.take_part(absence)
        } else {
            self.pool.rouse();
            0
        };
        let mut io = lock(&self.shift).come_back(absence)?;
        let now = now();
        io.turn.quickness.note(tasks, now.since(begin), now);
        Some(io)
    }

    /// Does what waits for the pool, as a thread of it would; gives how many tasks.
    fn take_part(self: &Arc<Self>, absence: Absence) -> u32 {
        LED.set(Some((Arc::clone(self), absence)));
        let _plays = play(Role::Worker);
        let tasks = self.pool.take_part();
        LED.set(None);
        tasks
    }

    /// Has the follower look soon; `false`: there is none.
    fn watch(self: &Arc<Self>, shift: &mut Shift<Box<Io>>) -> bool {
        if !shift.is_followed() {
            let this = Arc::clone(self);
            let started = spawn(Role::Server, Some(self.stack_size), move || {
                let led = this.follow();
                this.serve(led);
            });
            if let Err(error) = started {
                log_later!(Warn, "handlers run on the pool alone: {error}");
                return false;
            }
        }
        shift.watch();
        self.set_timer(GRACE);
        true
    }

    /// Whoever led may follow, if nobody does.
    fn begin_to_follow(&self) -> bool {
        let mut shift = lock(&self.shift);
        let may_follow = shift.follow();
        if may_follow {
            self.set_timer(IDLE);
        }
        may_follow
    }

    /// Sleeps until it is time to lead; `None`: it is not needed, or the server has ended.
    fn follow(&self) -> Option<Box<Io>> {
        loop {
            self.sleep();
            let mut shift = lock(&self.shift);
            match shift.look(now()) {
                Look::Sleep(time) => self.set_timer(time),
                Look::Lead(io) => {
                    drop(shift);
                    return Some(self.take_over(io));
                }
                Look::End => return None,
            }
        }
    }

    fn take_over(&self, mut io: Box<Io>) -> Box<Io> {
        io.turn.quickness.doubt(now());
        // Whoever was to do it alone is busy.
        survive(|| self.pool.rouse());
        io
    }

    /// Until the timer goes off.
    fn sleep(&self) {
        let mut count = [0; 8];
        while rustix::io::read(&self.timer, &mut count) == Err(rustix::io::Errno::INTR) {}
    }

    fn set_timer(&self, time: Duration) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(time).unwrap_or(zero);
        let value = Itimerspec { it_interval: zero, it_value };
        // A time like these is valid, and so is the timer.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value);
    }
}

#[cfg(test)]
mod tests;
