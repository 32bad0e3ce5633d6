//! What the state machines log.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Keeps the lines of those threads that ask for them.
struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LINES.try_with(|lines| lines.borrow().is_some()).unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.push(record.args().to_string());
            }
        });
    }

    fn flush(&self) {}
}

/// What this thread logs meanwhile, at the level `DEBUG`.
pub(super) fn logged(act: impl FnOnce()) -> Vec<String> {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Logger).expect("the only logger of the unit tests");
        log::set_max_level(LevelFilter::Debug);
    });
    LINES.set(Some(Vec::new()));
    act();
    LINES.take().unwrap_or_default()
}
