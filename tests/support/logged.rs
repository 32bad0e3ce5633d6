//! What the library logs, for tests that are alone in their process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

/// Each record: its level, its target, and its text.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            lines().push(format!("{} {}: {}\n", record.level(), record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// From now on everything is kept that is logged, up to this level.
pub(crate) fn capture_log(level: LevelFilter) {
    log::set_logger(&Logger).expect("a process without another logger");
    log::set_max_level(level);
}

/// What was logged so far.
pub(crate) fn logged() -> Vec<String> {
    lines().clone()
}

fn lines() -> MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}
