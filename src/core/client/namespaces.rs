//! The namespaces of a connection, by number and by name.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::namespace::Namespace;
use crate::core::ids::NamespaceId;
use crate::core::numbered::Numbered;

/// The namespaces of a connection.
///
/// One that no user has a handle of is forgotten: its place is free once its membership is undone.
/// No other namespace gets its number, so that what still comes under it concerns nobody.
#[derive(Debug)]
pub(super) struct Namespaces<A> {
    by_id: Numbered<NamespaceId, Box<Namespace<A>>>,
    by_name: BTreeMap<Arc<str>, NamespaceId>,
    next: u64,
    /// The first acknowledgement of a new namespace: one of the same name that is gone has awaited
    /// those before it, and the server may still answer them.
    first_ack: u64,
    /// What a number stands for that belongs to none, once somebody has asked.
    none: OnceCell<Box<Namespace<A>>>,
}

impl<A> Default for Namespaces<A> {
    fn default() -> Self {
        Self {
            by_id: Numbered::new(),
            by_name: BTreeMap::new(),
            next: 0,
            first_ack: 0,
            none: OnceCell::new(),
        }
    }
}

impl<A> Namespaces<A> {
    pub(super) fn find(&self, name: &str) -> Option<NamespaceId> {
        self.by_name.get(name).copied()
    }

    /// Adds a namespace, whose name is new.
    pub(super) fn add(&mut self, name: &str) -> NamespaceId {
        self.insert(Box::new(Namespace::new(name.into(), self.first_ack)))
    }

    fn insert(&mut self, namespace: Box<Namespace<A>>) -> NamespaceId {
        let id = NamespaceId(self.next);
        self.next += 1;
        self.by_name.insert(Arc::clone(&namespace.name), id);
        self.by_id.get_or_add(id, || namespace);
        id
    }

    /// The namespace of this number; for one that belongs to none, one that was never joined.
    pub(super) fn get(&self, id: NamespaceId) -> &Namespace<A> {
        let none = || self.none.get_or_init(|| Box::new(Namespace::new("".into(), 0)));
        self.by_id.get(id).unwrap_or_else(none)
    }

    pub(super) fn get_mut(&mut self, id: NamespaceId) -> Option<&mut Namespace<A>> {
        self.by_id.get_mut(id).map(|namespace| &mut **namespace)
    }

    /// Whether a user may have a handle of it.
    pub(super) fn is_in_use(&self, id: NamespaceId) -> bool {
        self.by_id.get(id).is_some_and(|namespace| !namespace.forgotten)
    }

    pub(super) fn is_forgotten(&self, id: NamespaceId) -> bool {
        self.get(id).forgotten
    }

    /// All of them, in the order in which they were made.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Namespace<A>> {
        self.by_id.iter().map(|(_, namespace)| &**namespace)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        let count = self.by_id.iter().count();
        assert_eq!(count, self.by_name.len());
        assert!(self.by_id.iter().is_sorted_by_key(|(id, _)| *id));
        count
    }

    /// All numbers, in the order in which they were given.
    pub(super) fn ids(&self) -> Vec<NamespaceId> {
        self.by_id.iter().map(|(id, _)| *id).collect()
    }

    /// No user has a handle of it any more.
    pub(super) fn forget(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.get_mut(id) {
            namespace.forget();
        }
    }

    /// A forgotten one is wanted again: it gets another number, and how it stands with the server is
    /// still known.
    pub(super) fn revive(&mut self, id: NamespaceId) -> Option<NamespaceId> {
        let mut namespace = self.by_id.remove(id)?;
        namespace.forgotten = false;
        Some(self.insert(namespace))
    }

    /// Frees the place of a forgotten one.
    pub(super) fn remove(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.by_id.remove(id) {
            self.by_name.remove(&namespace.name);
            self.first_ack = self.first_ack.max(namespace.acks.next());
        }
    }
}
