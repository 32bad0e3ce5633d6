//! A namespace as one of those that the servers of a cluster share.

use std::convert::Infallible;
use std::sync::Arc;

use super::ClusterLink;
use super::requests::ClusterRequests;
use crate::driver::server::inbox::Inbox;

/// What a namespace has for its part in a cluster.
pub(in crate::driver::server) struct ClusterMembership {
    pub(in crate::driver::server) link: Arc<dyn ClusterLink>,
    /// The name of the server there.
    pub(in crate::driver::server) name: Arc<str>,
    pub(in crate::driver::server) requests: ClusterRequests,
    /// Events of other servers that wait for their handlers, which only the pool calls.
    pub(in crate::driver::server) events: Inbox<Infallible>,
}

impl ClusterMembership {
    pub(in crate::driver::server) fn new(link: &Arc<dyn ClusterLink>, name: &str) -> Self {
        Self {
            link: Arc::clone(link),
            name: name.into(),
            requests: ClusterRequests::default(),
            events: Inbox::default(),
        }
    }
}
