//! How other threads reach one that is blocked in `poll(2)`: wake-up and cancellation.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Reached, Result, Stage};
use crate::sync::lock::{Locked, lock, log_later};

/// Ends the waits of one connection's threads.
///
/// A wake-up and a cancellation are two descriptors. A wake-up is taken by the one wait it ends;
/// a cancellation is never taken, so that it ends the waits of any number of threads. I/O that
/// only wants to be cancellable does not look at wake-ups and so cannot swallow one.
pub(crate) struct Signal {
    wake: OwnedFd,
    cancel: OwnedFd,
    cancelled: AtomicBool,
    progress: Mutex<Progress>,
    observer: Option<Observer>,
}

/// Who hears of an attempt to connect; called by the thread that makes it, without a lock.
pub(crate) type Observer = Box<dyn Fn(News) + Send + Sync>;

/// What happens on the way to a server.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// The attempt has come to this stage.
    Stage(Stage),
    /// Something is wrong that does not end the attempt.
    Warning(Error),
}

/// How far an attempt has come.
#[derive(Debug)]
struct Progress {
    reached: Reached,
    started: Instant,
    /// When the stage has to be over, and the limit that says so.
    deadline: Option<(Instant, Duration)>,
}

impl Signal {
    /// Makes a signal, which takes two descriptors.
    #[cfg(test)]
    pub(crate) fn new() -> Result<Self> {
        Self::make(None)
    }

    /// Makes a signal, which takes two descriptors, and of which somebody hears what happens.
    pub(crate) fn observed(observer: Observer) -> Result<Self> {
        Self::make(Some(observer))
    }

    fn make(observer: Option<Observer>) -> Result<Self> {
        Ok(Self {
            wake: event_descriptor()?,
            cancel: event_descriptor()?,
            cancelled: AtomicBool::new(false),
            progress: Mutex::new(Progress {
                reached: Stage::Dns.into(),
                started: Instant::now(),
                deadline: None,
            }),
            observer,
        })
    }

    /// Ends the current or the next wait, once.
    pub(crate) fn wake(&self) {
        raise(&self.wake);
    }

    /// Ends this and every later wait.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        raise(&self.cancel);
    }

    /// Whether all waits are to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// How far the attempt has come.
    pub(crate) fn so_far(&self) -> Reached {
        self.progress().reached.clone()
    }

    /// An attempt begins; the time that its error tells is counted from here.
    pub(super) fn begin(&self) {
        self.progress().started = Instant::now();
    }

    /// Notes how far the attempt has come. The stage may take that long.
    pub(super) fn enter(&self, stage: Stage, limit: Option<Duration>) {
        let mut progress = self.progress();
        progress.reached.stage = stage;
        progress.deadline =
            limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        drop(progress);
        if let Some(observer) = &self.observer {
            observer(News::Stage(stage));
        }
    }

    /// Notes the address that is connected.
    pub(super) fn reached(&self, address: Option<SocketAddr>) {
        let reached = &mut self.progress().reached;
        reached.address = address;
        reached.tried = String::new();
    }

    /// Notes what is known of the addresses that are tried, for the error if none answers in time.
    pub(super) fn tries(&self, addresses: String) {
        self.progress().reached.tried = addresses;
    }

    /// The attempt is over: what is waited for now may take as long as it likes.
    pub(super) fn lift_limit(&self) {
        self.progress().deadline = None;
    }

    /// Tells of something that does not end the attempt.
    pub(super) fn warn(&self, warning: Error) {
        log_later!(Warn, "{warning}");
        if let Some(observer) = &self.observer {
            observer(News::Warning(warning));
        }
    }

    /// Adds to the error of an attempt which address it was about and how long it took.
    pub(super) fn describe(&self, error: Error) -> Error {
        let progress = self.progress();
        match error.kind() {
            // Without a connection, the error itself has the addresses.
            ErrorKind::Connect(Stage::Dns | Stage::Tcp) => {
                error.with_attempt(None, progress.started.elapsed())
            }
            ErrorKind::Connect(_) => {
                error.with_attempt(progress.reached.address, progress.started.elapsed())
            }
            _ => error,
        }
    }

    /// What is left of the stage's limit; `None` is no limit, and too late is an error.
    pub(super) fn time_left(&self) -> Result<Option<Duration>> {
        let progress = self.progress();
        let Some((deadline, limit)) = progress.deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let stage = progress.reached.stage;
            let what = format!("the stage {stage} was not over within its limit of {limit:?}");
            return Err(progress.reached.too_late(&what));
        }
        Ok(Some(left))
    }

    fn progress(&self) -> Locked<'_, Progress> {
        lock(&self.progress)
    }

    /// Blocks until a wake-up or the cancellation.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    pub(crate) fn wait(&self) {
        let mut fds = [PollFd::new(&self.wake, PollFlags::IN), self.polled()];
        // An error of poll(2) counts as a wake-up without a reason, which callers must expect anyhow.
        let _ = poll_without_limit(&mut fds);
        lower(&self.wake);
    }

    /// Blocks until `fd` is ready, or a wake-up (which this takes); a cancellation is an error.
    /// Tells whether it was `fd`.
    pub(super) fn wait_for_io_or_wake(&self, fd: BorrowedFd<'_>, flags: PollFlags) -> Result<bool> {
        let mut fds = [
            PollFd::from_borrowed_fd(fd, flags),
            PollFd::new(&self.wake, PollFlags::IN),
            self.polled(),
        ];
        poll_without_limit(&mut fds)?;
        if !fds[1].revents().is_empty() {
            lower(&self.wake);
        }
        let ready = !fds[0].revents().is_empty();
        self.check().map(|()| ready)
    }

    /// Blocks until `fd` is ready; a cancellation, and the end of the stage's limit, is an error.
    /// Wake-ups are left alone.
    pub(super) fn wait_for_io(&self, fd: BorrowedFd<'_>, flags: PollFlags) -> Result<()> {
        loop {
            let limit = self.time_left()?.map(|left| Timespec::try_from(left).unwrap_or_default());
            let mut fds = [PollFd::from_borrowed_fd(fd, flags), self.polled()];
            match poll(&mut fds, limit.as_ref()) {
                Ok(0) | Err(Errno::INTR) => self.check()?,
                Ok(_) => return self.check(),
                Err(error) => return Err(poll_failed(error)),
            }
        }
    }

    /// An error when all waits are to end.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// The entry for poll(2) that a cancellation makes ready.
    pub(super) fn polled(&self) -> PollFd<'_> {
        PollFd::new(&self.cancel, PollFlags::IN)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("cancelled", &self.is_cancelled())
            .field("stage", &self.progress().reached.stage)
            .finish_non_exhaustive()
    }
}

