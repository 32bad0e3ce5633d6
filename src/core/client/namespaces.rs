//! The namespaces of a connection, by number and by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::namespace::Namespace;
use crate::core::ids::NamespaceId;

/// The namespaces of a connection.
///
/// One that no user has a handle of is forgotten: its place is free once its membership is undone.
/// No other namespace gets its number, so that what still comes under it concerns nobody.
#[derive(Debug)]
pub(super) struct Namespaces<A> {
    /// Boxed, since a node of the map has room for eleven.
    by_id: BTreeMap<NamespaceId, Box<Namespace<A>>>,
    by_name: HashMap<Arc<str>, NamespaceId>,
    /// Those that no user has a handle of.
    forgotten: BTreeSet<NamespaceId>,
    next: u64,
    /// The first acknowledgement of a new namespace: one of the same name that is gone has awaited
    /// those before it, and the server may still answer them.
    first_ack: u64,
    /// What a number stands for that belongs to none.
    none: Namespace<A>,
}

impl<A> Default for Namespaces<A> {
    fn default() -> Self {
        Self {
            by_id: BTreeMap::new(),
            by_name: HashMap::new(),
            forgotten: BTreeSet::new(),
            next: 0,
            first_ack: 0,
            none: Namespace::new("".into(), 0),
        }
    }
}

impl<A> Namespaces<A> {
    pub(super) fn find(&self, name: &str) -> Option<NamespaceId> {
        self.by_name.get(name).copied()
    }

    /// Adds a namespace, whose name is new.
    pub(super) fn add(&mut self, name: &str) -> NamespaceId {
        let name: Arc<str> = name.into();
        self.insert(Namespace::new(Arc::clone(&name), self.first_ack))
    }

    fn insert(&mut self, namespace: Namespace<A>) -> NamespaceId {
        let id = NamespaceId(self.next);
        self.next += 1;
        self.by_name.insert(Arc::clone(&namespace.name), id);
        self.by_id.insert(id, Box::new(namespace));
        id
    }

    /// The namespace of this number; for one that belongs to none, one that was never joined.
    pub(super) fn get(&self, id: NamespaceId) -> &Namespace<A> {
        self.by_id.get(&id).map_or(&self.none, |namespace| namespace)
    }

    pub(super) fn get_mut(&mut self, id: NamespaceId) -> Option<&mut Namespace<A>> {
        self.by_id.get_mut(&id).map(|namespace| &mut **namespace)
    }

    /// Whether a user may have a handle of it.
    pub(super) fn is_in_use(&self, id: NamespaceId) -> bool {
        self.by_id.contains_key(&id) && !self.is_forgotten(id)
    }

    pub(super) fn is_forgotten(&self, id: NamespaceId) -> bool {
        self.forgotten.contains(&id)
    }

    /// All of them, in the order in which they were made.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Namespace<A>> {
        self.by_id.values().map(|namespace| &**namespace)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_id.len(), self.by_name.len());
        assert!(self.forgotten.iter().all(|id| self.by_id.contains_key(id)));
        self.by_id.len()
    }

    /// All numbers, in the order in which they were given.
    pub(super) fn ids(&self) -> Vec<NamespaceId> {
        self.by_id.keys().copied().collect()
    }

    /// No user has a handle of it any more.
    pub(super) fn forget(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.by_id.get_mut(&id) {
            namespace.forget();
            self.forgotten.insert(id);
        }
    }

    /// A forgotten one is wanted again: it gets another number, and how it stands with the server is
    /// still known.
    pub(super) fn revive(&mut self, id: NamespaceId) -> Option<NamespaceId> {
        self.forgotten.remove(&id);
        let namespace = self.by_id.remove(&id)?;
        Some(self.insert(*namespace))
    }

    /// Frees the place of a forgotten one.
    pub(super) fn remove(&mut self, id: NamespaceId) {
        self.forgotten.remove(&id);
        if let Some(namespace) = self.by_id.remove(&id) {
            self.by_name.remove(&namespace.name);
            self.first_ack = self.first_ack.max(namespace.acks.next());
        }
    }

    /// Frees the places of all forgotten ones; gives their numbers.
    pub(super) fn remove_forgotten(&mut self) -> BTreeSet<NamespaceId> {
        let forgotten = std::mem::take(&mut self.forgotten);
        for id in &forgotten {
            self.remove(*id);
        }
        forgotten
    }
}
