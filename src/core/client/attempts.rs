//! Attempts to connect, and what follows from their success, their failure and their loss.

use std::time::Duration;

use super::{Client, Cycle, Output};
use crate::core::client::namespace::{Namespace, Phase};
use crate::core::client::root::Root;
use crate::core::client::round_trip::RoundTrip;
use crate::core::client::timer::Timer;
use crate::core::engine::{Engine, SessionState};
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded, Stage};
use crate::event::status::{DisconnectReason, ManagerEvent, Status};
use crate::options::Transport;
use crate::sync::logging::log_later;

/// How long an upgrade may take where attempts to connect have no limit. Servers give it 10 s.
const UPGRADE_LIMIT: Duration = Duration::from_secs(20);

/// No limit of a proxy on what is idle is shorter.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);

/// What to try when an attempt has failed, and nothing better is known.
const NO_SERVER: &str = "is it a Socket.IO server, is the `path` option right, and does a proxy before \
                         it pass on what it sends?";

/// The same on the way through a proxy.
const NO_PROXY: &str = "is it a proxy, and may it be used for this server?";

/// The same when a session was lost.
const WHAT_CAME: &str = "the log of this crate at the level TRACE shows what came before";

/// The same when the peer has ended it.
const CLOSED: &str = "did the server end or restart, or did a proxy on the way end what was idle for too \
                      long? Their logs may tell why";

/// The longest delay that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long after a failure the next attempt comes at least, whatever changes meanwhile, unless the usual
/// delay is shorter.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How often in a row a session is opened anew at once. A server that was replaced by one of another
/// revision takes one, and a second one where a middleware of `/` delays its first packet.
const MOST_CONTRADICTIONS: u32 = 2;

/// What follows from a failed attempt or a lost session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sequel {
    /// Nothing: reconnection is off.
    Nothing,
    /// Nothing any more: the last permitted attempt has failed.
    GivenUp,
    /// Another attempt, after this delay.
    Attempt(Duration),
}

impl Sequel {
    pub(super) fn delay(self) -> Option<Duration> {
        match self {
            Self::Attempt(delay) => Some(delay),
            Self::Nothing | Self::GivenUp => None,
        }
    }
}

impl<A> Client<A> {
    /// Starts an attempt to connect once the server has dealt with the events of the sessions before:
    /// what is emitted from now on must not overtake them.
    pub(super) fn dial_in_turn(&mut self, now: Timestamp) {
        self.cycle = Cycle::Connecting;
        self.dial_waits = true;
        self.dial_if_due(now);
    }

    /// Goes on with an attempt to connect that had to wait.
    pub(super) fn dial_if_due(&mut self, now: Timestamp) {
        if self.dial_waits && !self.retiring.iter().any(Engine::has_events) {
            self.dial(now);
        }
    }

    /// Starts an attempt to connect, with the first of the transports.
    pub(super) fn dial(&mut self, now: Timestamp) {
        self.dial_waits = false;
        self.is_unused = false;
        self.next = None;
        self.transport = 0;
        self.since = now;
        self.asked_otherwise = false;
        self.prepare(now);
        self.limit_attempt(now);
    }

    /// Bounds the attempt, from now on.
    pub(super) fn limit_attempt(&mut self, now: Timestamp) {
        self.timers.set(Timer::Open, self.options.connect_timeout.map(|timeout| now + timeout));
    }

    /// Tries the transport that it is the turn of.
    pub(super) fn dial_transport(&mut self) {
        let options = &self.options;
        let listed = options.transports.get(self.transport).copied();
        let transport =
            listed.filter(|_| !self.remembers_websocket()).unwrap_or(Transport::WebSocket);
        // The transports before this one have just failed, so they are no goal for an upgrade.
        let may_upgrade = options.upgrade
            && options.transports.iter().skip(self.transport).any(|t| *t == Transport::WebSocket);
        let link = self.new_link();
        self.root = Root::Awaited;
        self.nonsense.clear();
        let (dialect, base64) = (self.detector.asks_in(), self.options.force_base64);
        let most = self.options.limits.unconfirmed_bytes;
        self.engine = Some(Engine::new(link, transport, may_upgrade, dialect, base64, most));
        self.cycle = Cycle::Connecting;
        self.outputs.push_back(Output::Dial { link, transport, upgrade: None });
    }

