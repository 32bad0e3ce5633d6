//! Joining and leaving namespaces.

use super::client::{Client, Output, Phase as Connection};
use super::namespace::{Auth, NamespaceId, Phase, refusal};
use super::timer::{Timer, Timestamp};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::event::{DisconnectReason, Status};
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind, SocketPacket};

impl<A> Client<A> {
    /// Joins a namespace, now and after each reconnection; opens the connection if need be.
    pub(crate) fn connect(&mut self, id: NamespaceId, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Idle | Phase::Waiting => {
                self.namespace_mut(id).phase = Phase::Waiting;
                match self.phase {
                    Connection::Idle => self.open(now),
                    Connection::Open => self.join(id, now),
                    Connection::Connecting | Connection::Waiting => {}
                }
            }
            Phase::Leaving { .. } => {
                self.namespace_mut(id).phase = Phase::Leaving { rejoin: true };
            }
            Phase::Asking | Phase::Joining | Phase::Joined => {}
        }
        self.pump(now);
    }

    /// Leaves a namespace. The connection is closed with the last one.
    pub(crate) fn disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        let phase = self.namespace(id).phase;
        self.namespace_mut(id).phase = match phase {
            Phase::Joining | Phase::Leaving { .. } => Phase::Leaving { rejoin: false },
            _ => Phase::Idle,
        };
        self.timers.set(Timer::Join(id), None);
        if phase == Phase::Joined {
            self.send_bare(id, Kind::Disconnect);
        }
        self.close_if_unused(now);
        if phase == Phase::Joined {
            self.disconnected(id, DisconnectReason::IoClientDisconnect, None);
        }
        self.pump(now);
    }

    /// Leaves all namespaces and closes the connection, for good.
    pub(crate) fn shut_down(&mut self, now: Timestamp) {
        let error = Error::new(ErrorKind::Disconnected, "the connection was closed for good");
        for id in self.ids() {
            self.disconnect(id, now);
            self.fail_all_acks(id, &error);
        }
        self.close(now);
        self.pump(now);
    }

    /// Whether the namespace is on its way to be joined.
    pub(crate) fn is_connecting(&self, id: NamespaceId) -> bool {
        self.namespace(id).is_active() && self.phase != Connection::Idle
    }

    /// The credentials that [`Output::AskAuth`] asked for.
    pub(crate) fn auth(
        &mut self,
        id: NamespaceId,
        asked: u32,
        auth: Result<Payload>,
        now: Timestamp,
    ) {
        let namespace = self.namespace(id);
        if namespace.phase != Phase::Asking || namespace.asked != asked {
            return;
        }
        match auth {
            Ok(auth) => self.send_connect(id, auth, now),
            Err(error) => {
                self.namespace_mut(id).phase = Phase::Waiting;
                self.join_failed(id, error, now);
            }
        }
        self.pump(now);
    }

    /// Starts to join a namespace in an open session.
    pub(super) fn join(&mut self, id: NamespaceId, now: Timestamp) {
        match self.namespace(id).auth.clone() {
            Auth::Fixed(auth) => self.send_connect(id, auth, now),
            Auth::Ask => {
                let namespace = self.namespace_mut(id);
                namespace.phase = Phase::Asking;
                namespace.asked = namespace.asked.wrapping_add(1);
                let asked = namespace.asked;
                self.outputs.push_back(Output::AskAuth { namespace: id, asked });
            }
        }
    }

    /// The session ended: all namespaces are left, and the active ones wait for the next session.
    pub(super) fn lose_namespaces(&mut self, reason: DisconnectReason, error: Option<&Error>) {
        for id in self.ids() {
            self.timers.set(Timer::Join(id), None);
            let active = self.namespace(id).is_active();
            let namespace = self.namespace_mut(id);
            namespace.phase = if active { Phase::Waiting } else { Phase::Idle };
            namespace.receive_buffer.clear();
            if active {
                self.disconnected(id, reason, error.cloned());
            }
        }
    }

    /// The server answers CONNECT.
    pub(super) fn on_connect(&mut self, id: NamespaceId, packet: &SocketPacket, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Joining => match self.namespace_mut(id).accept(packet) {
                Ok(()) => {
                    self.timers.set(Timer::Join(id), None);
                    self.deliver_early_events(id);
                    self.flush_send_buffer(id);
                    self.try_next(id, now);
                    if let Some(status) = self.namespace(id).status() {
                        self.outputs.push_back(Output::Status { namespace: id, status });
                    }
                }
                Err(error) => {
                    let status = Status::ConnectError(error);
                    self.outputs.push_back(Output::Status { namespace: id, status });
                }
            },
            Phase::Leaving { rejoin } => {
                self.send_bare(id, Kind::Disconnect);
                self.left(id, rejoin, now);
            }
            _ => log::warn!("a second CONNECT for {:?} is ignored", self.namespace(id).name),
        }
    }

    /// The server refuses a namespace.
    pub(super) fn on_connect_error(
        &mut self,
        id: NamespaceId,
        packet: &SocketPacket,
        now: Timestamp,
    ) {
        match self.namespace(id).phase {
            Phase::Leaving { rejoin } => return self.left(id, rejoin, now),
            Phase::Joining => {
                self.timers.set(Timer::Join(id), None);
                self.namespace_mut(id).phase = Phase::Idle;
            }
            _ => {}
        }
        let error = refusal(&self.namespace(id).name, packet);
        let status = Status::ConnectError(error);
        self.outputs.push_back(Output::Status { namespace: id, status });
        self.close_if_unused(now);
    }

    /// The server ends the membership.
    pub(super) fn on_disconnect(&mut self, id: NamespaceId, now: Timestamp) {
        match self.namespace(id).phase {
            Phase::Leaving { rejoin } => self.left(id, rejoin, now),
            Phase::Joining | Phase::Joined => {
                self.timers.set(Timer::Join(id), None);
                self.namespace_mut(id).phase = Phase::Idle;
                self.close_if_unused(now);
                self.disconnected(id, DisconnectReason::IoServerDisconnect, None);
            }
            _ => {}
        }
    }

    /// The server did not answer CONNECT, or there were no credentials to send it with.
    pub(super) fn join_timed_out(&mut self, id: NamespaceId, now: Timestamp) {
        if self.namespace(id).phase == Phase::Waiting {
            return self.join(id, now);
        }
        let error = Error::new(
            ErrorKind::Connect(Stage::Namespace),
            format!("no answer to CONNECT for {:?}", self.namespace(id).name),
        );
        self.join_failed(id, error, now);
    }

    /// Reports a failed attempt to join, and sees to the next one.
    fn join_failed(&mut self, id: NamespaceId, error: Error, now: Timestamp) {
        let status = Status::ConnectError(error.clone());
        self.outputs.push_back(Output::Status { namespace: id, status });
        if self.namespaces.iter().any(|namespace| namespace.phase == Phase::Joined) {
            // Others are well served by this session.
            let limit = self.options.namespace_timeout;
            self.timers.set(Timer::Join(id), limit.map(|limit| now + limit));
        } else {
            self.end_session(DisconnectReason::TransportError, Some(error));
        }
    }

    fn send_connect(&mut self, id: NamespaceId, auth: Payload, now: Timestamp) {
        let payload = self.namespace(id).connect_payload(auth);
        self.namespace_mut(id).phase = Phase::Joining;
        let limit = self.options.namespace_timeout;
        self.timers.set(Timer::Join(id), limit.map(|limit| now + limit));
        let name = self.namespace(id).name.clone();
        self.send(Header { kind: Kind::Connect, namespace: &name, id: None }, payload);
    }

    fn send_bare(&mut self, id: NamespaceId, kind: Kind) {
        let name = self.namespace(id).name.clone();
        self.send(Header { kind, namespace: &name, id: None }, Payload::default());
    }

    /// A membership that was given up before the server answered is undone.
    fn left(&mut self, id: NamespaceId, rejoin: bool, now: Timestamp) {
        self.namespace_mut(id).phase = if rejoin { Phase::Waiting } else { Phase::Idle };
        if rejoin {
            self.join(id, now);
        }
    }

    fn disconnected(&mut self, id: NamespaceId, reason: DisconnectReason, error: Option<Error>) {
        self.namespace_mut(id).id = None;
        let status = Status::Disconnected { reason, error };
        self.outputs.push_back(Output::Status { namespace: id, status });
        self.fail_sent_acks(id, reason);
    }

    fn close_if_unused(&mut self, now: Timestamp) {
        if !self.namespaces.iter().any(super::namespace::Namespace::is_active) {
            self.close(now);
            // The session takes what was given up along with it.
            for namespace in &mut self.namespaces {
                namespace.phase = Phase::Idle;
            }
        }
    }
}
