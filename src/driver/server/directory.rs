//! The clients of a server, by the ids of their sessions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

/// How many clients there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientLimits {
    pub(super) in_all: usize,
    pub(super) per_address: usize,
}

/// The clients that have a session. `P` is a client.
pub(super) struct Directory<P> {
    by_sid: HashMap<Box<str>, Listed<P>>,
    by_address: HashMap<IpAddr, usize>,
}

/// A client, and from where it has connected.
struct Listed<P> {
    client: Arc<P>,
    address: Option<IpAddr>,
}

impl<P> Default for Directory<P> {
    fn default() -> Self {
        Self { by_sid: HashMap::new(), by_address: HashMap::new() }
    }
}

impl<P> Directory<P> {
    /// Takes in a client. `false`: there is no room for it.
    pub(super) fn insert(
        &mut self,
        sid: &str,
        client: &Arc<P>,
        address: Option<IpAddr>,
        limits: ClientLimits,
    ) -> bool {
        if self.by_sid.len() >= limits.in_all {
            return false;
        }
        if let Some(address) = address {
            let count = self.by_address.entry(address).or_default();
            if *count >= limits.per_address {
                return false;
            }
            *count += 1;
        }
        self.by_sid.insert(sid.into(), Listed { client: Arc::clone(client), address });
        true
    }

    pub(super) fn remove(&mut self, sid: &str) {
        let Some(Listed { address, .. }) = self.by_sid.remove(sid) else { return };
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

    pub(super) fn get(&self, sid: &str) -> Option<Arc<P>> {
        self.by_sid.get(sid).map(|listed| Arc::clone(&listed.client))
    }

    pub(super) fn all(&self) -> Vec<Arc<P>> {
        self.by_sid.values().map(|listed| Arc::clone(&listed.client)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_sid.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_sid.is_empty()
    }
}
