//! The threads of one transport connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::shared_wire::SharedWire;
use super::{Action, Driver, Monitor};
use crate::core::client::Cycle;
use crate::core::engine::Loss;
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::reached::Reached;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::ManagerEvent;
use crate::net::attempt::News;
use crate::net::{Address, Attempt, Request, Waker};
use crate::options::Transport;
#[cfg(feature = "polling")]
use crate::proto::dialect::Dialect;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

#[cfg(test)]
mod tests;

/// What comes sooner than this after what came before is left to the thread, which then writes
/// all that has come meanwhile at once.
const QUIET: Duration = Duration::from_micros(10);

/// One thread's place: how to wake it, and whether it sleeps.
pub(super) struct Lane {
    attempt: Arc<Attempt>,
    asleep: bool,
}

/// The threads of a link: one for a WebSocket; for long-polling a reader, and a writer beside it.
pub(super) struct Link {
    /// Where its requests lead, and what they carry.
    address: Arc<Address>,
    reader: Option<Lane>,
    writer: Option<Lane>,
    /// What others may write to while the thread of a WebSocket sleeps.
    wire: Option<SharedWire>,
    /// When something was queued or written the last time.
    busy: Option<Timestamp>,
}

/// Which thread of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one of a WebSocket, or the one that polls.
    Reader,
    /// The one that posts.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    Writer,
}

/// What becomes of a thread's place in its link when the thread ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneFate {
    /// It is empty.
    Left,
    /// Another thread has it.
    PassedOn,
}

impl Link {
    pub(super) fn to(address: Arc<Address>) -> Self {
        Self { address, reader: None, writer: None, wire: None, busy: None }
    }

    /// Whether its requests are made from this very value.
    pub(super) fn leads_to(&self, address: &Arc<Address>) -> bool {
        Arc::ptr_eq(&self.address, address)
    }

    /// Makes its further requests from this.
    pub(super) fn set_address(&mut self, address: &Arc<Address>) {
        self.address = Arc::clone(address);
    }

    /// Ends all blocking calls of the threads.
    pub(super) fn cancel(&self) {
        for lane in [&self.reader, &self.writer].into_iter().flatten() {
            lane.attempt.waker().cancel();
        }
    }

    /// How far its attempt to connect has come.
    pub(super) fn reached(&self) -> Option<Reached> {
        self.reader.as_ref().map(|lane| lane.attempt.so_far())
    }

    /// How many bytes its threads have received and sent since this was asked the last time.
    pub(super) fn take_passed(&self) -> impl Iterator<Item = (usize, usize)> {
        [&self.reader, &self.writer].into_iter().flatten().map(|lane| lane.attempt.take_passed())
    }

    /// The addresses of its connections, on this side and on the other.
    pub(super) fn ways(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        [&self.reader, &self.writer].into_iter().flatten().filter_map(|lane| lane.attempt.way())
    }

    /// There is something to do for the threads: what it takes where they sleep, after which they
    /// count as awake.
    pub(super) fn rouse(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let quiet = self.busy.replace(now).is_none_or(|busy| now >= busy + QUIET);
        for lane in [&mut self.reader, &mut self.writer].into_iter().flatten() {
            if std::mem::take(&mut lane.asleep) {
                let waker = Arc::clone(lane.attempt.waker());
                actions.push(match &self.wire {
                    Some(wire) if quiet => Action::Write(wire.clone(), waker),
                    _ => Action::Wake(waker),
                });
            }
        }
    }

    /// What others may use while the thread of its WebSocket sleeps, and what wakes that.
    pub(super) fn shared(&self) -> Option<(SharedWire, Arc<Waker>)> {
        let waker = Arc::clone(self.reader.as_ref()?.attempt.waker());
        Some((self.wire.clone()?, waker))
    }

    /// A link whose reader is connected so.
    #[cfg(test)]
    pub(super) fn lead_by(&mut self, way: (SocketAddr, SocketAddr)) {
        let waker = Arc::new(Waker::new().expect("a waker"));
        let attempt = Arc::new(Attempt::by(waker, way));
        self.reader = Some(Lane { attempt, asleep: false });
    }

