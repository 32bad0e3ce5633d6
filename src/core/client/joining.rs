//! Joining namespaces.

use std::time::Duration;

use super::namespace::{Auth, Phase};
use super::refusal::{path_hint, refusal, report};
use super::tally::Nonsense;
use super::timer::Timer;
use super::{Client, Cycle, Output};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result, Rounded, Stage};
use crate::event::status::{DisconnectReason, Status};
use crate::options::Rejection;
use crate::payload::Payload;
use crate::proto::dialect::Connect;
use crate::proto::socket_packet::{Header, Kind, SocketPacket};
use crate::sync::logging::log_later;

/// No options make the pause before the next attempt to join shorter.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

impl<A> Client<A> {
    /// Joins a namespace, now and after each reconnection; opens the connection if need be, unless
    /// it was closed for good.
    pub(crate) fn connect(&mut self, id: NamespaceId, now: Timestamp) {
        if !self.namespaces.is_in_use(id) {
            return;
        }
        if let Err(error) = self.check_not_over() {
            let name = &self.namespace(id).name;
            log_later!(Warn, in name, "connect() does nothing: {}", error.message());
            return;
        }
        match self.namespace(id).phase {
            Phase::Idle | Phase::Waiting | Phase::Resting { .. } => self.come(id, now),
            Phase::Leaving { .. } => {
                self.set_phase(id, Phase::Leaving { rejoin: true });
                self.limit_join(id, now);
            }
            Phase::Asking | Phase::Joining | Phase::Joined => {}
        }
        self.pump(now);
    }

    /// Whether the namespace is on its way to be joined.
    pub(crate) fn is_connecting(&self, id: NamespaceId) -> bool {
        let namespace = self.namespace(id);
        namespace.is_resting() || (namespace.is_active() && self.cycle != Cycle::Idle)
    }

    /// The credentials that [`Output::AskAuth`] asked for.
    pub(crate) fn auth(
        &mut self,
        id: NamespaceId,
        question: u32,
        auth: Result<Payload>,
        now: Timestamp,
    ) {
        let namespace = self.namespace(id);
        if namespace.phase != Phase::Asking || namespace.question != question {
            return;
        }
        match auth {
            Ok(auth) => self.send_connect(id, &auth, now),
            Err(error) => self.join_failed(id, Phase::Waiting, error, now),
        }
        self.pump(now);
    }

    /// Starts to join a namespace in an open session.
    pub(super) fn join(&mut self, id: NamespaceId, now: Timestamp) {
        if self.join_by_server(id, now) {
            return;
        }
        match self.namespace(id).auth.clone() {
            Auth::Fixed(auth) => self.send_connect(id, &auth, now),
            Auth::Ask => {
                let Some(namespace) = self.namespace_mut(id) else { return };
                namespace.phase = Phase::Asking;
                namespace.question = namespace.question.wrapping_add(1);
                let question = namespace.question;
                self.outputs.push_back(Output::AskAuth { namespace: id, question });
            }
        }
    }

