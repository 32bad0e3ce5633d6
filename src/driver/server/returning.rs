//! Clients that come back to their socket, and what is kept for them meanwhile.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::belongings::SocketData;
use super::parts::{Due, Peer, PeerState, ServedNamespace, ServedSocket};
use super::served_socket::Origin;
use super::tasks::Task;
use crate::core::server::recovery::{
    LostSocket, NotRestored, RecoveryStore, RestoredSocket, is_recoverable,
};
use crate::core::server::rooms::Selection;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::payload::Payload;
use crate::proto::json::{member, unquoted};
use crate::proto::packet::Packet;
use crate::proto::socket_packet::Header;
use crate::sync::lock::{Locked, lock};

/// What a client says that comes back.
pub(super) struct Claim {
    /// The secret name of its socket.
    pid: String,
    /// The last event that it got.
    offset: Option<String>,
}

impl Claim {
    /// What credentials say of it.
    pub(super) fn in_auth(auth: &str) -> Option<Self> {
        let text = |name| Some(unquoted(member(auth, name)?)?.into_owned());
        Some(Self { pid: text("pid")?, offset: text("offset") })
    }
}

impl ServedNamespace {
    /// What is kept for clients that are away, if anything is.
    fn store(&self) -> Option<Locked<'_, RecoveryStore<SocketData>>> {
        self.recovery.as_ref().map(|store: &Mutex<_>| lock(store))
    }

    /// Encodes an event, which is kept for those who are away; gives those who are there, to whom it is to be sent
    /// now. While this and that are done, `order` is to be held.
    pub(super) fn prepare(
        &self,
        header: Header<'_>,
        mut payload: Payload,
        selection: &Selection,
        volatile: bool,
    ) -> (Arc<[Packet]>, Vec<Arc<ServedSocket>>) {
        let Some(mut store) = self.store() else {
            return (self.hub.encode(header, &payload).into(), self.select(selection));
        };
        store.number(&mut payload);
        let messages: Arc<[Packet]> = self.hub.encode(header, &payload).into();
        if !volatile {
            store.keep(selection, &messages, now());
        }
        let sockets = self.select(selection);
        drop(store);
        self.arm_recovery();
        (messages, sockets)
    }

    /// A socket has joined.
    pub(super) fn enter(&self, socket: &Arc<ServedSocket>) {
        let mut store = self.store();
        if let (Some(store), Some(pid)) = (&mut store, &socket.pid) {
            let since = store.position();
            store.begin(pid, socket.key, since);
        }
        lock(&self.rooms).enter(socket.key, Arc::clone(&socket.id), Arc::clone(socket));
    }

    /// A socket has left; gives the rooms that it was in.
    pub(super) fn exit(&self, socket: &ServedSocket, reason: DisconnectReason) -> Vec<Arc<str>> {
        let mut store = self.store();
        let rooms = lock(&self.rooms).exit(socket.key);
        let (Some(store_now), Some(pid)) = (&mut store, &socket.pid) else { return rooms };
        // One that has not joined is not known, and not kept.
        let dropped = if is_recoverable(reason) && store_now.connected(pid) == Some(socket.key) {
            let data = socket.data();
            let lost = LostSocket { id: Arc::clone(&socket.id), rooms: rooms.clone(), data };
            store_now.lose(pid, lost, now())
        } else if store_now.connected(pid) == Some(socket.key) {
            store_now.forget(pid).into_iter().collect()
        } else {
            Vec::new()
        };
        drop(store);
        self.drop_later(dropped);
        self.arm_recovery();
        rooms
    }

    /// Ends the session by which a client was here, if nobody has noticed yet that it was lost.
    pub(super) fn end_former(&self, claim: &Claim) {
        let Some(key) = self.store().and_then(|store| store.connected(&claim.pid)) else { return };
        let former = lock(&self.rooms).socket(key).cloned();
        if let Some(former) = former {
            let what = "the client has come back by another connection";
            let cause = Error::new(ErrorKind::Transport, what);
            former.peer.cut(DisconnectReason::TransportClose, Some(cause));
        }
    }

    /// What has been kept for too long goes.
    pub(super) fn expire_recovery(&self) {
        self.recovery_is_armed.store(false, Ordering::Release);
        if let Some(mut store) = self.store() {
            let dropped = store.expire(now());
            drop(store);
            self.drop_later(dropped);
            self.arm_recovery();
        }
    }

    fn arm_recovery(&self) {
        let Some(at) = self.store().and_then(|store| store.deadline()) else { return };
        if !self.recovery_is_armed.swap(true, Ordering::AcqRel) {
            self.hub.timers.arm(at, Due::Recovery(self.this.clone()));
        }
    }

    /// The end of what the program has attached is its code: not under a lock.
    fn drop_later(&self, dropped: Vec<LostSocket<SocketData>>) {
        if dropped.iter().any(|socket| !socket.data.is_empty()) {
            self.hub.pool.submit(Task::Once(Box::new(move || drop(dropped))));
        }
    }
}