    fn lane(&mut self, side: Side) -> &mut Option<Lane> {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }

    fn is_over(&self) -> bool {
        self.reader.is_none() && self.writer.is_none()
    }
}

impl Monitor {
    /// Notes whether a thread sleeps, and so has to be woken.
    pub(super) fn set_asleep(&mut self, link: LinkId, side: Side, asleep: bool) {
        if let Some(lane) = self.links.get_mut(link).and_then(|link| link.lane(side).as_mut()) {
            lane.asleep = asleep;
        }
    }

    /// Notes that what the link had taken is written.
    pub(super) fn written(&mut self, link: LinkId, now: Timestamp) {
        self.core.written(link, now);
        if let Some(link) = self.links.get_mut(link) {
            link.busy = Some(now);
        }
    }

    /// Notes how far the attempt of a link has come, for the error that may end it.
    pub(super) fn note_reached(&mut self, link: LinkId) {
        if let Some(reached) = self.links.get(link).and_then(|link| link.reached()) {
            self.core.note_reached(link, reached);
        }
    }

    /// Lets others write while the thread of the link sleeps.
    pub(super) fn share(&mut self, link: LinkId, wire: SharedWire) {
        if let Some(link) = self.links.get_mut(link) {
            link.wire = Some(wire);
        }
    }
}

impl Driver {
    /// Starts the thread of a new link: for a new session, or for the one of this id, which is to
    /// move to it.
    pub(super) fn dial(
        &self,
        link: LinkId,
        transport: Transport,
        upgrade: Option<&str>,
        address: Arc<Address>,
    ) {
        let Some(driver) = self.this.upgrade() else { return };
        let opener = Arc::clone(&driver);
        let eio = self.look(|core| core.dialect_of(link)).eio();
        let request = address.request(eio, transport, upgrade);
        log_later!(
            Debug,
            of self.speaker.id(),
            "opening {transport} to {}{}",
            request.endpoint,
            if upgrade.is_some() { ", to upgrade the session" } else { "" }
        );
        self.run_with(|monitor, _| {
            monitor.links.get_or_add(link, || Box::new(Link::to(address)));
        });
        let (begun, upgrade) = match transport {
            // A connection that was kept alive may do.
            Transport::Polling => (None, None),
            Transport::WebSocket => self.net.begin_websocket(&request).unzip(),
        };
        let stack_size = match transport {
            Transport::Polling => self.limits.stack_size,
            Transport::WebSocket => self.stack_to_open(&request),
        };
        driver.start(link, Side::Reader, Role::Transport, stack_size, move |attempt| {
            attempt.go_on_with(begun);
            match transport {
                Transport::Polling => {
                    opener.run_polling(link, request, &attempt);
                    LaneFate::Left
                }
                Transport::WebSocket => opener.run_websocket(link, &request, upgrade, &attempt),
            }
        });
    }

    /// Starts one thread of a link, which is then counted among its threads until its place is left. Where it
    /// cannot be started the link is lost.
    pub(super) fn start(
        self: &Arc<Self>,
        link: LinkId,
        side: Side,
        role: Role,
        stack_size: usize,
        body: impl FnOnce(Arc<Attempt>) -> LaneFate + Send + 'static,
    ) {
        let started = self
            .make_lane(link, side)
            .and_then(|attempt| self.occupy(link, side, role, stack_size, move || body(attempt)));
        if let Err(error) = started {
            // Before it counts as ended, which would be the reason otherwise.
            self.lose(link, Loss::Failed(error));
            self.end(link, side);
        }
    }

    /// Makes a thread's place in a link, and gives what the thread connects by.
    fn make_lane(&self, link: LinkId, side: Side) -> Result<Arc<Attempt>> {
        let this = self.this.clone();
        let on_news = Box::new(move |news| {
            if let Some(driver) = this.upgrade() {
                driver.hear(link, side, news);
            }
        });
        let waker = Arc::new(Waker::new()?);
        let attempt = Arc::new(Attempt::new(Arc::clone(&waker), Some(on_news)));
        let lane = Lane { attempt: Arc::clone(&attempt), asleep: false };
        self.run_with(|monitor, _| {
            if let Some(link) = monitor.links.get_mut(link) {
                *link.lane(side) = Some(lane);
            }
            // The link may have been given up while its thread was on its way.
            if !monitor.core.knows(link) {
                waker.cancel();
            }
        });
        Ok(attempt)
    }

