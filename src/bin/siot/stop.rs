//! What ends the work from outside: a signal, or the loss of who reads standard output.

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{EarlyEnd, Exit, Outcome};

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

/// Tells of a signal, once. A second one ends the process at once.
pub(crate) fn signals() -> Outcome<Receiver<Stop>> {
    let (sender, stop) = bounded(1);
    watch_signals(sender)?;
    Ok(stop)
}

/// Tells of a signal, and of the loss of who reads standard output: for work that is all about what is
/// printed.
pub(crate) fn signals_and_reader() -> Outcome<Receiver<Stop>> {
    let (sender, stop) = bounded(2);
    watch_signals(sender.clone())?;
    spawn("stdout", move || {
        if has_lost_its_reader() {
            // Nobody may wait any more.
            let _ = sender.try_send(Stop::NoReader);
        }
    })?;
    Ok(stop)
}

fn watch_signals(sender: Sender<Stop>) -> Outcome<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    spawn("signals", move || {
        for (index, signal) in signals.forever().enumerate() {
            let number = u8::try_from(signal).unwrap_or_default();
            if index > 0 {
                std::process::exit(Exit::Signal(number).code().into());
            }
            let _ = sender.try_send(Stop::Signal(number));
        }
    })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Outcome<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop).map_err(failed)
}

#[allow(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn failed(error: io::Error) -> EarlyEnd {
    EarlyEnd::local("signals", error)
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
