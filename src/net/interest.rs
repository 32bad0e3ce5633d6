//! Waiting for a socket: what for, and what `poll(2)` said.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

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
    /// The end of the connection or of what the peer sends, even if nothing is to be read or written.
    pub(super) hang_up: bool,
}

/// What has ended a wait; nothing of it, where it was a wake-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// A read would not block.
    pub(crate) readable: bool,
    /// The connection has ended (`POLLHUP`), or with an error (`POLLERR`); or, where reading was not
    /// asked for, the peer sends nothing more (`POLLRDHUP`). What was received before can still be
    /// read; then reading tells how the connection has ended.
    ///
    /// poll(2) says so again each time, so whoever does not read must not ask again.
    pub(crate) hung_up: bool,
}

impl Interest {
    /// Whether it is in bytes to read, and in no room for others.
    pub(crate) fn is_to_read(&self) -> bool {
        self.read && !self.write
    }

    /// Blocks until one of the interests is met, the limit passes, or a wake-up, which this takes. A
    /// cancellation is an error.
    ///
    /// Whoever reads finds the end of what the peer sends behind its last bytes. Whoever does not is
    /// told of it here.
    pub(crate) fn wait(&self, waker: &Waker, limit: Option<Duration>) -> Result<Ready> {
        Ok(self.wait_within(waker, limit)?.unwrap_or_default())
    }

    /// The same; `None`: the limit has passed, or a signal handler has run.
    pub(crate) fn wait_for(&self, waker: &Waker, limit: Duration) -> Result<Option<Ready>> {
        self.wait_within(waker, Some(limit))
    }

    fn wait_within(&self, waker: &Waker, limit: Option<Duration>) -> Result<Option<Ready>> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.read);
        flags.set(PollFlags::OUT, self.write);
        flags.set(PollFlags::RDHUP, self.hang_up && !self.read);
        // Without any interest the socket is left out: poll(2) always tells of a hang-up.
        let asked = self.read || self.write || self.hang_up;
        let said = waker.wait_with(asked.then(|| (self.socket.as_fd(), flags)), limit)?;
        Ok(said.map(|said| Ready {
            readable: said.contains(PollFlags::IN),
            hung_up: said
                .intersects(PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR | PollFlags::NVAL),
        }))
    }
}
