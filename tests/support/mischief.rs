//! Users' code that does harm: panics, dawdling, and destructors that do either.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

/// What users' code may do at the worst.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mischief {
    Panic,
    Sleep(Duration),
}

impl Mischief {
    /// Does it, where nothing is wrong already.
    pub(crate) fn make(self, who: &str) {
        match self {
            Self::Panic if thread::panicking() => {}
            Self::Panic => panic!("on purpose: {who} panics"),
            Self::Sleep(time) => thread::sleep(time),
        }
    }
}

/// For closures to capture: tells on which thread it is dropped, and may do harm then.
pub(crate) struct DropWatch {
    mischief: Option<Mischief>,
    dropped: Sender<String>,
}

impl DropWatch {
    /// It, and the name of the thread that drops it.
    pub(crate) fn new(mischief: Option<Mischief>) -> (Self, Receiver<String>) {
        let (dropped, by) = unbounded();
        (Self { mischief, dropped }, by)
    }
}

impl Drop for DropWatch {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.dropped.send(thread::current().name().unwrap_or_default().to_owned());
        if let Some(mischief) = self.mischief {
            mischief.make("a destructor");
        }
    }
}
