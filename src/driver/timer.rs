//! The timer thread: one for the whole process, for every deadline of every connection.
//!
//! It blocks in the read of a timerfd, which is set to the first of the deadlines whenever that is another one. It ends
//! some time after the last connection.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::clock::now;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

static TABLE: Mutex<Table> =
    Mutex::new(Table { deadlines: Deadlines::new(), drivers: 0, timer: None });

/// Enough for a loop over deadlines, with the drivers' verbs below it, and a heartbeat that goes
/// out by TLS.
const STACK_SIZE: usize = 256 * 1024;

/// What has deadlines.
pub(super) trait Expire: Send + Sync {
    /// A deadline has passed.
    fn on_timer(&self);
}

/// How long the thread outlives the last connection. To start it costs more than all its other work for
/// a connection, and one connection is often followed by another.
const LINGER: Duration = Duration::from_secs(1);

struct Table {
    deadlines: Deadlines,
    drivers: usize,
    /// There while the thread runs.
    timer: Option<Arc<OwnedFd>>,
}

impl Table {
    /// Sets the deadline of a driver. Gives the first of all where that is another one now.
    fn set(&mut self, driver: &Weak<dyn Expire>, at: Timestamp) -> Option<Timestamp> {
        let before = self.deadlines.first();
        self.deadlines.set(driver, at);
        self.deadlines.first().filter(|first| before != Some(*first))
    }

    /// One driver less. `true`: it was the last.
    fn leave(&mut self, driver: &Weak<dyn Expire>) -> bool {
        self.deadlines.remove(driver);
        self.drivers = self.drivers.saturating_sub(1);
        self.drivers == 0
    }
}

/// The deadlines of all drivers, at most one of each. They are looked at one by one: each driver has
/// threads, which cost far more.
struct Deadlines(Vec<(Timestamp, Weak<dyn Expire>)>);

impl Deadlines {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn first(&self) -> Option<Timestamp> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Sets the deadline of a driver, in place of the one that it had.
    fn set(&mut self, driver: &Weak<dyn Expire>, at: Timestamp) {
        self.remove(driver);
        self.0.push((at, driver.clone()));
    }

    fn remove(&mut self, driver: &Weak<dyn Expire>) {
        self.0.retain(|(_, other)| !other.ptr_eq(driver));
    }

    /// Takes out a driver whose deadline has passed.
    fn pop_due(&mut self, now: Timestamp) -> Option<Weak<dyn Expire>> {
        let due = self.0.iter().position(|(at, _)| *at <= now)?;
        Some(self.0.swap_remove(due).1)
    }
}

/// Makes sure that the thread runs, for one more driver.
pub(super) fn register() -> Result<()> {
    let mut table = lock(&TABLE);
    if table.timer.is_none() {
        let timer = Arc::new(
            timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC).map_err(|error| {
                Error::new(ErrorKind::Resource, "cannot make a timer")
                    .with_source(std::io::Error::from(error))
            })?,
        );
        let of_thread = Arc::clone(&timer);
        spawn(Role::Timer, Some(STACK_SIZE), move || run(&of_thread))?;
        table.timer = Some(timer);
    }
    table.drivers += 1;
    Ok(())
}

/// One driver less. The thread ends a while after the last.
pub(super) fn unregister(driver: &Weak<dyn Expire>) {
    let mut table = lock(&TABLE);
    if table.leave(driver) {
        if let Some(timer) = &table.timer {
            fire_at(timer, now() + LINGER);
        }
    }
}

/// Has the driver called at this moment, and not at the one that was said before.
pub(super) fn arm(driver: &Weak<dyn Expire>, at: Timestamp) {
    let mut table = lock(&TABLE);
    if let Some(first) = table.set(driver, at) {
        if let Some(timer) = &table.timer {
            fire_at(timer, first);
        }
    }
}

fn run(timer: &OwnedFd) {
    let mut expirations = [0; 8];
    loop {
        // An error other than a signal cannot happen to a timer that exists.
        let _ = rustix::io::read(timer, &mut expirations);
        while let Some(driver) = pop_due() {
            // The last reference may be this one: no lock is held here.
            if let Some(driver) = driver.upgrade() {
                // No panic of ours is known. Should there be one, it must not end the deadlines of
                // all connections.
                let _ = survive(|| driver.on_timer());
            }
        }
        let mut table = lock(&TABLE);
        if table.drivers == 0 {
            table.timer = None;
            return;
        }
        if let Some(at) = table.deadlines.first() {
            fire_at(timer, at);
        }
    }
}

fn pop_due() -> Option<Weak<dyn Expire>> {
    lock(&TABLE).deadlines.pop_due(now())
}

