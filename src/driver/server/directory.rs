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

#[cfg(test)]
mod tests {
    use super::*;

    struct Client {
        sid: String,
        address: Option<IpAddr>,
    }

    impl Listed for Client {
        fn sid(&self) -> &str {
            &self.sid
        }

        fn address(&self) -> Option<IpAddr> {
            self.address
        }
    }

    fn client(sid: &str, host: Option<u8>) -> Arc<Client> {
        let address = host.map(|host| IpAddr::from([10, 0, 0, host]));
        Arc::new(Client { sid: sid.to_owned(), address })
    }

    #[test]
    fn each_address_has_its_share_of_the_room_and_who_goes_gives_it_back() {
        let limits = ClientLimits { in_all: 4, per_address: 2 };
        let mut directory = Directory::default();
        let mut insert = |sid: &str, host| directory.insert(&client(sid, host), limits).is_ok();
        assert!(insert("a", Some(1)) && insert("b", Some(1)));
        assert!(!insert("c", Some(1)), "its address has two");
        assert!(insert("d", Some(2)) && insert("e", None));
        assert!(!insert("f", Some(3)), "there are four");
        for gone in ["a", "b", "a", "nobody"] {
            directory.remove(gone);
        }
        assert!(directory.get("a").is_none() && directory.get("d").is_some());
        assert_eq!(directory.len(), 2);
        let fits =
            ["g", "h", "i"].map(|sid| directory.insert(&client(sid, Some(1)), limits).is_ok());
        assert_eq!(fits, [true, true, false]);
        for gone in ["d", "e", "g", "h"] {
            assert!(!directory.is_empty());
            directory.remove(gone);
        }
        assert!(directory.is_empty() && directory.all().is_empty());
        assert!(directory.by_address.is_empty());
    }

    #[test]
    fn the_table_gives_memory_back_where_it_is_less_than_a_quarter_full() {
        let limits = ClientLimits { in_all: usize::MAX, per_address: usize::MAX };
        let mut directory = Directory::default();
        for number in 0..2000 {
            assert!(directory.insert(&client(&number.to_string(), None), limits).is_ok());
        }
        for number in 0..1000 {
            directory.remove(&number.to_string());
        }
        assert!(directory.clients.capacity() >= 2000, "half of them may come back");
        for number in 1000..2000 {
            directory.remove(&number.to_string());
            assert!(directory.clients.capacity() <= 4 * directory.len() + 64);
        }
    }
}
