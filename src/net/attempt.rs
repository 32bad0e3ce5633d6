//! The record of an attempt to connect: how far it has come, and how long it may take.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::begun::BegunConnect;
use super::waker::Waker;
use crate::error::reached::{Reached, Tried};
use crate::error::{Error, ErrorKind, Result, Rounded, Stage};
use crate::sync::lock::{Locked, lock};
use crate::sync::logging::log_later;

/// What a thread that connects notes on its way, and whose cancellation ends its waits.
///
/// Long-polling dials whenever a connection was not kept: each time the record begins anew.
pub(crate) struct Attempt {
    waker: Arc<Waker>,
    progress: Mutex<Progress>,
    on_news: Option<OnNews>,
    /// The connection that was begun for it.
    begun: Mutex<Option<BegunConnect>>,
    /// How much of the first request was sent by the connection that is made, in bytes.
    sent_ahead: AtomicUsize,
    /// The bytes that have come by its connections, and those that went, since somebody asked.
    received: AtomicUsize,
    sent: AtomicUsize,
}

/// Who hears of an attempt to connect; called by the thread that makes it, without a lock.
pub(crate) type OnNews = Box<dyn Fn(News) + Send + Sync>;

/// What happens on the way to a server.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// The attempt has come to this stage.
    Stage(Stage),
    /// Something is wrong that does not end the attempt.
    Warning(Error),
    /// The socket was full, and takes more of a request now.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    Room,
}

/// How far an attempt has come.
#[derive(Debug)]
struct Progress {
    reached: Reached,
    /// This side's address of the connection.
    local: Option<SocketAddr>,
    started: Instant,
    /// When the stage has to be over, and the limit that says so.
    deadline: Option<(Instant, Duration)>,
}

impl Attempt {
    /// An attempt that this waker can cancel, and whose news this function gets, if there is one.
    pub(crate) fn new(waker: Arc<Waker>, on_news: Option<OnNews>) -> Self {
        let progress = Progress {
            reached: Stage::Dns.into(),
            local: None,
            started: Instant::now(),
            deadline: None,
        };
        let (received, sent) = Default::default();
        let (progress, begun, sent_ahead) =
            (Mutex::new(progress), Mutex::default(), AtomicUsize::default());
        Self { waker, progress, on_news, begun, sent_ahead, received, sent }
    }

    /// The first connection is to go on with what was begun for it.
    pub(crate) fn go_on_with(&self, begun: Option<BegunConnect>) {
        *lock(&self.begun) = begun;
    }

    /// What the connection that is made now is to go on with.
    pub(super) fn take_begun(&self) -> Option<BegunConnect> {
        lock(&self.begun).take()
    }

    /// Notes how much of the first request was sent by the connection that is made.
    pub(super) fn note_sent_ahead(&self, sent: usize) {
        self.sent_ahead.store(sent, Ordering::Relaxed);
        self.note_passed(0, sent);
    }

    /// The same, once.
    pub(super) fn take_sent_ahead(&self) -> usize {
        self.sent_ahead.swap(0, Ordering::Relaxed)
    }

    /// Notes how many bytes have passed by its connection.
    pub(super) fn note_passed(&self, received: usize, sent: usize) {
        for (sum, passed) in [(&self.received, received), (&self.sent, sent)] {
            if passed > 0 {
                sum.fetch_add(passed, Ordering::Relaxed);
            }
        }
    }

    /// How many bytes were received and sent since this was asked the last time.
    pub(crate) fn take_passed(&self) -> (usize, usize) {
        (self.received.swap(0, Ordering::Relaxed), self.sent.swap(0, Ordering::Relaxed))
    }

    /// What ends the waits of the thread that makes the attempt.
    pub(crate) fn waker(&self) -> &Arc<Waker> {
        &self.waker
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
        if let Some(on_news) = &self.on_news {
            on_news(News::Stage(stage));
        }
    }

    /// One that is connected so.
    #[cfg(test)]
    pub(crate) fn by(waker: Arc<Waker>, (local, peer): (SocketAddr, SocketAddr)) -> Self {
        let attempt = Self::new(waker, None);
        attempt.note_local(Some(local));
        attempt.note_peer(Some(peer));
        attempt
    }

