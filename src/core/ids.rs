//! The numbers of links and namespaces.

/// One transport connection: a WebSocket, or the two request lanes of long-polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u32);

/// The number of a namespace in its connection, which no other one there gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamespaceId(pub(super) u64);
