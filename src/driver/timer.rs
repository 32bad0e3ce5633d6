//! The timer thread: one for the whole process, for every deadline of every connection.
//!
//! It blocks in the read of a timerfd. Setting an earlier deadline rearms that; moving a deadline
//! later wakes nobody: the thread finds out when it looks. It ends with the last connection.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
use crate::sync::threads::{Role, spawn};

static TABLE: Mutex<Table> =
    Mutex::new(Table { deadlines: BTreeMap::new(), drivers: 0, timer: None });

/// Enough for a loop over deadlines, with the drivers' verbs below it, and a heartbeat that goes
/// out by TLS.
const STACK_SIZE: usize = 256 * 1024;

/// What has deadlines.
pub(super) trait Expire: Send + Sync {
    /// A deadline has passed.
    fn on_timer(&self);
}

struct Table {
    /// By the moment, and by the address of the driver, so that two may have the same moment.
    deadlines: BTreeMap<(Timestamp, usize), Weak<dyn Expire>>,
    drivers: usize,
    /// There while the thread runs.
    timer: Option<Arc<OwnedFd>>,
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

/// One driver less. The thread ends with the last.
pub(super) fn unregister(driver: &Weak<dyn Expire>) {
    let mut table = lock(&TABLE);
    let gone = address(driver);
    table.deadlines.retain(|(_, of), _| *of != gone);
    table.drivers = table.drivers.saturating_sub(1);
    if table.drivers == 0 {
        if let Some(timer) = table.timer.take() {
            fire_at(&timer, now());
        }
    }
}

/// Has the driver called at this moment.
pub(super) fn arm(driver: &Weak<dyn Expire>, at: Timestamp) {
    let mut table = lock(&TABLE);
    let first = table.deadlines.keys().next().map(|(at, _)| *at);
    table.deadlines.insert((at, address(driver)), driver.clone());
    if first.is_none_or(|first| at < first) {
        if let Some(timer) = &table.timer {
            fire_at(timer, at);
        }
    }
}

fn run(timer: &Arc<OwnedFd>) {
    let mut expirations = [0; 8];
    loop {
        // An error other than a signal cannot happen to a timer that exists.
        let _ = rustix::io::read(timer.as_ref(), &mut expirations);
        while let Some(driver) = pop_due() {
            // The last reference may be this one: no lock is held here.
            if let Some(driver) = driver.upgrade() {
                // No panic of ours is known. Should there be one, it must not end the deadlines of
                // all connections.
                let _ = catch_unwind(AssertUnwindSafe(|| driver.on_timer()));
            }
        }
        let table = lock(&TABLE);
        if !table.timer.as_ref().is_some_and(|current| Arc::ptr_eq(current, timer)) {
            return;
        }
        if let Some((at, _)) = table.deadlines.keys().next() {
            fire_at(timer, *at);
        }
    }
}

fn address(driver: &Weak<dyn Expire>) -> usize {
    Weak::as_ptr(driver).cast::<()>() as usize
}

fn pop_due() -> Option<Weak<dyn Expire>> {
    let mut table = lock(&TABLE);
    let first = table.deadlines.first_entry()?;
    (first.key().0 <= now()).then(|| first.remove())
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