    /// Asks in the other revision after the server refused this one; `false` where that has been done
    /// in this attempt, or the user told the revision.
    fn ask_otherwise(&mut self, error: Option<&Error>) -> bool {
        let is_refused = error.is_some_and(Error::refuses_revision);
        let asks = self.cycle == Cycle::Connecting && is_refused && self.detector.ask_otherwise();
        // The second time it goes back to the first.
        if !asks || std::mem::replace(&mut self.asked_otherwise, true) {
            return false;
        }
        log_later!(Debug, "the server refuses this revision; asking in the other one");
        self.dial_transport();
        true
    }

    /// Goes on with the next transport after the first packet failed to come by this one; `false`
    /// when there is none.
    fn try_next_transport(&mut self) -> bool {
        let next_in_list = if self.remembers_websocket() { 0 } else { self.transport + 1 };
        let left = next_in_list < self.options.transports.len();
        let next = self.options.try_all_transports && left && self.cycle == Cycle::Connecting;
        if next {
            self.websocket_works = false;
            self.transport = next_in_list;
            self.dial_transport();
        }
        next
    }

    /// Whether to begin with WebSocket because it worked before.
    fn remembers_websocket(&self) -> bool {
        self.options.remember_upgrade
            && self.websocket_works
            && self.options.transports.first() != Some(&Transport::WebSocket)
            && self.options.transports.contains(&Transport::WebSocket)
    }

    fn new_link(&mut self) -> LinkId {
        self.next_link = self.next_link.wrapping_add(1);
        LinkId(self.next_link)
    }

    /// Dials the WebSocket that the session is to move to.
    pub(super) fn probe(&mut self, now: Timestamp) {
        let link = self.new_link();
        self.websocket_works = false;
        let Some(engine) = &mut self.engine else { return };
        let limit = self.options.connect_timeout.unwrap_or(UPGRADE_LIMIT);
        self.timers.set(Timer::Upgrade, Some(now + limit));
        engine.probe(link);
        let upgrade = engine.sid().map(str::to_owned);
        self.outputs.push_back(Output::Dial { link, transport: Transport::WebSocket, upgrade });
    }

    /// The handshake is done: the namespaces can be joined.
    pub(super) fn opened(&mut self, now: Timestamp) {
        self.timers.set(Timer::Open, None);
        self.cycle = Cycle::Open;
        self.since = now;
        self.is_young = true;
        self.trim_uncertain(0);
        self.round_trip = RoundTrip::default();
        self.parser.set_lax(self.dialect().is_lax());
        self.websocket_works =
            self.engine.as_ref().is_some_and(|engine| engine.transport() == Transport::WebSocket);
        self.outputs.push_back(Output::Manager(ManagerEvent::Open));
        let attempts = std::mem::take(&mut self.attempts);
        if attempts > 0 {
            self.outputs.push_back(Output::Manager(ManagerEvent::Reconnect(attempts)));
        }
        for namespace in self.ids() {
            if self.namespace(namespace).phase != Phase::Waiting {
                continue;
            }
            match self.not_before(namespace, now) {
                Some(at) => self.rest(namespace, at, true),
                None => self.join(namespace, now),
            }
        }
    }