    /// The addresses of the connection, on this side and on the other, once there is one.
    pub(crate) fn way(&self) -> Option<(SocketAddr, SocketAddr)> {
        let progress = self.progress();
        Some((progress.local?, progress.reached.address?))
    }

    /// Notes this side's address of the connection.
    pub(super) fn note_local(&self, address: Option<SocketAddr>) {
        self.progress().local = address;
    }

    /// What is waited for now may take that long, and no longer.
    pub(super) fn limit(&self, limit: Duration) {
        self.progress().deadline = Instant::now().checked_add(limit).map(|end| (end, limit));
    }

    /// Notes the address that is connected.
    pub(super) fn note_peer(&self, address: Option<SocketAddr>) {
        let reached = &mut self.progress().reached;
        reached.address = address;
        reached.tried = Vec::new();
    }

    /// Notes what is known of the addresses that are tried, for the error if none answers in time.
    pub(super) fn tries(&self, addresses: Vec<Tried>) {
        self.progress().reached.tried = addresses;
    }

    /// The attempt is over: what is waited for now may take as long as it likes.
    pub(super) fn lift_limit(&self) {
        self.progress().deadline = None;
    }

    /// Tells of something that does not end the attempt.
    pub(super) fn warn(&self, warning: Error) {
        log_later!(Warn, "{warning}");
        if let Some(on_news) = &self.on_news {
            on_news(News::Warning(warning));
        }
    }

    /// Tells that the socket, which was full, takes more of a request.
    #[cfg(feature = "polling")]
    pub(super) fn note_room(&self) {
        if let Some(on_news) = &self.on_news {
            on_news(News::Room);
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
            let what =
                format!("the stage {stage} was not over within its limit of {}", Rounded(limit));
            return Err(progress.reached.too_late(&what));
        }
        Ok(Some(left))
    }

    /// Blocks until `fd` is ready; a cancellation, and the end of the stage's limit, is an error.
    /// Wake-ups are left alone.
    pub(super) fn wait_for_io(&self, fd: BorrowedFd<'_>, flags: PollFlags) -> Result<()> {
        while !self.waker.wait_for_io(fd, flags, self.time_left()?)? {}
        Ok(())
    }

    fn progress(&self) -> Locked<'_, Progress> {
        lock(&self.progress)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("stage", &self.progress().reached.stage)
            .field("waker", &self.waker)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::sync::eventfd::EventFd;

    fn attempt(on_news: Option<OnNews>) -> Attempt {
        Attempt::new(Arc::new(Waker::new().unwrap()), on_news)
    }

    #[test]
    fn the_stage_is_the_last_one_entered() {
        let attempt = attempt(None);
        assert_eq!(attempt.so_far().stage, Stage::Dns);
        attempt.enter(Stage::Tls, None);
        assert_eq!(attempt.so_far().stage, Stage::Tls);
    }

    #[test]
    fn a_limit_ends_a_stage_and_is_lifted_with_it() {
        let attempt = attempt(None);
        let event = EventFd::new().unwrap();
        attempt.enter(Stage::Tls, Some(Duration::from_millis(20)));
        let error = attempt.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        assert_eq!((error.is_timeout(), error.stage()), (true, Some(Stage::Tls)));
        event.raise();
        attempt.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        attempt.lift_limit();
        attempt.wait_for_io(event.as_fd(), PollFlags::IN).unwrap();
    }

    #[test]
    fn a_cancellation_of_its_waker_ends_an_attempt() {
        let attempt = attempt(None);
        let event = EventFd::new().unwrap();
        attempt.waker().cancel();
        let error = attempt.wait_for_io(event.as_fd(), PollFlags::IN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
    }

    #[test]
    fn stages_and_warnings_are_news() {
        let (sender, receiver) = channel();
        let sender = Mutex::new(sender);
        let on_news = move |news| sender.lock().unwrap().send(news).unwrap();
        let attempt = attempt(Some(Box::new(on_news)));
        attempt.enter(Stage::Proxy, None);
        attempt.warn(Error::new(ErrorKind::InvalidOption, "odd"));
        assert!(matches!(receiver.try_recv(), Ok(News::Stage(Stage::Proxy))));
        assert!(matches!(receiver.try_recv(), Ok(News::Warning(_))));
    }
}
