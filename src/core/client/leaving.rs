//! Leaving namespaces.

use std::sync::Arc;
use std::time::Duration;

use super::namespace::{Namespace, Phase};
use super::tally::Nonsense;
use super::timer::Timer;
use super::{Client, Cycle, Output};
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::{DisconnectReason, Status};
use crate::event::undelivered::UndeliveredEvent;
use crate::options::Rejection;
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Leaves a namespace. The connection is closed with the last one.
    pub(crate) fn disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        if !self.namespaces.is_in_use(id) {
            return;
        }
        let was_joined = self.leave(id, now);
        self.close_if_unused(now);
        if self.cycle == Cycle::Idle {
            self.backoff.reset();
        }
        if was_joined {
            self.disconnected(id, DisconnectReason::IoClientDisconnect, None, None, now);
        }
        // Callers that wait for the namespace to be joined have to look again.
        self.outputs.push_back(Output::Changed);
        self.pump(now);
    }

    /// Leaves all namespaces and closes the connection, for good; hands back what is not delivered, but for
    /// what the session is to write yet.
    pub(crate) fn end(&mut self, now: Timestamp) -> Vec<UndeliveredEvent> {
        let undelivered = self.take_undelivered(now);
        self.shut_down(now);
        undelivered
    }

    /// Leaves all namespaces and closes the connection, for good.
    pub(crate) fn shut_down(&mut self, now: Timestamp) {
        self.over = true;
        let ids = self.ids();
        let last = ids.iter().rfind(|id| self.namespace(**id).is_active()).copied();
        for id in ids {
            let was_joined = self.leave(id, now);
            if Some(id) == last {
                self.close(now);
            }
            if was_joined {
                self.disconnected(id, DisconnectReason::IoClientDisconnect, None, None, now);
            }
            self.give_up_all(id, &closed_for_good());
        }
        self.close(now);
        self.pump(now);
    }

    /// Refuses what would need a connection, once it was closed for good.
    pub(crate) fn check_not_over(&self) -> Result<()> {
        if self.over { Err(closed_for_good()) } else { Ok(()) }
    }

    /// Gives up all that waits to be sent or answered in a namespace, for good.
    fn give_up_all(&mut self, id: NamespaceId, error: &Error) {
        let unsent = self.namespace(id).buffered().packets;
        if unsent > 0 {
            let name = &self.namespace(id).name;
            let why = error.message();
            log_later!(Warn, in name, "{unsent} events are lost: {why}");
        }
        self.fail_all_acks(id, error);
        self.clear_send_buffer(id);
    }

    /// An event can neither be sent nor handed back: nobody has a handle of its namespace any more.
    pub(super) fn lose_event(&mut self) {
        self.tally.dropped += 1;
        log_later!(Warn, "an event is lost: {}", last_handle_gone().message());
    }

    /// Leaves a namespace that nobody has a handle of any more. The next one begins anew.
    pub(crate) fn forget(&mut self, id: NamespaceId, now: Timestamp) {
        if !self.namespaces.is_in_use(id) {
            return;
        }
        self.disconnect(id, now);
        self.has_forgotten = self.cycle == Cycle::Open;
        self.give_up_all(id, &last_handle_gone());
        self.forget_drops(id);
        self.namespaces.forget(id);
        self.release(id, now);
    }

    /// Frees the place of a namespace that is forgotten, unless a join of the same name would need to
    /// know how it stands with the server.
    pub(super) fn release(&mut self, id: NamespaceId, now: Timestamp) {
        if !self.namespaces.is_forgotten(id) {
            return;
        }
        if self.namespace(id).phase != Phase::Idle {
            // The answer to CONNECT has to be undone; but not every server gives one.
            return self.limit_join(id, now);
        }
        self.timers.set(Timer::Join(id), None);
        self.namespaces.remove(id);
    }

    /// Frees the places of all namespaces that are forgotten: without a session, nothing has to be
    /// known of them.
    pub(super) fn release_all(&mut self) {
        for id in self.ids() {
            if self.namespaces.is_forgotten(id) {
                self.namespaces.remove(id);
                self.timers.set(Timer::Join(id), None);
            }
        }
    }

    /// Ends a membership, or the attempt at it. `true`: it was joined.
    fn leave(&mut self, id: NamespaceId, now: Timestamp) -> bool {
        let phase = self.namespace(id).phase;
        self.begin(
            id,
            match phase {
                Phase::Joining | Phase::Leaving { .. } => Phase::Leaving { rejoin: false },
                _ => Phase::Idle,
            },
        );
        let was_joined = phase == Phase::Joined;
        if was_joined {
            self.send_disconnect(id, now);
        }
        was_joined
    }

    /// The session ended: all namespaces are left, and the active ones wait for the next session.
    /// The ones that rest have left it before.
    pub(super) fn lose_namespaces(
        &mut self,
        reason: DisconnectReason,
        error: Option<&Error>,
        retry_in: Option<Duration>,
        now: Timestamp,
    ) {
        for id in self.ids() {
            if self.namespace(id).is_resting() {
                continue;
            }
            let active = self.namespace(id).is_active();
            self.begin(id, if active { Phase::Waiting } else { Phase::Idle });
            if active {
                self.disconnected(id, reason, error.cloned(), retry_in, now);
            }
        }
    }

    /// The server ends the membership.
    pub(super) fn on_disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Leaving { rejoin } => self.left(id, rejoin, now),
            Phase::Joining | Phase::Joined => {
                self.return_ready(Some(id));
                let rejection = Rejection::IoServerDisconnect;
                let retry_in = self.turned_away(id, rejection, now);
                self.close_if_unused(now);
                let reason = DisconnectReason::IoServerDisconnect;
                self.disconnected(id, reason, None, retry_in, now);
            }
            Phase::Idle | Phase::Waiting | Phase::Asking | Phase::Resting { .. } => {
                self.note_nonsense(Nonsense::StrayRefusal);
            }
        }
    }

    pub(super) fn send_disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        let name = self.namespace(id).name.clone();
        let header = Header { kind: Kind::Disconnect, namespace: &name, id: None };
        if let Err(error) = self.send(header, &Payload::default(), now) {
            // The limit that the server announced is shorter than a DISCONNECT.
            log_later!(Warn, in &name, "DISCONNECT cannot be sent: {error:#}");
        }
        self.note_leave(id);
    }

    /// A membership that was given up before the server answered is undone.
    pub(super) fn left(&mut self, id: NamespaceId, rejoin: bool, now: Timestamp) {
        self.begin(id, if rejoin { Phase::Waiting } else { Phase::Idle });
        if rejoin {
            self.rejoin(id, now);
        } else {
            self.release(id, now);
        }
    }

    pub(super) fn disconnected(
        &mut self,
        id: NamespaceId,
        reason: DisconnectReason,
        error: Option<Error>,
        retry_in: Option<Duration>,
        now: Timestamp,
    ) {
        if let Some(namespace) = self.namespaces.get_mut(id) {
            namespace.id = None;
            namespace.comeback.ended(&self.options, now);
        }
        self.tell(id, Status::Disconnected { reason, error, retry_in });
        // What the session has to write yet will not be answered either.
        self.await_answers(now);
        self.fail_sent_acks(id, reason);
    }

    pub(super) fn close_if_unused(&mut self, now: Timestamp) {
        if !self.namespaces.iter().any(Namespace::needs_session) {
            self.close_for_now(now);
        }
    }

    /// Tells the users of a namespace how it stands.
    pub(super) fn tell(&mut self, id: NamespaceId, status: Status) {
        let name = Arc::clone(&self.namespace(id).name);
        self.outputs.push_back(Output::Status { namespace: id, name, status });
    }
}

fn last_handle_gone() -> Error {
    Error::new(ErrorKind::Disconnected, "the last handle of the socket is gone")
}

pub(super) fn closed_for_good() -> Error {
    Error::new(ErrorKind::Disconnected, "the manager was closed for good")
}
