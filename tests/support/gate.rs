//! A server that stops reading, and goes on.

use std::sync::{Condvar, Mutex};

/// A gate before each read of a server.
#[derive(Default)]
pub(crate) struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// From now on the server reads nothing, but for what it is waiting for already.
    pub(crate) fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    /// The server goes on.
    pub(crate) fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }

    /// Waits while the gate is closed.
    pub(crate) fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
    }
}
