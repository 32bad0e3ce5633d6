//! What other threads ask of the one that serves the connections.

use std::io;
use std::sync::{Arc, Mutex};

use mio::{Registry, Token, Waker};

use crate::sync::lock::lock;

/// The commands that wait.
pub(super) struct IoCommands<C> {
    waiting: Mutex<Vec<C>>,
    waker: Arc<Waker>,
}

impl<C> IoCommands<C> {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), waker: Arc::new(Waker::new(registry, token)?) })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn give(&self, command: C) {
        let mut waiting = lock(&self.waiting);
        waiting.push(command);
        let is_first = waiting.len() == 1;
        drop(waiting);
        if is_first {
            self.wake();
        }
    }

    /// Has the thread look what there is.
    pub(super) fn wake(&self) {
        // It fails only where the thread is gone.
        let _ = self.waker.wake();
    }

    pub(super) fn take(&self) -> Vec<C> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}
