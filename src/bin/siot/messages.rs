//! What is said to a person, on standard error.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::args::Talk;
use crate::{clock, flags};

/// Says things on standard error; that nobody can read them is no failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    quiet: bool,
    color: bool,
    progress: bool,
}

impl Messages {
    /// Also what the library logs goes there from now on.
    pub(crate) fn new(talk: Option<Talk>) -> Self {
        let quiet = talk.is_some_and(|talk| talk.quiet);
        let level = match talk.map_or(0, |talk| talk.verbose) {
            _ if quiet => LevelFilter::Off,
            0 => LevelFilter::Warn,
            1 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        };
        // Fails only where there is a logger already.
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(level);
        }
        let terminal = io::stderr().is_terminal();
        Self { quiet, color: is_colorful(terminal), progress: terminal && !quiet }
    }

    /// What is good to know.
    pub(crate) fn say(self, what: impl Display) {
        if !self.quiet {
            self.write("", what);
        }
    }

    /// Why the command fails.
    pub(crate) fn error(self, what: impl Display) {
        self.write(if self.color { "\x1b[31merror:\x1b[0m " } else { "error: " }, what);
    }

    /// How far something has come, on a line that the next one replaces; an empty one ends it.
    pub(crate) fn progress(self, what: impl Display) {
        if self.progress {
            let _ = write!(io::stderr(), "\r\x1b[K{what}");
        }
    }

    /// Whether anybody sees the progress.
    pub(crate) fn shows_progress(self) -> bool {
        self.progress
    }

    fn write(self, label: &str, what: impl Display) {
        let line = if self.progress { "\r\x1b[K" } else { "" };
        let _ = writeln!(io::stderr(), "{line}siot: {label}{}", flags::named(&what.to_string()));
    }
}

/// Whether to write colours to something that is a terminal or not, as this process's environment
/// has it.
pub(crate) fn is_colorful(terminal: bool) -> bool {
    let variable = std::env::var_os;
    takes_colors(terminal, variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

fn takes_colors(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

/// What is said once, of whatever connection.
const NOT_VERIFIED: &str = "is not verified (-k)";
static NOT_VERIFIED_IS_SAID: AtomicBool = AtomicBool::new(false);

/// Writes what the library logs.
struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("siot")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                Level::Error | Level::Warn => "warning",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            let text = flags::named(&record.args().to_string());
            // Each connection says it, and it is true of all of them.
            if text.contains(NOT_VERIFIED) && NOT_VERIFIED_IS_SAID.swap(true, Ordering::Relaxed) {
                return;
            }
            let time = match record.level() {
                Level::Error | Level::Warn => String::new(),
                _ => format!("{:.3} s ", clock::start().elapsed().as_secs_f64()),
            };
            let _ = writeln!(io::stderr(), "siot: {level}: {time}{text}");
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_owner_wants_them() {
        let some = |text: &'static str| Some(OsStr::new(text));
        assert!(takes_colors(true, None, some("xterm")));
        assert!(takes_colors(true, some(""), some("xterm")));
        assert!(!takes_colors(false, None, some("xterm")));
        assert!(!takes_colors(true, some("1"), some("xterm")));
        assert!(!takes_colors(true, None, some("dumb")));
        assert!(!takes_colors(true, None, None));
    }
}
