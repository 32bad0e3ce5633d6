//! Waiting for a socket: what for, and what `poll(2)` said.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::PollFlags;

use super::waker::Waker;
use crate::error::Result;

/// What somebody waits for at a socket. Meanwhile another may read and write there.
#[derive(Debug)]
pub(crate) struct Interest {
    pub(super) socket: Arc<TcpStream>,
    /// Bytes, or the end of what the peer sends, which is read like bytes.
    pub(super) read: bool,
    /// Room for bytes.
    pub(super) write: bool,
    /// The end of the connection in both directions, even if nothing is to be read or written.
    pub(super) hang_up: bool,
}

/// What has ended a wait; nothing of it, where it was a wake-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// A read would not block.
    pub(crate) readable: bool,
    /// The connection has ended in both directions (`POLLHUP`), or with an error (`POLLERR`). What
    /// was received before can still be read; then reading tells how the connection has ended.
    ///
    /// poll(2) says so again each time, so whoever does not read must not ask again.
    pub(crate) hung_up: bool,
}

impl Interest {
    /// Blocks until one of the interests is met, or a wake-up, which this takes. A cancellation is
    /// an error.
    ///
    /// A peer that only ends its own direction (`POLLRDHUP`) is not told apart: its end lies behind
    /// its last bytes and is found by reading them, whenever that may be.
    pub(crate) fn wait(&self, waker: &Waker) -> Result<Ready> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.read);
        flags.set(PollFlags::OUT, self.write);
        // Without any interest the socket is left out: poll(2) always tells of a hang-up.
        let asked = self.read || self.write || self.hang_up;
        let said = waker.wait_with(asked.then(|| (self.socket.as_fd(), flags)))?;
        Ok(Ready {
            readable: said.contains(PollFlags::IN),
            hung_up: said.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        })
    }
}
