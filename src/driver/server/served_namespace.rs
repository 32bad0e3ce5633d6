//! One namespace of a server: who is in it, and what is done with them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, Weak};

use super::cluster::membership::ClusterMembership;
use super::hub::replace_taker;
use super::parts::{Handlers, Hub, ServedNamespace, ServedSocket, SocketTaker};
use crate::core::server::recovery::RecoveryStore;
use crate::core::server::rooms::{Selection, SocketKey};
use crate::error::Result;
use crate::sync::lock::{lock, lock_to_read, lock_to_write};

impl ServedNamespace {
    pub(super) fn new(name: &str, hub: &Arc<Hub>) -> Arc<Self> {
        let recovery = hub
            .options
            .recovery
            .map(|recovery| Mutex::new(RecoveryStore::new(&hub.run, recovery.limits)));
        // The parents of those that clients ask for are none that anybody is in.
        let link = hub.link.as_ref().filter(|_| !name.is_empty());
        let cluster =
            link.map(|link| Box::new(ClusterMembership::new(link, &super::ids::new_id())));
        let namespace = Arc::new_cyclic(|this: &Weak<Self>| Self {
            cluster,
            recovery,
            recovery_is_armed: AtomicBool::new(false),
            this: this.clone(),
            name: name.into(),
            hub: Arc::clone(hub),
            rooms: Mutex::default(),
            handlers: RwLock::default(),
            next_key: AtomicU64::new(0),
            next_ack: AtomicU64::new(0),
            order: Mutex::new(()),
            is_watched: AtomicBool::new(false),
        });
        if let Some(ClusterMembership { link, name, .. }) = namespace.cluster.as_deref() {
            link.enter(&namespace.name, name, namespace.this.clone());
        }
        namespace
    }

    /// The handlers, to look some up. Nothing else may be locked meanwhile, and none be called.
    pub(super) fn handlers(&self) -> RwLockReadGuard<'_, Handlers> {
        lock_to_read(&self.handlers)
    }

    /// Adds to the handlers, or takes away from them. Dropping one runs a user's code, which is done behind the lock.
    pub(crate) fn change_handlers<R>(&self, change: impl FnOnce(&mut Handlers) -> R) -> R {
        change(&mut lock_to_write(&self.handlers))
    }

    /// From now on the program takes what comes by new sockets.
    pub(crate) fn leave_to(&self, taker: &Arc<dyn SocketTaker>) -> Result<()> {
        self.change_handlers(|handlers| replace_taker(&mut handlers.taker, taker))?;
        self.hub.end_if_closing(&**taker);
        Ok(())
    }

    /// Who takes what comes by a socket that is new, if no handlers do.
    pub(super) fn taker(&self) -> Option<Arc<dyn SocketTaker>> {
        let own = self.handlers().taker.clone();
        let of_all = || lock(&self.hub.taker).clone();
        own.filter(|taker| !taker.is_abandoned())
            .or_else(of_all)
            .filter(|taker| !taker.is_abandoned())
    }

    /// Takes over the handlers of a parent.
    pub(super) fn inherit(&self, parent: &Self) {
        let of_parent = parent.handlers();
        let inherited = Handlers {
            taker: of_parent.taker.clone(),
            authorize: of_parent.authorize.clone(),
            connection: of_parent.connection.clone(),
            events: of_parent.events.clone(),
            any: of_parent.any.clone(),
            disconnecting: of_parent.disconnecting.clone(),
            disconnect: of_parent.disconnect.clone(),
            server_events: of_parent.server_events.clone(),
        };
        drop(of_parent);
        self.change_handlers(|handlers| *handlers = inherited);
    }

    pub(super) fn next_key(&self) -> SocketKey {
        SocketKey(self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn next_ack(&self) -> u64 {
        self.next_ack.fetch_add(1, Ordering::Relaxed)
    }

    /// `false`: the socket is gone.
    pub(crate) fn join(&self, key: SocketKey, room: &str) -> bool {
        lock(&self.rooms).join(key, room)
    }

    pub(crate) fn leave(&self, key: SocketKey, room: &str) {
        lock(&self.rooms).leave(key, room);
    }

    pub(crate) fn rooms_of(&self, key: SocketKey) -> Vec<Arc<str>> {
        lock(&self.rooms).of(key)
    }

    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        lock(&self.rooms).names().cloned().collect()
    }

    /// Whether somebody is in a room of this name.
    pub(super) fn is_room(&self, room: &str) -> bool {
        lock(&self.rooms).is_room(room)
    }

    /// The names of all rooms, those among them that are named by the ids of sockets.
    pub(super) fn all_rooms(&self) -> Vec<Arc<str>> {
        let rooms = lock(&self.rooms);
        rooms.homes().chain(rooms.names()).cloned().collect()
    }

    /// Those whom a selection names, as it is now.
    pub(crate) fn select(&self, selection: &Selection) -> Vec<Arc<ServedSocket>> {
        lock(&self.rooms).select(selection)
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.rooms).len()
    }
}
