//! Logging, when no lock is held.
//!
//! A logger is a user's code: it may write to a file, emit what it gets by a socket of ours, take its
//! time, or panic. So whatever [`log_later!`] says while a lock of ours is held in its thread is
//! kept, and given to the logger once the last of them is released; and what the timer thread says,
//! which serves all connections of the process, is given to it by another thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::Level;

use super::speaker::LinePrefix;
use super::threads::{Role, role, spawn, survive};

/// Logs, as the macros of `log` do, but not before the locks of this thread are released, and with what
/// the line is about in front: `#3 example.com:443 "/orders": …`. That is the connection that the thread
/// works for, or the one given by `of`; and the namespace, where that is given by `in`.
macro_rules! log_later {
    ($level:ident, in $namespace:expr, $($words:tt)+) => {
        log_later!(@log $level, Some($namespace), $($words)+)
    };
    ($level:ident, of $speaker:expr, $($words:tt)+) => {
        if log::Level::$level <= log::STATIC_MAX_LEVEL && log::Level::$level <= log::max_level() {
            let _speaking = $speaker.speak();
            log_later!(@log $level, None, $($words)+);
        }
    };
    (@log $level:ident, $namespace:expr, $($words:tt)+) => {
        if log::Level::$level <= log::STATIC_MAX_LEVEL && log::Level::$level <= log::max_level() {
            $crate::sync::logging::log(
                log::Level::$level,
                module_path!(),
                $namespace,
                format_args!($($words)+),
            );
        }
    };
    ($level:ident, $($words:tt)+) => {
        log_later!(@log $level, None, $($words)+)
    };
}
pub(crate) use log_later;

/// How many lines of the timer thread wait for a logger that takes its time.
const MAX_BACKLOG: usize = 1024;

thread_local! {
    static KEPT: RefCell<Kept> = const {
        RefCell::new(Kept { locks: 0, logging: false, lines: Vec::new() })
    };
}

/// What the timer thread says.
static BACKLOG: Mutex<Backlog> =
    Mutex::new(Backlog { lines: VecDeque::new(), lost: 0, is_running: false });

struct Kept {
    /// How many locks this thread holds, or waits for.
    locks: usize,
    /// The lines are being given to the logger, which may come back here.
    logging: bool,
    lines: Vec<Line>,
}

struct Backlog {
    lines: VecDeque<Line>,
    /// How many more there would be.
    lost: usize,
    /// A thread gives them to the logger. It ends when there are none.
    is_running: bool,
}

struct Line {
    level: Level,
    target: &'static str,
    text: String,
}

/// While it exists, lines of this thread are kept.
#[must_use = "it ends when it is dropped"]
pub(crate) struct Quiet;

impl Quiet {
    pub(crate) fn new() -> Self {
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
pub(crate) fn log(
    level: Level,
    target: &'static str,
    namespace: Option<&str>,
    words: fmt::Arguments<'_>,
) {
    // Without its query, in which old servers look for credentials.
    let namespace = namespace.map(|name| name.split('?').next().unwrap_or_default());
    let text = match (LinePrefix::current(), namespace) {
        (Some(prefix), Some(namespace)) => format!("{prefix} {namespace:?}: {words}"),
        (Some(prefix), None) => format!("{prefix}: {words}"),
        (None, Some(namespace)) => format!("{namespace:?}: {words}"),
        (None, None) => words.to_string(),
    };
    let line = Line { level, target, text };
    let _ = KEPT.try_with(|kept| kept.borrow_mut().lines.push(line));
    flush();
}

/// Whether lines of this thread are kept.
#[cfg(test)]
pub(super) fn is_quiet() -> bool {
    KEPT.with(|kept| kept.borrow().locks > 0)
}

/// Gives the logger what was kept. Lines that the logger itself causes come after.
fn flush() {
    while let Ok(Some(lines)) = KEPT.try_with(take) {
        let _logging = Logging;
        if role() == Some(Role::Timer) {
            lock_backlog().add(lines);
        } else {
            lines.into_iter().for_each(give);
        }
    }
}

/// The logger is at work, until it returns.
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

/// Gives a line to the logger. That it panics is its own affair: the thread has others to see to.
fn give(Line { level, target, text }: Line) {
    let _ = survive(|| log::log!(target: target, level, "{text}"));
}

/// Not by [`lock`](super::lock::lock): that would come back here.
fn lock_backlog() -> MutexGuard<'static, Backlog> {
    BACKLOG.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backlog {
    fn add(&mut self, lines: Vec<Line>) {
        for line in lines {
            if self.lines.len() < MAX_BACKLOG {
                self.lines.push_back(line);
            } else {
                self.lost += 1;
            }
        }
        // Without a thread they wait for the next occasion.
        self.is_running = self.is_running || spawn(Role::Log, None, give_backlog).is_ok();
    }
}

fn give_backlog() {
    loop {
        let mut backlog = lock_backlog();
        let lines = std::mem::take(&mut backlog.lines);
        let lost = std::mem::take(&mut backlog.lost);
        backlog.is_running = !lines.is_empty();
        drop(backlog);
        if lines.is_empty() {
            return;
        }
        lines.into_iter().for_each(give);
        if lost > 0 {
            let text = format!("{lost} lines are lost: the logger did not take them in time");
            give(Line { level: Level::Warn, target: module_path!(), text });
        }
    }
}
