//! A cluster by Redis.

use std::sync::Arc;

use super::cluster::Adapter;
use super::redis_address::RedisAddress;
use crate::driver::server::cluster::line::LineBounds;
use crate::driver::server::redis::RedisOptions;

/// Makes a server one of a cluster whose servers share broadcasts by Redis, beside others of this library and those in
/// JavaScript that have `@socket.io/redis-adapter` 8.
///
/// It has two connections to Redis, with a thread each. While there is none, the server goes on for its own clients; what is
/// emitted for others waits, up to [`queue_bytes`](Self::queue_bytes), and requests fail at once. Both connections come
/// back by themselves, after pauses from 50 ms to 5 s; what others have said meanwhile is missed. See
/// [`Server::cluster_stats`](crate::server::Server::cluster_stats).
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// use siot::server::{RedisAdapter, Server};
///
/// let server = Server::builder()
///     .adapter(RedisAdapter::new("redis://127.0.0.1/"))
///     .bind("0.0.0.0:3000")?;
/// server.emit("news", "for the clients of all servers")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `ServerBuilder::adapter`"]
pub struct RedisAdapter {
    options: RedisOptions,
}

impl RedisAdapter {
    /// By the Redis that a URL names, or any other [`RedisAddress`]. That it is none is an error of
    /// [`ServerBuilder::bind`](crate::server::ServerBuilder::bind).
    pub fn new(address: impl Into<RedisAddress>) -> Self {
        Self {
            options: RedisOptions {
                dialler: address.into().dialler,
                key: "socket.io".into(),
                answers_apart: false,
                bounds: LineBounds { items: 65_536, bytes: 16 * 1024 * 1024 },
                drop_while_away: false,
                max_message: 16 * 1024 * 1024,
            },
        }
    }

    /// Trusts these authorities, in PEM, and no others, with a URL `rediss:`. What cannot be read is an error of
    /// [`ServerBuilder::bind`](crate::server::ServerBuilder::bind). Default: those of the system.
    #[cfg(feature = "rustls")]
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.options.dialler = self.options.dialler.trusting(pem.as_ref());
        self
    }

    /// What the names of channels begin with: the same for all servers of a cluster. Default: `socket.io`.
    pub fn key(mut self, key: &str) -> Self {
        self.options.key = key.into();
        self
    }

    /// Whether answers go only to the server that has asked, by a channel of its own, which servers in JavaScript have
    /// since version 7.1 of their adapter. Default: no.
    pub fn publish_on_specific_response_channel(mut self, apart: bool) -> Self {
        self.options.answers_apart = apart;
        self
    }

    /// How many bytes may wait to be published. What is emitted beyond that is not, which
    /// [`BroadcastReport::is_unpublished`](crate::server::BroadcastReport::is_unpublished) tells. Default: 16 MiB. One message, however
    /// large, may wait alone.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.options.bounds.bytes = bytes;
        self
    }

    /// How many messages may. Default: 65,536.
    pub fn queue_messages(mut self, count: usize) -> Self {
        self.options.bounds.items = count;
        self
    }

    /// Whether what is emitted while Redis is away is for the clients of this server alone, instead of waiting for Redis to
    /// be back: for values that are worth nothing later. Default: no.
    pub fn drop_while_away(mut self, drop: bool) -> Self {
        self.options.drop_while_away = drop;
        self
    }

    /// The largest message of other servers that is read, in bytes; larger ones are ignored. Default: 16 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.options.max_message = bytes;
        self
    }
}

impl From<RedisAdapter> for Adapter {
    fn from(adapter: RedisAdapter) -> Self {
        Self::new(Arc::new(adapter.options))
    }
}
