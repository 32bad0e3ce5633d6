//! A server among others.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::handles::Broadcast;
use crate::core::server::cluster::SocketDetails;
use crate::driver::server::broadcast::BroadcastReport;
use crate::driver::server::cluster::StartLink;
use crate::driver::server::cluster::asking::AskedServers;
use crate::driver::server::cluster::local::LocalCluster;
use crate::driver::server::parts::ServedNamespace;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;

/// By what a server is one of a cluster; see [`ServerBuilder::adapter`](crate::server::ServerBuilder::adapter).
#[derive(Clone)]
pub struct Adapter(Arc<dyn StartLink>);

impl Adapter {
    #[cfg(feature = "redis")]
    pub(super) fn new(starter: Arc<dyn StartLink>) -> Self {
        Self(starter)
    }

    pub(super) fn starter(&self) -> &dyn StartLink {
        &*self.0
    }
}

impl From<&LocalCluster> for Adapter {
    fn from(cluster: &LocalCluster) -> Self {
        Self(Arc::new(cluster.clone()))
    }
}

impl From<LocalCluster> for Adapter {
    fn from(cluster: LocalCluster) -> Self {
        Self(Arc::new(cluster))
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}

/// What the servers of a cluster have answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterAnswers<T> {
    /// What has come in time, this server's own among it.
    pub answers: Vec<T>,
    /// What is missing of other servers: how many of how many have answered in time
    /// ([`ErrorKind::Timeout`](crate::ErrorKind::Timeout)), or why they could not be asked. `None`: nothing is.
    pub missing: Option<Error>,
}

impl<T> ClusterAnswers<T> {
    pub(super) fn new(answers: Vec<T>, missing: Option<Error>) -> Self {
        Self { answers, missing }
    }

    /// All answers.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn complete(self) -> Result<Vec<T>> {
        match self.missing {
            Some(missing) => Err(missing),
            None => Ok(self.answers),
        }
    }
}

/// The answers of other servers to an event, on their way.
#[must_use = "answers were asked for: wait for them, or emit without"]
pub struct ClusterAck(pub(super) AskedServers);

impl ClusterAck {
    /// Waits until each has answered, or has not in time.
    ///
    /// # Blocking
    ///
    /// For at most [`ServerBuilder::cluster_timeout`](crate::server::ServerBuilder::cluster_timeout).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) in a handler, where all threads for handlers wait
    /// already.
    pub fn wait(self) -> Result<ClusterAnswers<AckReply>> {
        let (answers, missing) = self.0.replies()?;
        Ok(ClusterAnswers::new(answers, missing))
    }
}

/// A socket of whichever server of a cluster, as it was when it was asked for.
#[derive(Clone)]
pub struct ClusterSocket {
    pub(super) namespace: Arc<ServedNamespace>,
    pub(super) details: SocketDetails,
}

impl ClusterSocket {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.details.id
    }

    /// The rooms that it is in.
    pub fn rooms(&self) -> &[Arc<str>] {
        &self.details.rooms
    }

    /// What its server shares as its data ([`ServerSocket::share_data`](crate::server::ServerSocket::share_data)).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when it is of another type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.details.data, "data")
    }

    /// What its server tells of how it has connected: an object with `address`, `secure` and `issued` (in ms since
    /// 1970). Servers in JavaScript tell more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when it is of another type.
    pub fn handshake<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.details.handshake, "handshake")
    }

    /// Emits an event to it.
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastReport> {
        self.alone().emit(event, args)
    }

    /// Has it join a room, a moment later.
    pub fn join(&self, room: &str) {
        self.alone().sockets_join(room);
    }

    /// Has it leave a room, a moment later.
    pub fn leave(&self, room: &str) {
        self.alone().sockets_leave(room);
    }

    /// Disconnects it, a moment later; with `close`, the connection below it too.
    pub fn disconnect(&self, close: bool) {
        self.alone().disconnect_sockets(close);
    }

    fn alone(&self) -> Broadcast {
        Broadcast::new(&self.namespace).to(self.id())
    }
}

impl fmt::Debug for ClusterSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSocket")
            .field("id", &self.id())
            .field("rooms", &self.rooms())
            .finish_non_exhaustive()
    }
}

fn decode<T: DeserializeOwned>(json: &str, what: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let what = format!("the {what} of the socket is of another type");
        Error::new(ErrorKind::Payload, what).with_source(error)
    })
}
