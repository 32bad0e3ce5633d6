//! A server that runs.

use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::builder::ServerBuilder;
use super::handles::{RunningServer, Server, ServerNamespace};
use crate::driver::server::cluster::counters::ClusterStats;
use crate::driver::server::parts::Hub;
use crate::error::Result;

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.hub.close(Duration::ZERO);
    }
}

impl Server {
    /// Options for a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    pub(super) fn new(hub: Arc<Hub>, addresses: Vec<SocketAddr>) -> Self {
        let root = ServerNamespace::new(hub.of("/"));
        Self { root, owner: Arc::new(RunningServer { hub, addresses }) }
    }

    /// A namespace, which is made if it does not exist. A leading slash is added where it is missing.
    pub fn of(&self, name: &str) -> ServerNamespace {
        let name = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        ServerNamespace::new(self.owner.hub.of(&name))
    }

    /// Namespaces that are made when a client asks for them and the function says that they may exist. Each begins with
    /// the handlers that the one has which this gives. The function may block.
    pub fn of_dynamic(
        &self,
        may_exist: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> ServerNamespace {
        ServerNamespace::new(self.owner.hub.add_family("", Arc::new(may_exist)))
    }

    /// The namespaces that there are.
    pub fn namespaces(&self) -> Vec<ServerNamespace> {
        self.owner.hub.namespaces().into_iter().map(ServerNamespace::new).collect()
    }

    /// The addresses that it listens at.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.owner.addresses
    }

    /// How it and the other servers of its cluster get along; `None`: it has no
    /// [adapter](crate::server::ServerBuilder::adapter).
    pub fn cluster_stats(&self) -> Option<ClusterStats> {
        self.owner.hub.cluster_stats()
    }

    /// Serves a connection that the program has accepted itself, before anything was read from it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transport`](crate::ErrorKind::Transport) when it is gone.
    pub fn serve(&self, stream: TcpStream) -> Result<()> {
        self.owner.hub.adopt(stream)
    }

    /// Ends all sessions as if the connections below had failed.
    #[cfg(feature = "testing")]
    pub(crate) fn lose_clients(&self) {
        self.owner.hub.lose_clients();
    }

    /// How many clients have a session.
    pub fn clients(&self) -> usize {
        self.owner.hub.count_peers()
    }

    /// Ends the server: it takes no clients any more, tells all that it has, and waits until they have what is left
    /// for them, or the limit has passed. Then all connections are cut, and the addresses free. Handlers that run go
    /// on; what came before is still handled, the ends of sockets last. `false`: the limit has passed before all was read.
    ///
    /// A program that ends by [`std::process::exit`] without this loses what its clients have yet to take, and of what a
    /// thread has just said in a row the last.
    ///
    /// # Blocking
    ///
    /// For at most `limit`, and a moment. In a handler of the server, it does not wait for the last of its threads.
    pub fn close(&self, limit: Duration) -> bool {
        self.owner.hub.close(limit)
    }
}

impl Deref for Server {
    type Target = ServerNamespace;

    fn deref(&self) -> &ServerNamespace {
        &self.root
    }
}