    /// Starts a thread that has a place in a link until its body has ended, or has passed it on.
    pub(super) fn occupy(
        self: &Arc<Self>,
        link: LinkId,
        side: Side,
        role: Role,
        stack_size: usize,
        body: impl FnOnce() -> LaneFate + Send + 'static,
    ) -> Result<()> {
        let driver = Arc::clone(self);
        let speaker = self.speaker.id();
        spawn(role, Some(stack_size), move || {
            let _speaking = speaker.speak();
            let fate = survive(body).unwrap_or_else(|| {
                // No panic of ours is known. Should there be one, the session must not seem alive.
                driver.lose(link, Loss::Failed(panicked()));
                LaneFate::Left
            });
            if fate == LaneFate::Left {
                driver.end(link, side);
            }
        })
    }

    /// A further request of the session that the link is of.
    #[cfg(feature = "polling")]
    pub(super) fn session_request(
        &self,
        link: LinkId,
        sid: &str,
        dialect: &dyn Dialect,
    ) -> Result<Request> {
        let monitor = self.lock();
        let address = monitor.links.get(link).map(|link| Arc::clone(&link.address));
        drop(monitor);
        let address = address.ok_or_else(|| {
            Error::new(ErrorKind::Disconnected, "the transport was ended by this side")
        })?;
        Ok(address.request(dialect.eio(), Transport::Polling, Some(sid)))
    }

    /// Hands on what a thread meets on its way to the server.
    fn hear(&self, link: LinkId, side: Side, news: News) {
        self.run_acting(|monitor, now, actions| match news {
            // Later, long-polling dials whenever a connection was not kept.
            News::Stage(stage) if monitor.core.cycle() == Cycle::Connecting => {
                self.tell_news(monitor, ManagerEvent::Stage(stage), now, actions);
            }
            News::Warning(error) => {
                self.tell_news(monitor, ManagerEvent::Warning(error), now, actions);
            }
            News::Room if side == Side::Writer => monitor.core.progressed(link, now),
            News::Stage(_) | News::Room => {}
        });
    }

    /// A thread of a link has ended.
    fn end(&self, link: LinkId, side: Side) {
        let mut actions = Vec::new();
        self.gather(&mut actions, |monitor, now, actions| {
            monitor.collect_passed();
            let Some(entry) = monitor.links.get_mut(link) else { return };
            *entry.lane(side) = None;
            if entry.is_over() {
                monitor.links.remove(link);
                monitor.core.ended(link, now);
                monitor.notify(actions);
            }
        });
        self.act(actions);
    }

    /// Some of what the link's writer took has moved on. A deadline is put off, from which nothing
    /// else follows: so this may be called under the lock of the wire.
    pub(super) fn progressed(&self, link: LinkId) {
        self.lock().core.progressed(link, now());
    }

    /// A link failed, or its peer closed it.
    pub(super) fn lose(&self, link: LinkId, loss: Loss) {
        let (Loss::Closed(error) | Loss::Failed(error)) = &loss;
        log_later!(Debug, of self.speaker.id(), "the transport ended: {error:#}");
        self.run_with(|monitor, now| {
            monitor.note_reached(link);
            monitor.core.lost(link, loss, now);
        });
    }
}

/// The error of a session that a panic of ours has cost.
pub(super) fn panicked() -> Error {
    let what = "a thread of the transport panicked, which is a fault of this library";
    Error::new(ErrorKind::Transport, what)
}

#[cfg(not(feature = "polling"))]
impl Driver {
    fn run_polling(&self, link: LinkId, _: Request, _: &Arc<Attempt>) {
        let error = Error::new(ErrorKind::Unsupported, "this build has no long-polling")
            .with_hint("enable the feature \"polling\"");
        self.lose(link, Loss::Failed(error));
    }
}
