//! What the library logs, and loggers that do harm, for tests that are alone in their process.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::mischief::Mischief;
use super::wait::LIMIT;

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) target: String,
    /// The name of the thread that logged it.
    pub(crate) thread: String,
    pub(crate) text: String,
}

/// What the logger does besides keeping a line, and to which lines.
struct Spell {
    mischief: Mischief,
    is_meant: Box<dyn Fn(&LogLine) -> bool + Send>,
    /// How often it was done.
    count: usize,
}

struct Journal {
    lines: Vec<LogLine>,
    spell: Option<Spell>,
}

static JOURNAL: Mutex<Journal> = Mutex::new(Journal { lines: Vec::new(), spell: None });
static GROWN: Condvar = Condvar::new();

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = LogLine {
            level: record.level(),
            target: record.target().to_owned(),
            thread: thread::current().name().unwrap_or_default().to_owned(),
            text: record.args().to_string(),
        };
        let mischief = journal().note(line);
        GROWN.notify_all();
        if let Some(mischief) = mischief {
            mischief.make("the logger");
        }
    }

    fn flush(&self) {}
}

impl Journal {
    /// Keeps a line, and tells what is to be done about it.
    fn note(&mut self, line: LogLine) -> Option<Mischief> {
        let spell = self.spell.as_mut().filter(|spell| (spell.is_meant)(&line));
        let mischief = spell.map(|spell| {
            spell.count += 1;
            spell.mischief
        });
        self.lines.push(line);
        mischief
    }
}

/// From now on everything is kept that is logged, up to this level.
pub(crate) fn capture_log(level: LevelFilter) {
    log::set_logger(&Logger).expect("a process without another logger");
    log::set_max_level(level);
}

/// From now on the logger does this whenever it is given such a line, after it has kept that.
pub(crate) fn make_mischief(
    mischief: Mischief,
    is_meant: impl Fn(&LogLine) -> bool + Send + 'static,
) {
    journal().spell = Some(Spell { mischief, is_meant: Box::new(is_meant), count: 0 });
}

/// The logger does no harm any more; gives how often it has done some.
pub(crate) fn end_mischief() -> usize {
    journal().spell.take().map_or(0, |spell| spell.count)
}

/// What was logged so far.
pub(crate) fn lines() -> Vec<LogLine> {
    journal().lines.clone()
}

/// What was logged so far: the level of each record, its target, and its text.
pub(crate) fn logged() -> Vec<String> {
    let text = |line: &LogLine| format!("{} {}: {}\n", line.level, line.target, line.text);
    lines().iter().map(text).collect()
}

/// Waits for a line like this, which may have been logged already.
#[track_caller]
pub(crate) fn wait_for_line(what: &str, is_it: impl Fn(&LogLine) -> bool) -> LogLine {
    let end = Instant::now() + LIMIT;
    let mut journal = journal();
    loop {
        if let Some(line) = journal.lines.iter().find(|line| is_it(line)) {
            return line.clone();
        }
        let left = end.saturating_duration_since(Instant::now());
        assert!(left > Duration::ZERO, "no line in the log: {what}");
        let waited = GROWN.wait_timeout(journal, left);
        journal = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn journal() -> MutexGuard<'static, Journal> {
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}
