//! What ends the work from outside: a signal, or the loss of who reads standard output.

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure, Outcome};

/// Why to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// By a signal that asks for an end in good order.
    Signal(u8),
    /// Nobody reads standard output any more.
    NoReader,
}

impl Stop {
    /// What to exit with when there was something left to do.
    pub(crate) fn cut_short(self) -> Exit {
        match self {
            Self::Signal(number) => Exit::Signal(number),
            Self::NoReader => Exit::Success,
        }
    }
}

/// Tells of it, once. A second signal ends the process at once.
pub(crate) fn watch() -> Outcome<Receiver<Stop>> {
    let failed = |error: io::Error| Failure::local("signals", error);
    let (sender, stop) = bounded(2);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let first = sender.clone();
    let watch_signals = move || {
        for (index, signal) in signals.forever().enumerate() {
            let number = u8::try_from(signal).unwrap_or_default();
            if index > 0 {
                std::process::exit(Exit::Signal(number).code().into());
            }
            // Nobody may wait any more.
            let _ = first.try_send(Stop::Signal(number));
        }
    };
    thread::Builder::new().name("signals".into()).spawn(watch_signals).map_err(failed)?;
    let watch_reader = move || {
        if has_lost_its_reader() {
            let _ = sender.try_send(Stop::NoReader);
        }
    };
    thread::Builder::new().name("stdout".into()).spawn(watch_reader).map_err(failed)?;
    Ok(stop)
}

/// Waits until nobody can read standard output any more, which for a file never happens.
fn has_lost_its_reader() -> bool {
    let stdout = io::stdout();
    loop {
        // Errors and hang-ups are told without being asked for.
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return !fds[0].revents().contains(PollFlags::NVAL),
            Err(_) => return false,
        }
    }
}
