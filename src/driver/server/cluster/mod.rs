//! A server among others: what it tells them, what it asks them, and what it does when they tell or ask.
//!
//! An adapter starts a *link* for each server, which carries what is told. The rooms of a server stay its own: what is
//! for the sockets of others goes over the link, and each delivers it to its own.

pub(crate) mod asking;
pub(crate) mod counters;
mod hearing;
pub(crate) mod line;
pub(crate) mod local;
pub(in crate::driver::server) mod membership;
pub(in crate::driver::server) mod requests;
mod server_events;

use std::sync::{Arc, Weak};
use std::time::Duration;

use self::counters::ClusterStats;
use crate::core::server::cluster::ClusterMessage;
use crate::error::Result;

/// Begins a link to the other servers of a cluster.
pub(crate) trait StartLink: Send + Sync {
    /// For one server.
    fn start(&self) -> Result<Arc<dyn ClusterLink>>;
}

/// Carries what a server and the others of its cluster tell each other. What one server tells of a namespace
/// reaches each of the others in its order, once or not at all.
pub(crate) trait ClusterLink: Send + Sync {
    /// The server takes part in a namespace, where it has this name; what others tell goes to `hears`. Before this
    /// returns nothing is asked, but what is told meanwhile may be missed.
    fn enter(&self, namespace: &str, name: &Arc<str>, hears: Weak<dyn HearCluster>);

    /// Tells the others. It does not block.
    ///
    /// Under the lock by which a namespace keeps the order of its broadcasts.
    ///
    /// # Errors
    ///
    /// They will not hear of it: too much waits, or the link has ended.
    fn tell(&self, namespace: &str, message: ClusterMessage) -> Result<()>;

    /// Asks the others; `asked` hears how many there are, which may be later than the first of them answers, or why they
    /// cannot be asked. It does not block, and `asked` may be called before it returns.
    fn ask(&self, namespace: &str, message: Option<ClusterMessage>, asked: Asked);

    /// How it has been.
    fn stats(&self) -> ClusterStats;

    /// Waits until what was told before has gone out, or cannot, or the limit has passed.
    fn flush(&self, limit: Duration);

    /// It is not needed any more. What waits is still told, if that can be done at once.
    fn end(&self);
}

/// Hears how many other servers are asked.
pub(crate) type Asked = Box<dyn FnOnce(Result<usize>) + Send>;

/// Hears what other servers tell of a namespace, on a thread of the link.
pub(crate) trait HearCluster: Send + Sync {
    /// Whether somebody is in a room of this name: else an event for it alone need not be read.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    fn has_room(&self, room: &str) -> bool;

    /// A server of this name, if it has one, has told something. It does not block, and runs no user's code.
    fn hear(&self, from: Option<&str>, message: ClusterMessage);
}
