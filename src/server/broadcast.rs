//! Emitting to many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::handles::{Broadcast, BroadcastAck, ServerSocket};
use crate::client::emitter::encode;
use crate::driver::server::broadcast::{BroadcastFlags, BroadcastReport};
use crate::driver::server::parts::ServedNamespace;
use crate::error::Result;
use crate::event::AckReply;

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
    /// the protocol. That a client is behind, or gone, is no error: the report tells.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastReport> {
        Ok(self.namespace.broadcast(&self.flags, encode(event, &args)?))
    }

    /// Emits, and asks each for an acknowledgement.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_with_ack<T: Serialize>(&self, event: &str, args: T) -> Result<BroadcastAck> {
        let payload = encode(event, &args)?;
        let hub = &self.namespace.hub;
        let limit = self.ack_timeout.unwrap_or(hub.options.ack_timeout);
        let gathered = self.namespace.broadcast_with_ack(&self.flags, &payload, limit);
        Ok(BroadcastAck { namespace: Arc::clone(&self.namespace), gathered, limit })
    }

    /// Those to whom it would go now.
    pub fn sockets(&self) -> Vec<ServerSocket> {
        let sockets = self.namespace.select(&self.flags.selection);
        sockets.into_iter().map(ServerSocket::new).collect()
    }

    /// Has them all join a room.
    pub fn sockets_join(&self, room: &str) {
        for socket in self.namespace.select(&self.flags.selection) {
            socket.join(room);
        }
    }

    /// Has them all leave a room.
    pub fn sockets_leave(&self, room: &str) {
        for socket in self.namespace.select(&self.flags.selection) {
            socket.leave(room);
        }
    }

    /// Disconnects them all; with `close`, the connections below them too, with what else uses those.
    pub fn disconnect_sockets(&self, close: bool) {
        for socket in self.sockets() {
            socket.disconnect_with(close);
        }
    }
}

impl BroadcastAck {
    /// Waits until each has answered, is gone, or has not answered in time: an answer or an error for each, by the ids
    /// of the sockets, in the order in which they came.
    ///
    /// # Blocking
    ///
    /// For at most the limit of the broadcast ([`Broadcast::timeout`]).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) in a handler, where all threads for handlers wait
    /// already, so that nothing could bring an answer about.
    pub fn wait(self) -> Result<Vec<(Arc<str>, Result<AckReply>)>> {
        let deadline = Instant::now().checked_add(self.limit);
        self.namespace.hub.while_waiting(|| self.gathered.wait(deadline))
    }
}