    /// The session ended by itself, or was given up.
    // Its frame is large, and of no use to a session that goes on.
    #[inline(never)]
    pub(super) fn closed(
        &mut self,
        reason: DisconnectReason,
        error: Option<Error>,
        now: Timestamp,
    ) {
        let was_open = self.cycle == Cycle::Open;
        let error = self.or_stalled(reason, error);
        if self.try_otherwise(reason, error.as_ref()) {
            return;
        }
        self.note_wish(error.as_ref(), now);
        self.turn_to_next_place(reason, now);
        let next = self.next.take().unwrap_or_else(|| self.draw_next(error.as_ref(), now));
        if !reason.is_forced() {
            self.note_failure(now);
        }
        let is_mistaken = self.told_may_be_wrong();
        // How a session ends that was open says nothing about the next one.
        self.websocket_works &= was_open;
        self.leave_session(now);
        let error = error
            .map(|error| self.detailed(was_open, reason, error, now).with_retry_in(next.delay()));
        // One that was given up is yet to be closed.
        let unclosed = self.engine.take().filter(|engine| engine.state() != SessionState::Closed);
        if let Some(engine) = unclosed {
            self.retire(engine, now);
        }
        if was_open {
            self.session_lost(reason, error, next, now);
        } else {
            let error = self.explain_failure(reason, error, is_mistaken);
            self.attempt_failed(error.with_retry_in(next.delay()));
        }
        self.reconnect(next, now);
    }

    /// Why the session ended: where what did not come in time stood behind events that nobody took, that.
    fn or_stalled(&mut self, reason: DisconnectReason, error: Option<Error>) -> Option<Error> {
        match self.stalled.take() {
            Some(why) if error.is_none() || reason == DisconnectReason::PingTimeout => Some(why),
            _ => error,
        }
    }

    /// Goes on with the same attempt after a failure: in the other revision, or by the next transport. `false`:
    /// there is neither.
    fn try_otherwise(&mut self, reason: DisconnectReason, error: Option<&Error>) -> bool {
        if reason.is_forced() || error.is_some_and(Error::is_timeout) {
            return false;
        }
        if self.ask_otherwise(error) {
            return true;
        }
        let tries = self.try_next_transport();
        if tries {
            let error = error.cloned();
            let error = error.unwrap_or_else(|| Error::new(ErrorKind::Transport, reason.as_str()));
            log_later!(Debug, "the next transport is tried, since this one failed: {error:#}");
        }
        tries
    }

    /// Stays with the address if it was of use, and else turns to the next one.
    fn turn_to_next_place(&mut self, reason: DisconnectReason, now: Timestamp) {
        if self.has_worked() {
            self.places.stay();
        } else if !reason.is_forced() {
            self.places.go_on(&self.options, now);
        }
    }

    /// Tells of the end of a session that was open.
    fn session_lost(
        &mut self,
        reason: DisconnectReason,
        error: Option<Error>,
        next: Sequel,
        now: Timestamp,
    ) {
        let failure = error.as_ref().filter(|_| reason == DisconnectReason::TransportError);
        if let Some(error) = failure {
            self.outputs.push_back(Output::Manager(ManagerEvent::Error(error.clone())));
        }
        self.lose_namespaces(reason, error.as_ref(), next.delay(), now);
        self.outputs.push_back(Output::Manager(ManagerEvent::Close(reason, error)));
    }

    /// The error of an attempt that failed, with what may be the matter.
    fn explain_failure(
        &self,
        reason: DisconnectReason,
        error: Option<Error>,
        is_mistaken: bool,
    ) -> Error {
        let error =
            error.unwrap_or_else(|| Error::new(ErrorKind::Connect(Stage::Engine), reason.as_str()));
        let error = if is_mistaken { error.or_hint(self.detector.hint()) } else { error };
        match error.stage() {
            Some(Stage::Proxy) => error.or_hint(NO_PROXY),
            Some(Stage::Http | Stage::Engine) => error.or_hint(NO_SERVER),
            _ => error,
        }
    }