/// The error of whatever a cancellation has ended.
pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Disconnected, "cancelled")
}

/// An eventfd: readable from [`raise`] to [`lower`].
pub(super) fn event_descriptor() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(|error| {
        Error::new(ErrorKind::Resource, "cannot make an eventfd")
            .with_source(io::Error::from(error))
    })
}

/// Makes an eventfd readable.
pub(super) fn raise(event: &OwnedFd) {
    // It fails only when the count is at its limit, and then it is readable as it should be.
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

/// Makes an eventfd unreadable.
fn lower(event: &OwnedFd) {
    // It fails only when the count is zero, which is what is wanted.
    let _ = rustix::io::read(event, &mut [0_u8; 8]);
}

/// poll(2) until something is ready, however many signal handlers run meanwhile.
pub(super) fn poll_without_limit(fds: &mut [PollFd<'_>]) -> Result<()> {
    loop {
        match poll(fds, None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(poll_failed(error)),
        }
    }
}

/// The error of a poll(2) that the system refused.
pub(super) fn poll_failed(error: Errno) -> Error {
    Error::new(ErrorKind::Resource, "poll(2) failed").with_source(io::Error::from(error))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Runs `wait` in a thread; the receiver hears when it has ended.
    fn waiting(signal: &Arc<Signal>) -> Receiver<()> {
        let (done, ended) = channel();
        let signal = Arc::clone(signal);
        thread::spawn(move || {
            signal.wait();
            let _ = done.send(());
        });
        ended
    }

    #[test]
    fn a_wake_up_ends_the_next_wait_and_only_one() {
        let signal = Arc::new(Signal::new().unwrap());
        signal.wake();
        signal.wake();
        signal.wait();
        let ended = waiting(&signal);
        assert!(ended.recv_timeout(Duration::from_millis(50)).is_err());
        signal.wake();
        ended.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn a_cancellation_ends_every_wait_of_every_thread() {
        let signal = Arc::new(Signal::new().unwrap());
        let (one, two) = (waiting(&signal), waiting(&signal));
        signal.cancel();
        one.recv_timeout(LIMIT).unwrap();
        two.recv_timeout(LIMIT).unwrap();
        signal.wait();
        signal.wait();
        assert!(signal.is_cancelled());
    }

    #[test]
    fn waiting_for_io_leaves_wake_ups_to_others() {
        let signal = Arc::new(Signal::new().unwrap());
        let event = event_descriptor().unwrap();
        raise(&event);
        signal.wake();
        signal.wait_for_io(event.as_fd(), PollFlags::IN).unwrap();
        signal.wait();
        signal.cancel();
        let error = signal.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Disconnected, "cancelled"));
    }

    #[test]
    fn the_stage_is_the_last_one_entered() {
        let signal = Signal::new().unwrap();
        assert_eq!(signal.so_far().stage, Stage::Dns);
        signal.enter(Stage::Tls, None);
        assert_eq!(signal.so_far().stage, Stage::Tls);
    }

    #[test]
    fn a_limit_ends_a_stage_and_is_lifted_with_it() {
        let signal = Signal::new().unwrap();
        let event = event_descriptor().unwrap();
        signal.enter(Stage::Tls, Some(Duration::from_millis(20)));
        let error = signal.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        assert_eq!((error.is_timeout(), error.stage()), (true, Some(Stage::Tls)));
        raise(&event);
        signal.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        signal.lift_limit();
        signal.wait_for_io(event.as_fd(), PollFlags::IN).unwrap();
    }

    #[test]
    fn an_observer_hears_of_stages_and_warnings() {
        let (sender, receiver) = channel();
        let sender = Mutex::new(sender);
        let observer = move |news| sender.lock().unwrap().send(news).unwrap();
        let signal = Signal::observed(Box::new(observer)).unwrap();
        signal.enter(Stage::Proxy, None);
        signal.warn(Error::new(ErrorKind::InvalidOption, "odd"));
        assert!(matches!(receiver.try_recv(), Ok(News::Stage(Stage::Proxy))));
        assert!(matches!(receiver.try_recv(), Ok(News::Warning(_))));
    }
}