fn fire_at(timer: &OwnedFd, at: Timestamp) {
    // All zeros would switch the timer off.
    let at = at.0.max(Duration::from_nanos(1));
    let value = Timespec {
        tv_sec: at.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: at.subsec_nanos().into(),
    };
    let never_again = Timespec { tv_sec: 0, tv_nsec: 0 };
    let setting = Itimerspec { it_interval: never_again, it_value: value };
    if let Err(error) = timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &setting) {
        log_later!(Error, "cannot set the timer: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::driver::ack_slot::AckHandle;
    use crate::driver::client::testing::{self, emit};
    use crate::options::Limits;

    /// Counts its calls.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Expire for Counting {
        fn on_timer(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn weak(driver: &Arc<Counting>) -> Weak<dyn Expire> {
        let driver: Weak<Counting> = Arc::downgrade(driver);
        driver
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(Duration::from_secs(seconds))
    }

    /// How often each driver is called when all that is due is done.
    fn calls(
        deadlines: &mut Deadlines,
        now: Timestamp,
        drivers: &[Arc<Counting>; 2],
    ) -> [usize; 2] {
        while let Some(driver) = deadlines.pop_due(now) {
            driver.upgrade().expect("a driver that is kept").on_timer();
        }
        drivers.each_ref().map(|driver| driver.0.swap(0, Ordering::Relaxed))
    }

    #[test]
    fn a_driver_has_one_deadline_however_often_it_is_set() {
        let drivers: [Arc<Counting>; 2] = std::array::from_fn(|_| Arc::default());
        let mut deadlines = Deadlines::new();
        for second in (1000..2000).rev().chain((100..200).rev()) {
            for driver in &drivers {
                deadlines.set(&weak(driver), at(second));
            }
        }
        assert_eq!(deadlines.0.len(), 2);
        assert_eq!(deadlines.first(), Some(at(100)));
        assert_eq!(calls(&mut deadlines, at(99), &drivers), [0, 0]);
        assert_eq!(calls(&mut deadlines, at(5000), &drivers), [1, 1]);
        assert_eq!(deadlines.0.len(), 0);
        deadlines.set(&weak(&drivers[1]), at(7));
        assert_eq!(calls(&mut deadlines, at(7), &drivers), [0, 1]);
    }

    /// Tells of each call.
    struct Telling(mpsc::Sender<()>);

    impl Expire for Telling {
        fn on_timer(&self) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn the_thread_calls_at_each_deadline_however_they_are_set() {
        const LIMIT: Duration = Duration::from_secs(60);
        register().unwrap();
        let (tell, told) = mpsc::channel();
        let drivers = [(); 2].map(|()| Arc::new(Telling(tell.clone())));
        let [late, soon] = drivers.each_ref().map(|driver| {
            let driver: Weak<Telling> = Arc::downgrade(driver);
            driver as Weak<dyn Expire>
        });
        arm(&late, now() + Duration::from_secs(3600));
        for _ in 0..3 {
            // Before another one, and after itself.
            arm(&soon, now() + Duration::from_millis(1));
            told.recv_timeout(LIMIT).expect("a call");
        }
        // One that has passed already.
        arm(&late, Timestamp(Duration::ZERO));
        told.recv_timeout(LIMIT).expect("a call");
        unregister(&soon);
        assert!(told.try_recv().is_err(), "each deadline is one call");
    }

    #[test]
    fn a_driver_that_is_gone_leaves_no_deadline_and_the_others_theirs() {
        let drivers: [Arc<Counting>; 2] = std::array::from_fn(|_| Arc::default());
        let mut deadlines = Deadlines::new();
        for driver in &drivers {
            deadlines.set(&weak(driver), at(1));
        }
        deadlines.remove(&weak(&drivers[0]));
        deadlines.remove(&weak(&drivers[0]));
        assert_eq!(calls(&mut deadlines, at(1), &drivers), [0, 1]);
        assert_eq!((deadlines.first(), deadlines.0.len()), (None, 0));
    }

    #[test]
    fn the_timer_is_told_of_the_first_deadline_when_it_is_another_one() {
        let drivers: [Arc<Counting>; 2] = std::array::from_fn(|_| Arc::default());
        let [one, other] = drivers.each_ref().map(weak);
        let mut table = Table { deadlines: Deadlines::new(), drivers: 2, timer: None };
        let steps = [(&one, 5), (&other, 7), (&other, 4), (&one, 9), (&other, 8), (&other, 10)];
        let told = steps.map(|(driver, second)| table.set(driver, at(second)));
        assert_eq!(told, [Some(5), None, Some(4), None, Some(8), Some(9)].map(|it| it.map(at)));
    }

    #[test]
    fn with_the_last_driver_nothing_is_left_to_wait_for() {
        let drivers: [Arc<Counting>; 2] = std::array::from_fn(|_| Arc::default());
        let mut table = Table { deadlines: Deadlines::new(), drivers: 2, timer: None };
        for driver in &drivers {
            table.deadlines.set(&weak(driver), at(1));
        }
        let is_last = drivers.each_ref().map(|driver| table.leave(&weak(driver)));
        assert_eq!(is_last, [false, true]);
        assert_eq!(table.deadlines.first(), None);
    }

    #[test]
    fn a_connection_that_is_gone_leaves_no_deadline() {
        let connection = testing::driver(9, Limits::new());
        let namespace = connection.register_namespace("/");
        let driver: Weak<dyn Expire> = connection.downgrade();
        let is_known = || lock(&TABLE).deadlines.0.iter().any(|(_, other)| other.ptr_eq(&driver));
        assert!(!is_known());
        let ack = Some(AckHandle::Slot(Arc::default()));
        connection.emit(namespace, emit(ack), None).unwrap();
        assert!(is_known());
        drop(connection);
        assert!(!is_known());
    }
}
