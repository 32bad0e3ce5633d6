//! What a link counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one link.
#[derive(Debug, Default)]
pub(crate) struct LinkCounters {
    pub(crate) told: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) heard: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) gaps: AtomicU64,
}

impl LinkCounters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, is_connected: bool) -> ClusterStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClusterStats {
            is_connected,
            told: of(&self.told),
            lost: of(&self.lost),
            heard: of(&self.heard),
            malformed: of(&self.malformed),
            dropped: 0,
            gaps: of(&self.gaps),
        }
    }
}

/// How a server and the others of its cluster get along; see [`Server::cluster_stats`](crate::server::Server::cluster_stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Whether what is told goes out now, and what others tell comes in.
    pub is_connected: bool,
    /// How many messages went out.
    pub told: u64,
    /// How many did not, since too much waited for the connection, or it was lost on their way.
    pub lost: u64,
    /// How many came in.
    pub heard: u64,
    /// How many of them were none, and ignored.
    pub malformed: u64,
    /// How many events of other servers ([`server_side_emit`](crate::server::ServerNamespace::server_side_emit)) were dropped, since too many
    /// waited for their handlers.
    pub dropped: u64,
    /// How often what others told may have been missed, since the connection was lost.
    pub gaps: u64,
}