    /// Adds to what ended an attempt, or a session, where that led and how long it lasted; and the
    /// suspicion that somebody on the way ends what is idle.
    fn detailed(
        &mut self,
        was_open: bool,
        reason: DisconnectReason,
        error: Error,
        now: Timestamp,
    ) -> Error {
        let Some(engine) = &self.engine else { return error };
        let error = error.or_attempt(engine.so_far().address, now.since(self.since));
        let quiet = engine.quiet(now).filter(|_| reason == DisconnectReason::TransportClose);
        let before = std::mem::replace(&mut self.quiet, quiet);
        if !was_open {
            return error;
        }
        let is_close = reason == DisconnectReason::TransportClose;
        let error = error.or_hint(if is_close { CLOSED } else { WHAT_CAME });
        let (Some(quiet), Some(before)) = (quiet, before) else { return error };
        let is_regular = quiet >= SHORTEST_IDLE && quiet.abs_diff(before) <= quiet / 20;
        if !is_regular {
            return error;
        }
        error.with_hint(format!(
            "nothing had passed for {}, as before the end of the last session: does a proxy on the way \
             end what is idle for so long? Raise its limit (nginx: proxy_read_timeout, haproxy: timeout \
             tunnel), or have the server ping more often (pingInterval)",
            Rounded(quiet)
        ))
    }

    /// Whether the server was of use: a session was open, and some namespace was joined, if any was
    /// wanted.
    fn has_worked(&self) -> bool {
        let is_wanted = || self.namespaces.iter().any(Namespace::is_active);
        self.cycle == Cycle::Open && (self.has_joined || !is_wanted())
    }

    /// Tells of an attempt that came to nothing.
    pub(super) fn attempt_failed(&mut self, error: Error) {
        self.tally.failed_attempts += 1;
        for namespace in self.ids() {
            if self.namespace(namespace).needs_session() {
                self.tell(namespace, Status::ConnectError(error.clone()));
            }
        }
        self.outputs.push_back(Output::Manager(ManagerEvent::Error(error.clone())));
        if self.attempts > 0 {
            self.outputs.push_back(Output::Manager(ManagerEvent::ReconnectError(error)));
        }
    }

    /// Forgets what belongs to one session alone.
    pub(super) fn leave_session(&mut self, now: Timestamp) {
        self.start_afresh_if_lasted(now);
        self.cycle = Cycle::Idle;
        self.dial_waits = false;
        self.has_joined = false;
        self.end_preparation();
        for timer in [Timer::Open, Timer::Heartbeat, Timer::Upgrade] {
            self.timers.set(timer, None);
        }
        // A packet whose attachments did not all come is dropped.
        self.parser.reset();
        self.has_forgotten = false;
        self.return_ready(None);
        self.go_on();
        self.release_all();
        // Callers that wait for room, or to be connected, have to look again.
        self.outputs.push_back(Output::Changed);
    }

    /// Notes for how long the server of the attempt, or session, that ended with this error asks to be left alone. Up to
    /// a tenth is added at random, so that a fleet that was told the same delay does not come back at once.
    pub(super) fn note_wish(&mut self, error: Option<&Error>, now: Timestamp) {
        let asked = error.and_then(Error::retry_after).unwrap_or_default().min(MAX_RETRY_AFTER);
        let asked = asked.mul_f64(1.0 + self.random.f64() / 10.0);
        self.places.leave_alone(asked, now);
    }

    /// What is to follow from a failure, or the end of a session, with this error: an attempt with the address that
    /// it is the turn of now, no sooner than its server permits, and after an error that will come
    /// again, than the user does. It is drawn before anybody is told of that.
    pub(super) fn draw_next(&mut self, error: Option<&Error>, now: Timestamp) -> Sequel {
        self.start_afresh_if_lasted(now);
        if !self.options.reconnection {
            return Sequel::Nothing;
        }
        if self.options.reconnection_attempts.is_some_and(|most| self.attempts >= most) {
            return Sequel::GivenUp;
        }
        let is_fatal = error.is_some_and(Error::is_fatal);
        let least = if is_fatal { self.options.reconnection_delay_max } else { Duration::ZERO };
        let usual = self.backoff.next(&self.options, self.random.f64());
        Sequel::Attempt(usual.max(least).max(self.places.pause(now)))
    }