    /// The server answers CONNECT.
    pub(super) fn on_connect(&mut self, id: NamespaceId, packet: &SocketPacket, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Joining => {
                self.accept(id, packet.data(), now);
            }
            Phase::Leaving { rejoin } => {
                self.send_disconnect(id, now);
                self.left(id, rejoin, now);
            }
            _ => {
                if self.note_nonsense(Nonsense::StrayConnect) {
                    let name = &self.namespace(id).name;
                    log_later!(Warn, in name, "a second CONNECT is ignored");
                }
            }
        }
    }

    /// Takes in the server's positive answer to CONNECT, or its word that it has joined `/` by itself.
    pub(super) fn accept(&mut self, id: NamespaceId, data: &str, now: Timestamp) {
        let Some(engine) = &self.engine else { return };
        let dialect = engine.dialect();
        let sid = engine.sid().unwrap_or_default();
        let Some(membership) = dialect.membership(&self.namespace(id).name, sid, data) else {
            return self.contradicted(id, now);
        };
        self.detector.confirm(dialect);
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.accept(membership);
            self.joined(id, now);
        }
    }

    /// The server answers CONNECT as another revision does.
    fn contradicted(&mut self, id: NamespaceId, now: Timestamp) {
        if self.reconsider(now) {
            return;
        }
        let error = Error::new(
            ErrorKind::Connect(Stage::Namespace),
            format!("the server joined {:?} as another revision does", self.namespace(id).name),
        )
        .with_hint(self.detector.hint());
        self.join_failed(id, Phase::Joining, error, now);
    }

    /// The namespace is joined.
    pub(super) fn joined(&mut self, id: NamespaceId, now: Timestamp) {
        self.has_joined = true;
        self.timers.set(Timer::Join(id), None);
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.comeback.joined(now);
        }
        self.deliver_early_events(id);
        self.send_first(id);
        self.flush_send_buffer(id);
        self.try_next(id, now);
        // It goes before what its users emit now, and is not to give way to that.
        self.start_batch(now);
        if let Some(status) = self.namespace(id).status() {
            self.tell(id, status);
        }
    }

    /// The server refuses a namespace, or something that happened in it.
    pub(super) fn on_connect_error(
        &mut self,
        id: NamespaceId,
        packet: &SocketPacket,
        now: Timestamp,
    ) {
        let (since, namespace) = (self.since, self.namespace(id));
        let name = &namespace.name;
        let address = self.engine.as_ref().and_then(|engine| engine.so_far().address);
        let elapsed = now.since(namespace.asked_at.max(since));
        let status = match namespace.phase {
            Phase::Leaving { rejoin } => return self.left(id, rejoin, now),
            Phase::Joining => {
                let error = refusal(name, packet).or_attempt(address, elapsed);
                let retry_in = self.turned_away(id, Rejection::Refused, now);
                self.close_if_unused(now);
                Status::ConnectError(error.with_retry_in(retry_in))
            }
            // The namespace stays joined, and its users are told.
            Phase::Joined if self.dialect().reports_errors() => Status::Error(report(name, packet)),
            Phase::Joined => Status::ConnectError(report(name, packet)),
            Phase::Idle | Phase::Waiting | Phase::Asking | Phase::Resting { .. } => {
                self.note_nonsense(Nonsense::StrayRefusal);
                return;
            }
        };
        self.tell(id, status);
    }

    /// The server did not answer CONNECT, or it is time to try again to have it sent.
    pub(super) fn join_timed_out(&mut self, id: NamespaceId, now: Timestamp) {
        let phase = self.namespace(id).phase;
        match phase {
            Phase::Idle | Phase::Leaving { rejoin: false } => {
                self.begin(id, Phase::Idle);
                self.release(id, now);
            }
            Phase::Waiting => self.rejoin(id, now),
            Phase::Resting { .. } => self.rest_is_over_for(id, now),
            Phase::Joining | Phase::Leaving { rejoin: true } => {
                let name = &self.namespace(id).name;
                let mut error = self.unanswered(name, now);
                if let Some(why) = &self.stalled {
                    error = error.with_source(why.clone());
                }
                if self.engine.as_ref().is_some_and(Engine::may_be_mistaken) {
                    error = error.with_hint(self.detector.hint());
                }
                self.detector.forget();
                self.join_failed(id, phase, error, now);
            }
            Phase::Asking | Phase::Joined => {}
        }
    }

    fn unanswered(&self, name: &str, now: Timestamp) -> Error {
        let limit = self.options.namespace_timeout.unwrap_or_default();
        let heard = self.engine.as_ref().map(|engine| engine.last_heard(now)).unwrap_or_default();
        let error = Error::new(
            ErrorKind::Connect(Stage::Namespace),
            format!("no answer to CONNECT for {name:?} within {}; {heard}", Rounded(limit)),
        );
        error.timed_out().with_hint(path_hint(name).unwrap_or(
            "does a middleware of the server not go on? The limit is `namespace_timeout`",
        ))
    }

    /// Reports a failed attempt to join, and sees to the next one.
    pub(super) fn join_failed(
        &mut self,
        id: NamespaceId,
        phase: Phase,
        error: Error,
        now: Timestamp,
    ) {
        let since = self.namespace(id).asked_at.max(self.since);
        let address = self.engine.as_ref().and_then(|engine| engine.so_far().address);
        let error = error.of_attempt(Stage::Namespace).or_attempt(address, now.since(since));
        self.begin(id, phase);
        if self.namespaces.iter().any(|namespace| namespace.phase == Phase::Joined) {
            // Others are joined in this session: it stays, and this one is tried again later.
            let pause = self.options.namespace_timeout.unwrap_or_default();
            let pause = pause.max(self.options.reconnection_delay_max).max(SHORTEST_PAUSE);
            self.failed_to_stay(id, false, now);
            self.timers.set(Timer::Join(id), Some(now + pause));
            self.tell(id, Status::ConnectError(error.with_retry_in(Some(pause))));
        } else {
            let next = self.draw_next(Some(&error), now);
            self.next = Some(next);
            self.tell(id, Status::ConnectError(error.clone().with_retry_in(next.delay())));
            self.end_session(DisconnectReason::TransportError, Some(error));
        }
    }

    fn send_connect(&mut self, id: NamespaceId, auth: &Payload, now: Timestamp) {
        let namespace = self.namespace(id);
        let credentials = namespace.credentials(&auth.json);
        let Connect { namespace, data } = self.dialect().connect(&namespace.name, credentials);
        let payload = Payload { json: data, attachments: Vec::new() };
        let header = Header { kind: Kind::Connect, namespace: &namespace, id: None };
        match self.send(header, &payload, now) {
            Ok(()) => self.await_join(id, now),
            Err(error) => self.join_failed(id, Phase::Waiting, error, now),
        }
    }

    /// Waits for the server's answer, for a while.
    pub(super) fn await_join(&mut self, id: NamespaceId, now: Timestamp) {
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.begin(Phase::Joining);
            namespace.asked_at = now;
        }
        self.limit_join(id, now);
    }

    /// Bounds the wait for the answer to CONNECT.
    pub(super) fn limit_join(&mut self, id: NamespaceId, now: Timestamp) {
        let limit = self.options.namespace_timeout;
        self.timers.set(Timer::Join(id), limit.map(|limit| now + limit));
    }

    /// Begins a phase in which the namespace is not joined.
    pub(super) fn begin(&mut self, id: NamespaceId, phase: Phase) {
        self.timers.set(Timer::Join(id), None);
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.begin(phase);
        }
    }

    fn set_phase(&mut self, id: NamespaceId, phase: Phase) {
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.phase = phase;
        }
    }

    /// Joins a namespace that may have been left a moment ago: once the server has dealt with that.
    ///
    /// JavaScript servers act on a DISCONNECT a moment after they have read it, and a CONNECT for a
    /// namespace that a client is still in makes them close its connection.
    pub(super) fn rejoin(&mut self, id: NamespaceId, now: Timestamp) {
        // Servers of the old revision take a CONNECT right behind a DISCONNECT.
        let has_to_wait =
            !self.dialect().joins_root() && self.engine.as_ref().is_some_and(Engine::is_parting);
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.rejoins = has_to_wait;
        }
        if !has_to_wait {
            self.join(id, now);
        }
    }

    /// The server has dealt with every DISCONNECT.
    pub(super) fn rejoin_all(&mut self, now: Timestamp) {
        for id in self.ids() {
            if self.namespace(id).rejoins {
                self.rejoin(id, now);
            }
        }
    }
}
