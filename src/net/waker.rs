//! How other threads reach one that is blocked in `poll(2)`: wake-up and cancellation.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::eventfd::EventFd;

/// Ends the waits of one thread.
///
/// A wake-up and a cancellation are two descriptors. A wake-up is taken by the one wait it ends;
/// a cancellation is never taken, so that it ends every wait from then on. I/O that only wants to
/// be cancellable does not look at wake-ups and so cannot take one from whoever waits for it.
#[derive(Debug)]
pub(crate) struct Waker {
    wake: EventFd,
    cancel: EventFd,
    cancelled: AtomicBool,
}

impl Waker {
    /// Makes a waker, which takes two descriptors.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            wake: EventFd::new()?,
            cancel: EventFd::new()?,
            cancelled: AtomicBool::new(false),
        })
    }

    /// Ends the current or the next wait, once.
    pub(crate) fn wake(&self) {
        self.wake.raise();
    }

    /// Ends this and every later wait.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.cancel.raise();
    }

    /// Whether all waits are to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// An error when all waits are to end.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// Blocks until a wake-up, which this takes, or the cancellation.
    #[cfg(any(test, feature = "polling"))]
    pub(crate) fn wait(&self) {
        let mut fds = [PollFd::new(&self.wake, PollFlags::IN), self.polled()];
        // An error of poll(2) counts as a wake-up without a reason, which callers must expect anyhow.
        let _ = poll_uninterrupted(&mut fds);
        self.wake.lower();
    }

    /// Blocks for at most `limit`, or until a wake-up, which this takes; a cancellation is an error.
    pub(crate) fn nap(&self, limit: Duration) -> Result<()> {
        let mut fds = [PollFd::new(&self.wake, PollFlags::IN), self.polled()];
        poll_within(&mut fds, Some(limit))?;
        if !fds[0].revents().is_empty() {
            self.wake.lower();
        }
        self.check()
    }

    /// Blocks until a descriptor is ready, the limit passes, or a wake-up, which this takes; a
    /// cancellation is an error. Gives what poll(2) says of the descriptor: nothing, where it was a wake-up; `None`,
    /// where it was the limit, or a signal handler has run.
    pub(super) fn wait_with(
        &self,
        fd: Option<(BorrowedFd<'_>, PollFlags)>,
        limit: Option<Duration>,
    ) -> Result<Option<PollFlags>> {
        let asked = match fd {
            Some((fd, flags)) => PollFd::from_borrowed_fd(fd, flags),
            // In the place of a third one: the same again.
            None => self.polled(),
        };
        let mut fds = [PollFd::new(&self.wake, PollFlags::IN), self.polled(), asked];
        let came = match limit {
            None => poll_uninterrupted(&mut fds).map(|()| true)?,
            Some(_) => poll_within(&mut fds, limit)?,
        };
        if !fds[0].revents().is_empty() {
            self.wake.lower();
        }
        self.check()?;
        Ok(came.then(|| fds[2].revents()))
    }

    /// Blocks until `fd` is ready, and leaves wake-ups alone; a cancellation is an error. `false`:
    /// it is not, since the limit has passed or a signal handler has run.
    pub(super) fn wait_for_io(
        &self,
        fd: BorrowedFd<'_>,
        flags: PollFlags,
        limit: Option<Duration>,
    ) -> Result<bool> {
        let mut fds = [PollFd::from_borrowed_fd(fd, flags), self.polled()];
        let ready = poll_within(&mut fds, limit)?;
        self.check().map(|()| ready)
    }

    /// The entry for poll(2) that a cancellation makes ready.
    pub(super) fn polled(&self) -> PollFd<'_> {
        PollFd::new(&self.cancel, PollFlags::IN)
    }
}

/// The error of whatever a cancellation has ended.
pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Disconnected, "cancelled")
}

