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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::io::Io;
use super::io_turn::Step;
use super::pool::Workers;
use super::timers::nanos;
use crate::driver::clock::now;
use crate::error::Result;
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, play, spawn, survive};

/// How long the connections may be without the leader.
const GRACE: Duration = Duration::from_millis(2);

/// After how long the follower ends, if the leader has not left since.
const IDLE: Duration = Duration::from_secs(10);

/// The stacks of both threads, unless those of the pool are larger: TLS and requests need theirs, too.
const STACK: usize = 2 << 20;

/// The leader is with the connections.
const PRESENT: u64 = 0;

/// One thread leads, another one may follow.
pub(super) struct Leadership {
    pool: Arc<Workers>,
    /// Here while the leader is away.
    io: Mutex<Option<Box<Io>>>,
    /// Since when that is, in nanoseconds, or [`PRESENT`]. Whoever changes it from what it was has, or keeps, the lead.
    away_since: AtomicU64,
    /// The timer is set so that the follower will look within [`GRACE`].
    is_watched: AtomicBool,
    follower: Mutex<Follower>,
    /// What the follower sleeps on.
    timer: OwnedFd,
    stack_size: usize,
}

#[derive(Debug, Default)]
struct Follower {
    /// There is a thread that follows.
    exists: bool,
    /// The leader's handler waits for something that may need the connections.
    leader_waits: bool,
    /// The server has ended.
    is_over: bool,
}

thread_local! {
    /// Whom the thread leads while it is away.
    static LED: RefCell<Option<Arc<Leadership>>> = const { RefCell::new(None) };
}

/// The handler of this thread begins to wait: if the thread leads, another one is to do so.
pub(super) fn hand_over() {
    LED.with_borrow(|led| {
        if let Some(led) = led {
            let mut follower = lock(&led.follower);
            follower.leader_waits = true;
            led.set_timer(Duration::from_nanos(1));
        }
    });
}

impl Leadership {
    pub(super) fn new(pool: &Arc<Workers>, stack_size: usize) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            pool: Arc::clone(pool),
            io: Mutex::new(None),
            away_since: AtomicU64::new(PRESENT),
            is_watched: AtomicBool::new(false),
            follower: Mutex::default(),
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
        let mut follower = lock(&self.follower);
        follower.is_over = true;
        self.set_timer(Duration::from_nanos(1));
        drop(follower);
        io.end();
    }

    /// Leaves the connections, to do what waits for the pool. `None`: somebody else leads now.
    fn attend(self: &Arc<Self>, mut io: Box<Io>) -> Option<Box<Io>> {
        let begin = now();
        let since = io.turn.mark(begin);
        *lock(&self.io) = Some(io);
        self.away_since.store(since, Ordering::SeqCst);
        let tasks = if self.is_watched.swap(true, Ordering::SeqCst) || self.watch() {
            self.take_part()
        } else {
            self.pool.rouse();
            0
        };
        if !self.end_absence(since) {
            return None;
        }
        let mut io = lock(&self.io).take()?;
        let now = now();
        io.turn.quickness.note(tasks, now.since(begin), now);
        Some(io)
    }

    /// Does what waits for the pool, as a thread of it would; gives how many tasks.
    fn take_part(self: &Arc<Self>) -> u32 {
        LED.set(Some(Arc::clone(self)));
        let _plays = play(Role::Worker);
        let tasks = self.pool.take_part();
        LED.set(None);
        tasks
    }

    /// The absence that began then is over; `false`: it was already.
    fn end_absence(&self, since: u64) -> bool {
        let order = Ordering::SeqCst;
        self.away_since.compare_exchange(since, PRESENT, order, order).is_ok()
    }

    /// Has the follower look soon; `false`: there is none.
    fn watch(self: &Arc<Self>) -> bool {
        let mut follower = lock(&self.follower);
        if !follower.exists {
            let this = Arc::clone(self);
            let started = spawn(Role::Server, Some(self.stack_size), move || {
                let led = this.follow();
                this.serve(led);
            });
            if let Err(error) = started {
                log_later!(Warn, "handlers run on the pool alone: {error}");
                self.is_watched.store(false, Ordering::SeqCst);
                return false;
            }
            follower.exists = true;
        }
        self.set_timer(GRACE);
        true
    }

    /// Whoever led may follow, if nobody does.
    fn begin_to_follow(&self) -> bool {
        let mut follower = lock(&self.follower);
        let may_follow = !follower.is_over && !std::mem::replace(&mut follower.exists, true);
        if may_follow && !self.is_watched.load(Ordering::SeqCst) {
            self.set_timer(IDLE);
        }
        may_follow
    }

    /// Sleeps until it is time to lead; `None`: it is not needed, or the server has ended.
    fn follow(&self) -> Option<Box<Io>> {
        loop {
            self.sleep();
            let was_watched = self.is_watched.swap(false, Ordering::SeqCst);
            let since = self.away_since.load(Ordering::SeqCst);
            let mut follower = lock(&self.follower);
            let leader_waits = std::mem::take(&mut follower.leader_waits);
            if follower.is_over {
                return None;
            }
            if since == PRESENT {
                // It may have left since, and set the timer.
                if !self.is_watched.load(Ordering::SeqCst) {
                    if !was_watched {
                        follower.exists = false;
                        return None;
                    }
                    self.set_timer(IDLE);
                }
                continue;
            }
            let away = Duration::from_nanos(nanos(now()).saturating_sub(since));
            if away < GRACE && !leader_waits {
                self.is_watched.store(true, Ordering::SeqCst);
                self.set_timer(GRACE.saturating_sub(away).max(Duration::from_nanos(1)));
                continue;
            }
            if self.end_absence(since) {
                follower.exists = false;
                drop(follower);
                return self.take_over();
            }
            // It has just come back, and may have left again.
            if !self.is_watched.swap(true, Ordering::SeqCst) {
                self.set_timer(GRACE);
            }
        }
    }

    fn take_over(&self) -> Option<Box<Io>> {
        let mut io = lock(&self.io).take()?;
        io.turn.quickness.doubt(now());
        // Whoever was to do it alone is busy.
        survive(|| self.pool.rouse());
        Some(io)
    }

    /// Until the timer goes off.
    fn sleep(&self) {
        let mut count = [0; 8];
        while rustix::io::read(&self.timer, &mut count) == Err(rustix::io::Errno::INTR) {}
    }

    /// Under the lock of the follower, so that nobody sets it back who has not seen why it was set.
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
