//! The links of the sessions: what happens to them, and what they have to do.

use super::timer::Timer;
use super::{Client, Output};
#[cfg(any(feature = "polling", test))]
use crate::core::engine::PollTurn;
use crate::core::engine::{Engine, Loss, Work};
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;
use crate::error::reached::Reached;
use crate::error::{Error, ErrorKind};
#[cfg(any(feature = "polling", test))]
use crate::proto::dialect::BodyRoom;
use crate::proto::dialect::Dialect;
use crate::proto::packet::Packet;

impl<A> Client<A> {
    /// What the session is written in.
    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        self.engine.as_ref().map_or_else(|| self.detector.asks_in(), Engine::dialect)
    }

    /// What the session of a link is written in.
    pub(crate) fn dialect_of(&self, link: LinkId) -> &'static dyn Dialect {
        let session = self.sessions().find(|engine| engine.owns(link));
        session.map_or_else(|| self.detector.asks_in(), Engine::dialect)
    }

    /// The first answer of the server on this link tells what its session is written in. To be
    /// called before the answer is handed in.
    pub(crate) fn settle(&mut self, link: LinkId, dialect: &'static dyn Dialect) {
        let mut sessions = self.engine.iter_mut().chain(&mut self.retiring);
        if let Some(engine) = sessions.find(|engine| engine.owns(link)) {
            engine.settle(dialect);
        }
    }

    /// Whether a link belongs to a session, current or about to be closed.
    pub(crate) fn knows(&self, link: LinkId) -> bool {
        self.sessions().any(|engine| engine.owns(link))
    }

    /// The id of the session that a link belongs to.
    pub(crate) fn sid_of(&self, link: LinkId) -> Option<String> {
        self.sessions().find(|engine| engine.owns(link))?.sid().map(str::to_owned)
    }

    /// How much may be in the body of one request on a link.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn body_room(&self, link: LinkId) -> BodyRoom {
        let session = self.sessions().find(|engine| engine.owns(link));
        let max_payload = session.and_then(Engine::handshake).and_then(|it| it.max_payload);
        BodyRoom {
            packets: self.options.max_packets_per_post,
            bytes: max_payload.unwrap_or(usize::MAX),
        }
    }

    /// A link's attempt to connect has come to this stage: for the error, should its time run out.
    pub(crate) fn note_reached(&mut self, link: LinkId, reached: Reached) {
        if let Some(engine) = &mut self.engine {
            engine.note_reached(link, reached);
        }
    }

    /// A link's connection is made.
    pub(crate) fn connected(&mut self, link: LinkId, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.connected(link));
    }

    /// A packet came in on a link.
    pub(crate) fn received(&mut self, link: LinkId, packet: Packet, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.received(link, packet, now));
    }

    /// A link failed, or its peer closed it.
    pub(crate) fn lost(&mut self, link: LinkId, loss: Loss, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.lost(link, loss));
    }

    /// The server's first answer on this link did not tell what it speaks; a second one is awaited.
    pub(crate) fn doubt(&mut self, link: LinkId) {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.owns(link)) {
            engine.doubt();
        }
    }

    /// The threads of a link have ended. No session outlives its link, whatever ended them.
    pub(crate) fn ended(&mut self, link: LinkId, now: Timestamp) {
        self.timers.set(Timer::Linger(link), None);
        self.closing.retain(|other| *other != link);
        self.timers.set(Timer::Poll(link), None);
        self.timers.set(Timer::Confirm(link), None);
        let error = Error::new(ErrorKind::Transport, "the threads of the transport have ended");
        self.lost(link, Loss::Closed(error), now);
    }

    /// The writer of a link asks for work.
    pub(crate) fn take(&mut self, link: LinkId, now: Timestamp) -> Work {
        if self.engine.as_ref().is_some_and(|engine| engine.wants_batch(link)) {
            self.fill_batch(now);
            // With the writer it counts as sent: if the session ends now, it may have arrived.
            self.await_answers(now);
        }
        let work =
            self.with_engine(link, now, |engine| engine.take(link, now)).unwrap_or(Work::Stop);
        match &work {
            Work::Confirm => self.await_confirmation(link, now),
            Work::Write(shipment) => self.tally.sent.add(shipment.events),
            Work::Wait => self.ready.rest(),
            Work::Finish | Work::Stop => {}
        }
        work
    }

    /// Some of what the writer of a link took has moved on.
    pub(crate) fn progressed(&mut self, link: LinkId, now: Timestamp) {
        self.linger_on(link, now);
        self.with_engine(link, now, |engine| engine.progressed(link, now));
    }

    /// The writer of a link has written what it took.
    pub(crate) fn written(&mut self, link: LinkId, now: Timestamp) {
        self.linger_on(link, now);
        self.with_engine(link, now, |engine| engine.written(link));
    }

    /// The reader of a polling link asks whether to send the next request.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn request_poll(&mut self, link: LinkId, now: Timestamp) -> PollTurn {
        let request = |engine: &mut Engine| (engine.request_poll(link, now), engine.rests_until());
        let Some((turn, rest)) = self.with_engine(link, now, request) else { return PollTurn::End };
        self.timers.set(Timer::Poll(link), rest);
        turn
    }

    /// The rest of a polling link is over.
    pub(super) fn rest_is_over(&mut self, link: LinkId) {
        if self.knows(link) {
            self.outputs.push_back(Output::Wake(link));
        }
    }

    /// The session, and those on their way out.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Engine> {
        self.engine.iter().chain(&self.retiring)
    }

    /// Runs a verb of the session that the link belongs to, and then what follows from it.
    pub(super) fn with_engine<R>(
        &mut self,
        link: LinkId,
        now: Timestamp,
        verb: impl FnOnce(&mut Engine) -> R,
    ) -> Option<R> {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.owns(link)) {
            let result = verb(engine);
            self.pump(now);
            return Some(result);
        }
        let result = verb(self.retiring_on(link)?);
        self.pump_retiring(now);
        Some(result)
    }
}
