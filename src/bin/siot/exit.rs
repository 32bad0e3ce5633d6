//! How the command ends: with which code, and in which words.

use std::fmt;

use siot::{Error, ErrorKind};

use crate::json;

/// What the command exits with. The numbers are promised in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success,
    /// An event was not delivered or not answered, or an examination found faults.
    Failed,
    /// The command line, an argument or an option cannot be used.
    Usage,
    /// There is no connection.
    Connect,
    /// The time was up.
    Timeout,
    /// The server refused the namespace.
    Refused,
    /// The connection ended, and is not opened again.
    Lost,
    /// A file, standard input, standard output or an address to listen at failed.
    Local,
    /// A signal cut the work short.
    Signal(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Connect => 3,
            Self::Timeout => 4,
            Self::Refused => 5,
            Self::Lost => 6,
            Self::Local => 7,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

/// The codes, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  all went well
  1  an event was not delivered or not answered; the doctor found a fault
  2  the command line, an argument or an option cannot be used
  3  no connection
  4  the time was up
  5  the server refused the namespace
  6  the connection ended, and is not opened again
  7  a file, standard input, standard output or an address to listen at failed
  128 + N  signal N cut the work short (130: ctrl-c)";

/// Why the command ends before its work is done.
#[derive(Debug)]
pub(crate) struct EarlyEnd {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

/// The result of what may end the command.
pub(crate) type Outcome<T = Exit> = Result<T, EarlyEnd>;

impl EarlyEnd {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The failure of one of several things.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        Self::new(self.exit, format!("{what}: {}", self.text))
    }

    pub(crate) fn local(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(Exit::Local, format!("{what}: {error}"))
    }

    /// An error of an attempt to connect, whose own kind may be that of the deadline.
    pub(crate) fn connecting(error: &Error) -> Self {
        let exit = match exit(error) {
            Exit::Failed | Exit::Timeout | Exit::Lost => Exit::Connect,
            other => other,
        };
        Self::new(exit, words(error))
    }
}

impl From<Error> for EarlyEnd {
    fn from(error: Error) -> Self {
        Self::new(exit(&error), words(&error))
    }
}

/// What is said of an error, with what the server sent along with a refusal.
pub(crate) fn words(error: &Error) -> String {
    match error.data() {
        Some(data) => {
            let start: String = data.chars().take(1000).collect();
            let rest = if start.len() < data.len() { "…" } else { "" };
            format!("{error:#}; its data: {}{rest}", json::printable(&start))
        }
        None => format!("{error:#}"),
    }
}

fn exit(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::InvalidUrl
        | ErrorKind::InvalidOption
        | ErrorKind::ReservedEvent
        | ErrorKind::Payload
        | ErrorKind::Unsupported => Exit::Usage,
        ErrorKind::Connect(_) => Exit::Connect,
        ErrorKind::Refused => Exit::Refused,
        ErrorKind::Timeout => Exit::Timeout,
        ErrorKind::Disconnected | ErrorKind::Transport | ErrorKind::Protocol => Exit::Lost,
        _ => Exit::Failed,
    }
}
