//! The clients of a server, by the ids of their sessions.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

/// How many clients there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientLimits {
    pub(super) in_all: usize,
    pub(super) per_address: usize,
}

/// Why there is no room for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// There are as many as there may be.
    InAll,
    /// Of its address there are.
    OfAddress,
    /// The server ends.
    Closing,
}

/// A client that can be listed.
pub(super) trait Listed {
    /// The id of its session. It never changes.
    fn sid(&self) -> &str;

    /// From where it has connected.
    fn address(&self) -> Option<IpAddr>;
}

/// The clients that have a session. `P` is a client.
pub(super) struct Directory<P> {
    clients: HashSet<BySid<P>>,
    by_address: HashMap<IpAddr, usize>,
}

/// A client, found by its id, of which there is thus no second copy.
struct BySid<P>(Arc<P>);

impl<P: Listed> Borrow<str> for BySid<P> {
    fn borrow(&self) -> &str {
        self.0.sid()
    }
}

impl<P: Listed> Hash for BySid<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sid().hash(state);
    }
}

impl<P: Listed> PartialEq for BySid<P> {
    fn eq(&self, other: &Self) -> bool {
        self.0.sid() == other.0.sid()
    }
}

impl<P: Listed> Eq for BySid<P> {}

impl<P> Default for Directory<P> {
    fn default() -> Self {
        Self { clients: HashSet::new(), by_address: HashMap::new() }
    }
}

impl<P: Listed> Directory<P> {
    /// Takes in a client, if there is room for it.
    pub(super) fn insert(&mut self, client: &Arc<P>, limits: ClientLimits) -> Result<(), NoRoom> {
        if self.clients.len() >= limits.in_all {
            return Err(NoRoom::InAll);
        }
        if let Some(address) = client.address() {
            let count = self.by_address.entry(address).or_default();
            if *count >= limits.per_address {
                return Err(NoRoom::OfAddress);
            }
            *count += 1;
        }
        self.clients.insert(BySid(Arc::clone(client)));
        Ok(())
    }

    pub(super) fn remove(&mut self, sid: &str) {
        let Some(BySid(client)) = self.clients.take(sid) else { return };
        if let Some(Entry::Occupied(mut count)) =
            client.address().map(|address| self.by_address.entry(address))
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if self.clients.capacity() > 4 * self.clients.len() + 64 {
            self.clients.shrink_to_fit();
            self.by_address.shrink_to_fit();
        }
    }

    pub(super) fn get(&self, sid: &str) -> Option<Arc<P>> {
        self.clients.get(sid).map(|BySid(client)| Arc::clone(client))
    }

    pub(super) fn all(&self) -> Vec<Arc<P>> {
        self.clients.iter().map(|BySid(client)| Arc::clone(client)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}
