//! Emitting to a cluster without being one of its servers.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::Connection;

use super::dialling::failed;
use super::places::RedisDialler;
use crate::core::server::cluster::ClusterMessage;
use crate::core::server::redis_format::{ClusterSpeaker, NamespaceChannels, Publication, encode};
use crate::error::Result;
use crate::sync::lock::lock;

/// How long Redis may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection that was not used for so long is made anew: it may be gone.
const IDLE: Duration = Duration::from_secs(1);

/// By what it is known among servers.
const NAME: &str = "emitter";

/// Publishes to the servers of a cluster from the threads of its callers.
#[derive(Debug)]
pub(crate) struct RedisSpeaker {
    pub(crate) dialler: RedisDialler,
    pub(crate) key: Box<str>,
    connection: Mutex<Option<UsedConnection>>,
}

/// A connection, and when it was used last.
struct UsedConnection {
    connection: Connection,
    at: Instant,
}

impl RedisSpeaker {
    pub(crate) fn new(dialler: RedisDialler, key: &str) -> Self {
        Self { dialler, key: key.into(), connection: Mutex::default() }
    }

    /// Publishes; blocks until Redis has it. An error: it may have been published all the same, if the connection was lost.
    pub(crate) fn say(&self, namespace: &str, message: &ClusterMessage) -> Result<()> {
        let channels = NamespaceChannels::new(&self.key, namespace, NAME);
        let speaker =
            ClusterSpeaker { name: NAME, namespace, channels: &channels, answers_apart: false };
        let Publication { channel, bytes } = encode(speaker, message);
        let mut kept = lock(&self.connection);
        let used = kept.take().filter(|used| is_fresh(used.at, Instant::now()));
        let mut connection = match used.map(|used| used.connection) {
            Some(connection) => connection,
            None => self.dialler.dial(ANSWER)?,
        };
        let published = redis::cmd("PUBLISH").arg(channel).arg(bytes).exec(&mut connection);
        published.map_err(|error| failed("an event could not be published", &error))?;
        *kept = Some(UsedConnection { connection, at: Instant::now() });
        Ok(())
    }
}

/// Whether a connection that was used then is used again.
fn is_fresh(used: Instant, now: Instant) -> bool {
    now.duration_since(used) < IDLE
}

impl std::fmt::Debug for UsedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsedConnection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_used_again_within_a_second() {
        let used = Instant::now();
        assert!(is_fresh(used, used + IDLE.saturating_sub(Duration::from_nanos(1))));
        assert!(!is_fresh(used, used + IDLE));
    }
}
