//! Floor 0: mutexes under which no line of the log is written.
//!
//! A logger is a user's code: it may write to a file, or emit what it gets by a socket of ours. So
//! whatever [`log_later!`] says while a [`Locked`] exists in its thread is kept, and given to the
//! logger once the last of them is gone.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use log::Level;

/// Logs, as the macros of `log` do, but not before the locks of this thread are released.
macro_rules! log_later {
    ($level:ident, $($words:tt)+) => {
        if log::Level::$level <= log::STATIC_MAX_LEVEL && log::Level::$level <= log::max_level() {
            $crate::sync::lock::log(log::Level::$level, module_path!(), format!($($words)+));
        }
    };
}
pub(crate) use log_later;

thread_local! {
    static KEPT: RefCell<Kept> = const {
        RefCell::new(Kept { locks: 0, logging: false, lines: Vec::new() })
    };
}

struct Kept {
    /// How many locks this thread holds, or waits for.
    locks: usize,
    /// The lines are being given to the logger, which may come back here.
    logging: bool,
    lines: Vec<Line>,
}

struct Line {
    level: Level,
    target: &'static str,
    text: String,
}

/// A locked mutex.
pub(crate) struct Locked<'a, T> {
    // Dropped in this order.
    guard: MutexGuard<'a, T>,
    quiet: Quiet,
}

/// While it exists, lines are kept.
struct Quiet;

/// Locks a mutex. One that a panic has poisoned is still better company than a second panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Locked<'_, T> {
    let quiet = Quiet::new();
    Locked { guard: mutex.lock().unwrap_or_else(PoisonError::into_inner), quiet }
}

/// Locks a mutex, unless somebody has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<Locked<'_, T>> {
    let quiet = Quiet::new();
    let guard = match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    Some(Locked { guard, quiet })
}

impl<T> Locked<'_, T> {
    /// Releases the lock until the condition is notified, or the limit passes.
    pub(crate) fn wait(self, condition: &Condvar, limit: Duration) -> Self {
        let Self { guard, quiet } = self;
        let (guard, _) =
            condition.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner);
        Self { guard, quiet }
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl Quiet {
    fn new() -> Self {
        // A thread that is about to end has no such storage any more, and then logs nothing.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().locks += 1);
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = KEPT.try_with(|kept| kept.borrow_mut().locks -= 1);
        flush();
    }
}

/// Gives a line to the logger, now or when no lock is held.
pub(crate) fn log(level: Level, target: &'static str, text: String) {
    let line = Line { level, target, text };
    let _ = KEPT.try_with(|kept| kept.borrow_mut().lines.push(line));
    flush();
}

/// Gives the logger what was kept. Lines that the logger itself causes come after.
fn flush() {
    while let Ok(Some(lines)) = KEPT.try_with(take) {
        let _logging = Logging;
        for Line { level, target, text } in lines {
            log::log!(target: target, level, "{text}");
        }
    }
}

/// The logger is at work, until it returns or panics.
struct Logging;

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = KEPT.try_with(|kept| kept.borrow_mut().logging = false);
    }
}

fn take(kept: &RefCell<Kept>) -> Option<Vec<Line>> {
    let mut kept = kept.borrow_mut();
    if kept.locks > 0 || kept.logging || kept.lines.is_empty() {
        return None;
    }
    kept.logging = true;
    Some(std::mem::take(&mut kept.lines))
}
