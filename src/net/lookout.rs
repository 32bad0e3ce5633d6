//! Waiting for something to read, such that another can take the wait over.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create, modify};
use rustix::event::{PollFd, PollFlags};

use super::interest::Ready;
use super::waker::{Waker, poll_within};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::eventfd::EventFd;

/// By what a thread waits for a socket that another may take over, and give back, without waking it.
///
/// The thread does not wait for the socket itself but for a descriptor of epoll(7), which is readable while the
/// socket is. One who takes over changes what that descriptor looks for, and waits for the socket. Who
/// gives back changes it again: the kernel then looks at the socket, so that nothing is missed.
#[derive(Debug)]
pub(crate) struct Lookout {
    socket: Arc<TcpStream>,
    post: OwnedFd,
    /// Ends the wait of the one who has taken over.
    bell: EventFd,
}

impl Lookout {
    /// Takes two descriptors.
    pub(super) fn new(socket: &Arc<TcpStream>) -> Result<Self> {
        let post = create(CreateFlags::CLOEXEC).map_err(failed)?;
        add(&post, socket, EventData::new_u64(0), EventFlags::IN).map_err(failed)?;
        Ok(Self { socket: Arc::clone(socket), post, bell: EventFd::new()? })
    }

    /// Blocks until there is something to read and nobody has taken over, or a wake-up, which this
    /// takes. A cancellation is an error.
    pub(crate) fn wait(&self, waker: &Waker) -> Result<Ready> {
        let said = waker.wait_with(Some((self.post.as_fd(), PollFlags::IN)), None)?;
        // How the connection has ended, if it has, is found by reading.
        Ok(Ready { readable: said.is_some_and(|said| !said.is_empty()), hung_up: false })
    }

    /// From now on another waits for the socket.
    pub(crate) fn take_over(&self) -> Result<()> {
        self.look_for(EventFlags::empty())
    }

    /// From now on the thread does so again.
    pub(crate) fn give_back(&self) -> Result<()> {
        self.look_for(EventFlags::IN)
    }

    fn look_for(&self, events: EventFlags) -> Result<()> {
        modify(&self.post, &self.socket, EventData::new_u64(0), events).map_err(failed)
    }

    /// Who has taken over blocks until there is something to read, the limit passes, or the bell, which
    /// this takes. A cancellation of the thread's waits is an error.
    pub(crate) fn stand(&self, waker: &Waker, limit: Option<Duration>) -> Result<Ready> {
        let socket = PollFd::new(&*self.socket, PollFlags::IN);
        let mut fds = [socket, PollFd::new(&self.bell, PollFlags::IN), waker.polled()];
        poll_within(&mut fds, limit)?;
        if !fds[1].revents().is_empty() {
            self.bell.lower();
        }
        waker.check()?;
        Ok(Ready { readable: !fds[0].revents().is_empty(), hung_up: false })
    }

    /// Ends the wait of the one who has taken over, or the next such.
    pub(crate) fn ring(&self) {
        self.bell.raise();
    }
}

fn failed(error: rustix::io::Errno) -> Error {
    Error::new(ErrorKind::Resource, "epoll(7) failed").with_source(io::Error::from(error))
}