    /// Sets the time of the next attempt, where there is to be one.
    pub(super) fn reconnect(&mut self, next: Sequel, now: Timestamp) {
        match next {
            Sequel::Nothing => {}
            Sequel::GivenUp => {
                self.attempts = 0;
                self.backoff.reset();
                self.outputs.push_back(Output::Manager(ManagerEvent::ReconnectFailed));
            }
            Sequel::Attempt(delay) => {
                self.attempts = self.attempts.saturating_add(1);
                log_later!(Debug, "attempt {} to reconnect in {}", self.attempts, Rounded(delay));
                self.cycle = Cycle::Waiting;
                self.no_sooner = now + self.places.pause(now).max(delay.min(SHORTEST_PAUSE));
                self.timers.set(Timer::Reconnect, Some(now + delay));
            }
        }
    }

    /// Whether the revision that the user has set may be wrong: the server took the connection, and
    /// did not answer with a handshake of that revision.
    fn told_may_be_wrong(&self) -> bool {
        self.detector.is_told()
            && self.engine.as_ref().is_some_and(|engine| engine.so_far().stage >= Stage::Engine)
    }

    /// The attempt took too long.
    pub(super) fn open_timed_out(&mut self, now: Timestamp) {
        if self.preparation.is_some() {
            return self.preparation_timed_out(now);
        }
        let limit = self.options.connect_timeout.unwrap_or_default();
        let reached = self.engine.as_ref().map(Engine::so_far);
        let reached = reached.cloned().unwrap_or_else(|| Stage::Engine.into());
        let mut error =
            reached.too_late(&format!("not done within the connect timeout of {}", Rounded(limit)));
        error = error.with_attempt(reached.address, limit);
        if self.engine.as_ref().is_some_and(Engine::is_doubtful) {
            error = error.with_hint(self.detector.hint());
        }
        self.end_session(DisconnectReason::TransportError, Some(error));
    }

    /// The upgrade took too long.
    pub(super) fn upgrade_timed_out(&mut self) {
        if let Some(engine) = &mut self.engine {
            let limit = self.options.connect_timeout.unwrap_or(UPGRADE_LIMIT);
            let reached = engine.upgrade_so_far().clone();
            let error =
                reached.too_late(&format!("the upgrade was not done within {}", Rounded(limit)));
            engine.abandon_upgrade(error.with_attempt(reached.address, limit));
        }
    }

    /// The server speaks another revision than the session is written in: opens another session.
    /// `false`: the user has set the revision, or it has happened too often.
    pub(super) fn reconsider(&mut self, now: Timestamp) -> bool {
        self.start_afresh_if_lasted(now);
        let may_change = self.detector.contradict(self.dialect());
        self.contradictions = self.contradictions.saturating_add(1);
        // A server that changes its revision more often gets the usual delay between attempts.
        let renews = may_change && self.contradictions <= MOST_CONTRADICTIONS;
        if renews {
            log_later!(Debug, "the server speaks another revision; opening another session");
            self.renew(now);
        }
        renews
    }

    /// Gives the session up for another one, at once.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let Some(mut engine) = self.engine.take() else { return };
        engine.close();
        self.retire(engine, now);
        self.leave_session(now);
        let reason = DisconnectReason::EngineClosed;
        self.outputs.push_back(Output::Manager(ManagerEvent::Close(reason, None)));
        for id in self.ids() {
            if self.namespace(id).is_resting() {
                continue;
            }
            let was_joined = self.namespace(id).phase == Phase::Joined;
            let active = self.namespace(id).is_active();
            self.begin(id, if active { Phase::Waiting } else { Phase::Idle });
            if was_joined {
                self.disconnected(id, reason, None, Some(Duration::ZERO), now);
            }
        }
        self.dial_in_turn(now);
    }
}
