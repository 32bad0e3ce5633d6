//! A socket, as the program has it.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;

use super::handles::{Broadcast, ServerNamespace, ServerSocket};
use crate::driver::server::handshake::SocketHandshake;
use crate::driver::server::parts::ServedSocket;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Transport;

impl ServerSocket {
    pub(super) fn new(served: Arc<ServedSocket>) -> Self {
        Self { served }
    }

    /// Its id, which no other socket has, and nobody can guess.
    pub fn id(&self) -> &str {
        &self.served.id
    }

    /// What is known of the client since it connected.
    pub fn handshake(&self) -> &SocketHandshake {
        &self.served.handshake
    }

    /// Its namespace.
    pub fn namespace(&self) -> ServerNamespace {
        ServerNamespace::new(Arc::clone(&self.served.namespace))
    }

    /// Whether the client has come back to it after its connection was lost, with its id, rooms and data, and has got what
    /// it missed; see [`ServerBuilder::connection_state_recovery`](crate::server::ServerBuilder::connection_state_recovery).
    pub fn recovered(&self) -> bool {
        self.served.is_recovered
    }

    /// By which transport its client is connected now.
    pub fn transport(&self) -> Transport {
        self.served.transport()
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.served.is_connected()
    }

    /// Joins a room. A socket that is disconnected joins none.
    pub fn join(&self, room: &str) {
        self.served.join(room);
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        self.served.leave(room);
    }

    /// The rooms that it is in, its own among them, or was in when it was disconnected.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.served.rooms()
    }

    /// All others of the namespace.
    pub fn broadcast(&self) -> Broadcast {
        self.namespace().except(self.id())
    }

    /// All others in a room.
    pub fn to(&self, room: &str) -> Broadcast {
        self.broadcast().to(room)
    }

    /// All others but for those in a room.
    pub fn except(&self, room: &str) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Disconnects the client from this namespace. It is told, and does not come back by itself.
    pub fn disconnect(&self) {
        self.disconnect_with(false);
    }

    /// Disconnects the client from all namespaces, and closes its connection.
    pub fn disconnect_client(&self) {
        self.disconnect_with(true);
    }

    fn disconnect_with(&self, close: bool) {
        self.served.leave_server(close);
    }

    /// What other servers of the cluster see as its data ([`ClusterSocket::data`](crate::server::ClusterSocket::data)), and servers in
    /// JavaScript as `socket.data`. Default: an empty object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when it cannot be written as JSON.
    pub fn share_data(&self, data: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(data).map_err(|error| {
            Error::new(ErrorKind::Payload, "the data to share is no JSON").with_source(error)
        })?;
        self.served.attached().shared = Some(json.into());
        Ok(())
    }

    /// What the program has attached to it: the value of this type.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let server = siot::server::Server::builder().bind("127.0.0.1:3000")?;
    /// struct User(String);
    ///
    /// server.authorize(|socket| {
    ///     let name: String = socket.handshake().auth()?;
    ///     socket.set_data(User(name));
    ///     Ok(())
    /// });
    /// server.on("hello", |socket, _| println!("{}", socket.data::<User>().unwrap().0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.served.look_at_attached(|attached| {
            attached.data.iter().find_map(|value| Arc::clone(value).downcast().ok())
        })
    }

    /// Attaches a value, one of each type; gives the one that was there.
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut attached = self.served.attached();
        if let Some(old) = attached.data.iter_mut().find(|old| old.is::<T>()) {
            return std::mem::replace(old, value).downcast().ok();
        }
        attached.data.push(value);
        None
    }
}

impl std::fmt::Debug for ServerSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSocket")
            .field("id", &self.id())
            .field("namespace", &self.served.namespace.name)
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