/// poll(2). `false`: nothing is ready, since the limit has passed or a signal handler has run.
pub(super) fn poll_within(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<bool> {
    // What is too long for the system's clock is as good as no limit.
    let limit = limit.and_then(|left| Timespec::try_from(left).ok());
    match poll(fds, limit.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => {
            Err(Error::new(ErrorKind::Resource, "poll(2) failed")
                .with_source(io::Error::from(error)))
        }
    }
}

/// poll(2) until something is ready, however many signal handlers run meanwhile.
fn poll_uninterrupted(fds: &mut [PollFd<'_>]) -> Result<()> {
    while !poll_within(fds, None)? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Runs `wait` in a thread; the receiver hears when it has ended.
    fn waiting(waker: &Arc<Waker>) -> Receiver<()> {
        let (done, ended) = channel();
        let waker = Arc::clone(waker);
        thread::spawn(move || {
            waker.wait();
            let _ = done.send(());
        });
        ended
    }

    #[test]
    fn a_wake_up_ends_the_next_wait_and_only_one() {
        let waker = Arc::new(Waker::new().unwrap());
        waker.wake();
        waker.wake();
        waker.wait();
        let ended = waiting(&waker);
        assert!(ended.recv_timeout(Duration::from_millis(50)).is_err());
        waker.wake();
        ended.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn a_cancellation_ends_every_wait_of_every_thread() {
        let waker = Arc::new(Waker::new().unwrap());
        let (one, two) = (waiting(&waker), waiting(&waker));
        waker.cancel();
        one.recv_timeout(LIMIT).unwrap();
        two.recv_timeout(LIMIT).unwrap();
        waker.wait();
        waker.wait();
        assert!(waker.is_cancelled());
    }

    #[test]
    fn a_nap_ends_with_its_limit_by_a_wake_up_and_by_the_cancellation() {
        let waker = Waker::new().unwrap();
        waker.nap(Duration::from_millis(1)).unwrap();
        waker.wake();
        let start = std::time::Instant::now();
        waker.nap(LIMIT).unwrap();
        assert!(start.elapsed() < LIMIT);
        // The wake-up is taken.
        waker.nap(Duration::from_millis(1)).unwrap();
        waker.cancel();
        assert_eq!(waker.nap(LIMIT).unwrap_err().message(), "cancelled");
        assert!(start.elapsed() < LIMIT);
    }

    #[test]
    fn waiting_for_io_leaves_wake_ups_to_others() {
        let waker = Waker::new().unwrap();
        let event = EventFd::new().unwrap();
        event.raise();
        waker.wake();
        assert!(waker.wait_for_io(event.as_fd(), PollFlags::IN, None).unwrap());
        waker.wait();
        waker.cancel();
        let error = waker.wait_for_io(event.as_fd(), PollFlags::IN, None).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Disconnected, "cancelled"));
    }

    #[test]
    fn a_limit_ends_waiting_for_io() {
        let waker = Waker::new().unwrap();
        let event = EventFd::new().unwrap();
        let limit = Some(Duration::from_millis(5));
        assert!(!waker.wait_for_io(event.as_fd(), PollFlags::IN, limit).unwrap());
    }

    #[test]
    fn a_limit_ends_a_wait_for_io_or_a_wake_up() {
        let waker = Waker::new().unwrap();
        let event = EventFd::new().unwrap();
        let asked = || Some((event.as_fd(), PollFlags::IN));
        let limit = Some(Duration::from_millis(5));
        assert_eq!(waker.wait_with(asked(), limit).unwrap(), None);
        event.raise();
        assert_eq!(waker.wait_with(asked(), Some(LIMIT)).unwrap(), Some(PollFlags::IN));
        waker.wake();
        assert_eq!(waker.wait_with(None, Some(LIMIT)).unwrap(), Some(PollFlags::empty()));
        // The wake-up is taken.
        assert_eq!(waker.wait_with(None, limit).unwrap(), None);
    }
}
