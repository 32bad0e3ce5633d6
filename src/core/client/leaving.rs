//! Leaving namespaces.

use super::namespace::Phase;
use super::tally::Nonsense;
use super::{Client, Output};
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::status::{DisconnectReason, Status};
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Leaves a namespace. The connection is closed with the last one.
    pub(crate) fn disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        let phase = self.namespace(id).phase;
        self.begin(
            id,
            match phase {
                Phase::Joining | Phase::Leaving { .. } => Phase::Leaving { rejoin: false },
                _ => Phase::Idle,
            },
        );
        if phase == Phase::Joined {
            self.send_disconnect(id, now);
        }
        self.close_if_unused(now);
        if phase == Phase::Joined {
            self.disconnected(id, DisconnectReason::IoClientDisconnect, None);
        }
        // Callers that wait for the namespace to be joined have to look again.
        self.outputs.push_back(Output::Room);
        self.pump(now);
    }

    /// Leaves all namespaces and closes the connection, for good.
    pub(crate) fn shut_down(&mut self, now: Timestamp) {
        let error = Error::new(ErrorKind::Disconnected, "the connection was closed for good");
        for id in self.ids() {
            self.disconnect(id, now);
            self.clear_send_buffer(id);
            self.fail_all_acks(id, &error);
        }
        self.close(now);
        self.pump(now);
    }

    /// Leaves a namespace that nobody has a handle of any more. The next one begins anew.
    pub(crate) fn forget(&mut self, id: NamespaceId, now: Timestamp) {
        self.disconnect(id, now);
        self.clear_send_buffer(id);
        let error = Error::new(ErrorKind::Disconnected, "the last handle of the socket is gone");
        self.fail_all_acks(id, &error);
        self.namespace_mut(id).forget();
    }

    /// The session ended: all namespaces are left, and the active ones wait for the next session.
    pub(super) fn lose_namespaces(&mut self, reason: DisconnectReason, error: Option<&Error>) {
        for id in self.ids() {
            let active = self.namespace(id).is_active();
            self.begin(id, if active { Phase::Waiting } else { Phase::Idle });
            if active {
                self.disconnected(id, reason, error.cloned());
            }
        }
    }

    /// The server ends the membership.
    pub(super) fn on_disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Leaving { rejoin } => self.left(id, rejoin, now),
            Phase::Joining | Phase::Joined => {
                self.begin(id, Phase::Idle);
                self.close_if_unused(now);
                self.disconnected(id, DisconnectReason::IoServerDisconnect, None);
            }
            Phase::Idle | Phase::Waiting | Phase::Asking => {
                self.note_nonsense(Nonsense::StrayRefusal);
            }
        }
    }

    pub(super) fn send_disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        self.namespace_mut(id).left = Some(now);
        let name = self.namespace(id).name.clone();
        let header = Header { kind: Kind::Disconnect, namespace: &name, id: None };
        if let Err(error) = self.send(header, Payload::default()) {
            // The limit that the server announced is shorter than a DISCONNECT.
            log_later!(Warn, "DISCONNECT cannot be sent: {error}");
        }
        self.note_leave(id);
    }

    /// A membership that was given up before the server answered is undone.
    pub(super) fn left(&mut self, id: NamespaceId, rejoin: bool, now: Timestamp) {
        self.begin(id, if rejoin { Phase::Waiting } else { Phase::Idle });
        if rejoin {
            self.rejoin(id, now);
        }
    }

    pub(super) fn disconnected(
        &mut self,
        id: NamespaceId,
        reason: DisconnectReason,
        error: Option<Error>,
    ) {
        self.namespace_mut(id).id = None;
        let status = Status::Disconnected { reason, error };
        self.outputs.push_back(Output::Status { namespace: id, status });
        self.fail_sent_acks(id, reason);
    }

    pub(super) fn close_if_unused(&mut self, now: Timestamp) {
        if !self.namespaces.iter().any(super::namespace::Namespace::is_active) {
            self.close(now);
            // The answers to CONNECT that were still to be undone will not come.
            for id in self.ids() {
                self.begin(id, Phase::Idle);
            }
        }
    }
}
