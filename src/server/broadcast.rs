//! Emitting to many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::cluster::{ClusterAnswers, ClusterSocket};
use super::handles::{Broadcast, BroadcastAck, ServerSocket};
use crate::client::emitter::encode;
use crate::driver::server::broadcast::{BroadcastFlags, BroadcastReport};
use crate::driver::server::gathered::BroadcastReply;
use crate::driver::server::parts::ServedNamespace;
use crate::error::Result;

impl Broadcast {
    pub(super) fn new(namespace: &Arc<ServedNamespace>) -> Self {
        let flags = BroadcastFlags::default();
        Self { namespace: Arc::clone(namespace), flags, ack_timeout: None }
    }

    /// Those who are in this room too. Without any room, it is all of the namespace. A socket is in a room of its
    /// own, named by its id.
    pub fn to(mut self, room: &str) -> Self {
        self.flags.selection.rooms.push(room.into());
        self
    }

    /// The same as [`to`](Self::to).
    pub fn in_(self, room: &str) -> Self {
        self.to(room)
    }

    /// Not those who are in this room.
    pub fn except(mut self, room: &str) -> Self {
        self.flags.selection.except.push(room.into());
        self
    }

    /// Only to those who take it at once: not to a client to whom something is still being written, or who polls
    /// and does not wait for an answer.
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Only the sockets of this server, and not those of others in its cluster.
    pub fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits for acknowledgements. Default:
    /// [`ServerBuilder::ack_timeout`](crate::server::ServerBuilder::ack_timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.ack_timeout = Some(limit);
        self
    }

    /// Emits. The event is encoded once, and all who get it from several broadcasts get those in the same order. It
    /// never blocks: what a client does not take at once waits for it, up to
    /// [`ServerBuilder::send_bytes`](crate::server::ServerBuilder::send_bytes).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) when the arguments cannot be encoded,
    /// [`ErrorKind::ReservedEvent`](crate::ErrorKind::ReservedEvent) for a name that means something to
    /// the protocol, [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for more attachments than
    /// [`ServerBuilder::max_attachments`](crate::server::ServerBuilder::max_attachments). That a client is behind, or gone, is no error: the report tells.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastReport> {
        let payload = encode(event, &args)?;
        self.namespace.hub.check_attachments(&payload)?;
        Ok(self.namespace.broadcast(&self.flags, payload))
    }

    /// Emits, and asks each for an acknowledgement.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastAck> {
        let payload = encode(event, &args)?;
        let hub = &self.namespace.hub;
        hub.check_attachments(&payload)?;
        let limit = self.ack_timeout.unwrap_or(hub.options.ack_timeout);
        let asked = self.namespace.broadcast_with_ack(&self.flags, &payload, limit);
        Ok(BroadcastAck { namespace: Arc::clone(&self.namespace), asked, limit })
    }

    /// Those of this server to whom it would go now.
    pub fn sockets(&self) -> Vec<ServerSocket> {
        let sockets = self.namespace.select(&self.flags.selection);
        sockets.into_iter().map(ServerSocket::new).collect()
    }

    /// Those to whom it would go now, on all servers of the cluster.
    ///
    /// # Blocking
    ///
    /// In a cluster, for at most [`ServerBuilder::cluster_timeout`](crate::server::ServerBuilder::cluster_timeout).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) in a handler, where all threads for handlers wait
    /// already. That other servers do not answer is none: [`ClusterAnswers::missing`] tells.
    pub fn fetch_sockets(&self) -> Result<ClusterAnswers<ClusterSocket>> {
        let (sockets, missing) = self.namespace.fetch_sockets(&self.flags)?;
        let socket = |details| ClusterSocket { namespace: Arc::clone(&self.namespace), details };
        Ok(ClusterAnswers { answers: sockets.into_iter().map(socket).collect(), missing })
    }

    /// Has them all join a room. Those of other servers of the cluster do so a moment later.
    pub fn sockets_join(&self, room: &str) {
        self.namespace.join_rooms(&self.flags, &[room.into()]);
    }

    /// Has them all leave a room. Those of other servers of the cluster do so a moment later.
    pub fn sockets_leave(&self, room: &str) {
        self.namespace.leave_rooms(&self.flags, &[room.into()]);
    }

    /// Disconnects them all; with `close`, the connections below them too, with what else uses those. Those of other
    /// servers of the cluster are disconnected a moment later.
    pub fn disconnect_sockets(&self, close: bool) {
        self.namespace.disconnect_sockets(&self.flags, close);
    }
}

impl BroadcastAck {
    /// Waits until each has answered, is gone, or has not answered in time: an answer or an error for each client of this
    /// server, and the answers of those of other servers, in the order in which they came.
    ///
    /// # Blocking
    ///
    /// For at most the limit of the broadcast ([`Broadcast::timeout`]).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) in a handler, where all threads for handlers wait
    /// already, so that nothing could bring an answer about.
    pub fn wait(self) -> Result<ClusterAnswers<BroadcastReply>> {
        let deadline = Instant::now().checked_add(self.limit);
        let hub = &self.namespace.hub;
        let (answers, missing) = hub.while_waiting(|| self.asked.gathered.wait(deadline))?;
        Ok(ClusterAnswers { answers, missing })
    }
}

impl Drop for BroadcastAck {
    fn drop(&mut self) {
        if let Some(request) = &self.asked.request {
            self.namespace.end_request(request);
        }
    }
}