impl Peer {
    /// Gives a client that is back its socket, and what it has missed. `false`: that cannot be done.
    pub(super) fn restore(
        &self,
        state: &mut PeerState,
        asked: &ServedSocket,
        claim: &Claim,
        orders: &mut Vec<SessionOrder>,
    ) -> bool {
        if !state.session.is_open() {
            // Where it is being closed, the socket waits for the client's next session.
            return true;
        }
        let namespace = &asked.namespace;
        let (Some(mut store), Some(this)) = (namespace.store(), self.this.upgrade()) else {
            return false;
        };
        let restored = match store.restore(&claim.pid, claim.offset.as_deref(), now()) {
            Ok(restored) => restored,
            Err(NotRestored::Unknown) => return false,
            Err(NotRestored::Gone(lost)) => {
                drop(store);
                namespace.drop_later(vec![lost]);
                return false;
            }
        };
        let RestoredSocket { socket: lost, missed, since, .. } = restored;
        let mut data = lost.data;
        // What was attached just now, by who was asked whether the client may join, is newer.
        let newer = asked.data();
        data.retain(|old| !newer.iter().any(|new| (**new).type_id() == (**old).type_id()));
        data.extend(newer);
        let pid = Some(claim.pid.as_str().into());
        let origin = Origin { id: lost.id, pid, is_recovered: true, data };
        let socket = ServedSocket::new(origin, namespace, asked.handshake.clone(), &this);
        socket.take_over(asked);
        if !self.welcome(state, &socket, orders) {
            socket.let_go();
            return true;
        }
        for messages in missed {
            if state.session.send(&messages, orders).is_err() {
                let cause =
                    Error::new(ErrorKind::BufferFull, "no room for what the client has missed");
                state.session.end(DisconnectReason::TransportError, Some(cause), orders);
                socket.let_go();
                return true;
            }
        }
        store.begin(&claim.pid, socket.key, since);
        let mut rooms = lock(&namespace.rooms);
        rooms.enter(socket.key, Arc::clone(&socket.id), Arc::clone(&socket));
        if !lost.rooms.contains(&socket.id) {
            rooms.leave(socket.key, &socket.id);
        }
        for room in &lost.rooms {
            rooms.join(socket.key, room);
        }
        drop(rooms);
        drop(store);
        state.begin_socket(&socket);
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::core::server::recovery::RecoveryLimits;
    use crate::driver::server::hub_options::{HubOptions, RecoveryOptions};
    use crate::driver::server::testing::{TestClient, options, server};
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn who_has_left_for_good_is_not_kept_and_who_has_lost_the_connection_is() {
        let hour = Duration::from_secs(3600);
        let limits =
            RecoveryLimits { max_disconnection: hour, unnoticed: hour, bytes: 1000, sockets: 10 };
        let recovery = Some(RecoveryOptions { limits, skip_middlewares: true });
        let mut io = server(HubOptions { recovery, ..options() });
        let hub = Arc::clone(&io.hub);
        let namespace = hub.of("/");
        let (mut leaving, left) = TestClient::joined(&mut io);
        let (losing, lost) = TestClient::joined(&mut io);
        let known = |socket: &crate::driver::server::parts::ServedSocket| {
            let pid = socket.pid.as_deref().unwrap();
            namespace.store().unwrap().connected(pid)
        };
        assert!(known(&left).is_some() && known(&lost).is_some());
        leaving.send(&mut io, "41");
        assert!(known(&left).is_none() && known(&lost).is_some());
        io.give_up(losing.token);
        assert!(known(&lost).is_none());
        let kept = |pid: &str| namespace.store().unwrap().forget(pid).is_some();
        assert!(!kept(left.pid.as_deref().unwrap()));
        assert!(kept(lost.pid.as_deref().unwrap()));
    }
}
