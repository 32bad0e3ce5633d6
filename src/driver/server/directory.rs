//! The clients of a server, by the ids of their sessions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use super::parts::Peer;

/// How many clients there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) in_all: usize,
    pub(super) per_address: usize,
}

/// The clients that have a session.
#[derive(Default)]
pub(super) struct Directory {
    by_sid: HashMap<Box<str>, Arc<Peer>>,
    by_address: HashMap<IpAddr, usize>,
}

impl Directory {
    /// Takes in a client. `false`: there is no room for it.
    pub(super) fn insert(&mut self, sid: &str, peer: &Arc<Peer>, room: Room) -> bool {
        if self.by_sid.len() >= room.in_all {
            return false;
        }
        if let Some(address) = peer.request.address {
            let count = self.by_address.entry(address.ip()).or_default();
            if *count >= room.per_address {
                return false;
            }
            *count += 1;
        }
        self.by_sid.insert(sid.into(), Arc::clone(peer));
        true
    }

    pub(super) fn remove(&mut self, sid: &str) {
        let Some(peer) = self.by_sid.remove(sid) else { return };
        let address = peer.request.address.map(|address| address.ip());
        if let Some(Entry::Occupied(mut count)) = address.map(|ip| self.by_address.entry(ip)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if self.by_sid.capacity() > 4 * self.by_sid.len() + 64 {
            self.by_sid.shrink_to_fit();
            self.by_address.shrink_to_fit();
        }
    }

    pub(super) fn get(&self, sid: &str) -> Option<Arc<Peer>> {
        self.by_sid.get(sid).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Peer>> {
        self.by_sid.values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_sid.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_sid.is_empty()
    }
}
