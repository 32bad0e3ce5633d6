//! Emitting to a cluster from a program that is no server.

use std::sync::Arc;

use serde::Serialize;

use super::redis_address::RedisAddress;
use crate::client::emitter::encode;
use crate::core::server::cluster::ClusterMessage;
use crate::core::server::rooms::Selection;
use crate::driver::server::redis::emitter::RedisSpeaker;
use crate::error::Result;

/// Emits to the clients of a cluster by Redis from a program without a server, as `@socket.io/redis-emitter` does. Each method
/// gives a new one; nothing is sent before [`emit`](Self::emit). Clones share one connection, which is made when it is
/// first needed.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// use siot::server::RedisEmitter;
///
/// let emitter = RedisEmitter::new("redis://127.0.0.1/");
/// emitter.to("dashboards").emit("report", ("daily", 17.5))?;
/// emitter.of("/admin").server_side_emit("reload", ())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it emits nothing by itself"]
pub struct RedisEmitter {
    speaker: Arc<RedisSpeaker>,
    namespace: Box<str>,
    selection: Selection,
    volatile: bool,
}

impl RedisEmitter {
    /// For the cluster by the Redis that a URL names, or any other [`RedisAddress`]. That it is none is an error of the
    /// first call.
    pub fn new(address: impl Into<RedisAddress>) -> Self {
        let speaker = RedisSpeaker::new(address.into().dialler, "socket.io");
        let selection = Selection::default();
        Self { speaker: Arc::new(speaker), namespace: "/".into(), selection, volatile: false }
    }

    /// What the names of channels begin with. Default: `socket.io`.
    pub fn key(self, key: &str) -> Self {
        let speaker = RedisSpeaker::new(self.speaker.dialler.clone(), key);
        Self { speaker: Arc::new(speaker), ..self }
    }

    /// Trusts these authorities, in PEM, and no others, with a URL `rediss:`. What cannot be read is an error of the first
    /// call. Default: those of the system.
    #[cfg(feature = "rustls")]
    pub fn ca_pem(self, pem: impl AsRef<[u8]>) -> Self {
        let dialler = self.speaker.dialler.clone().trusting(pem.as_ref());
        let speaker = RedisSpeaker::new(dialler, &self.speaker.key);
        Self { speaker: Arc::new(speaker), ..self }
    }

    /// Another namespace. A leading slash is added where it is missing. Default: `/`.
    pub fn of(&self, namespace: &str) -> Self {
        let slash = if namespace.starts_with('/') { "" } else { "/" };
        Self { namespace: format!("{slash}{namespace}").into(), ..self.clone() }
    }

    /// Those who are in this room too. Without any room, it is all of the namespace.
    pub fn to(&self, room: &str) -> Self {
        let mut other = self.clone();
        other.selection.rooms.push(room.into());
        other
    }

    /// Not those who are in this room.
    pub fn except(&self, room: &str) -> Self {
        let mut other = self.clone();
        other.selection.except.push(room.into());
        other
    }

    /// Only to those who take it at once.
    pub fn volatile(&self) -> Self {
        Self { volatile: true, ..self.clone() }
    }

    /// Emits an event.
    ///
    /// # Blocking
    ///
    /// Until Redis has it, for at most some ten seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when the arguments cannot be encoded,
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for a name that means something to the protocol,
    /// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) for a URL that names no Redis,
    /// [`ErrorKind::Transport`](crate::ErrorKind::Transport) when Redis is away, or refuses. It was not published then, unless the
    /// connection was lost just meanwhile. The next call connects again.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        let selection = self.selection.clone();
        self.say(&ClusterMessage::Broadcast { payload, selection, volatile: self.volatile })
    }

    /// Has sockets join a room.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn sockets_join(&self, room: &str) -> Result<()> {
        let selection = self.selection.clone();
        self.say(&ClusterMessage::Join { selection, rooms: vec![room.into()] })
    }

    /// Has sockets leave a room.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn sockets_leave(&self, room: &str) -> Result<()> {
        let selection = self.selection.clone();
        self.say(&ClusterMessage::Leave { selection, rooms: vec![room.into()] })
    }

    /// Disconnects sockets; with `close`, the connections below them too.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn disconnect_sockets(&self, close: bool) -> Result<()> {
        self.say(&ClusterMessage::Disconnect { selection: self.selection.clone(), close })
    }

    /// Emits an event to the servers themselves.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn server_side_emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        self.say(&ClusterMessage::ServerEvent { request: None, payload })
    }

    fn say(&self, message: &ClusterMessage) -> Result<()> {
        self.speaker.say(&self.namespace, message)
    }
}
