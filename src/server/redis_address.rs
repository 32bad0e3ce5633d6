//! Where Redis is.

use crate::driver::server::redis::places::RedisDialler;

/// Where the Redis is by which servers are a cluster: one, which a URL names; the master that sentinels name; or a Redis
/// Cluster. For [`RedisAdapter::new`](crate::server::RedisAdapter::new) and [`RedisEmitter::new`](crate::server::RedisEmitter::new).
///
/// A URL is `redis://[user][:password@]host[:port][/database]`, `rediss:` with TLS (and the feature `rustls`), or
/// `redis+unix:///path` for a Unix socket.
///
/// ```
/// use siot::server::{RedisAdapter, RedisAddress};
///
/// let one = RedisAdapter::new("redis://10.0.0.1/");
/// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379", "redis://10.0.0.3:26379"];
/// let watched = RedisAdapter::new(RedisAddress::sentinels("redis://:secret@mymaster/", sentinels));
/// let nodes = ["redis://10.0.0.1:7000", "redis://10.0.0.2:7000", "redis://10.0.0.3:7000"];
/// let many = RedisAdapter::new(RedisAddress::cluster(nodes));
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `RedisAdapter::new`"]
pub struct RedisAddress {
    pub(super) dialler: RedisDialler,
}

impl RedisAddress {
    /// The master that sentinels know by a name, which is the host of the first URL: `redis://user:password@mymaster/0`. What
    /// else that one has is for the master too; its port is not. The other URLs name sentinels.
    ///
    /// Each connection that is made begins by asking a sentinel, or the next one where it does not answer within a
    /// second. What says that it is no master is not used. So a failover is followed when it has closed the connections, as
    /// Redis does with those of a master that it replaces; a master that hangs is left within a minute.
    pub fn sentinels<'a>(master: &str, sentinels: impl IntoIterator<Item = &'a str>) -> Self {
        Self { dialler: RedisDialler::sentinels(master, sentinels) }
    }

    /// Any of these nodes of a Redis Cluster, of which the first to answer is taken, from a random one on. Some are
    /// enough, and the other ones are known by them. All are to have the same user, password and kind of URL.
    ///
    /// A node passes on what is published to all others, and knows only its own subscribers: who asks the other servers has each
    /// node asked first, for at most a second each. While one of them is away and its cluster has not yet noticed, such
    /// requests fail with [`ErrorKind::Transport`](crate::ErrorKind::Transport); events go out.
    pub fn cluster<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Self {
        Self { dialler: RedisDialler::cluster(nodes) }
    }
}

impl From<&str> for RedisAddress {
    fn from(url: &str) -> Self {
        Self { dialler: RedisDialler::one(url) }
    }
}

impl From<&String> for RedisAddress {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<String> for RedisAddress {
    fn from(url: String) -> Self {
        url.as_str().into()
    }
}
