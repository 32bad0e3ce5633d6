//! The beginning and the end of a server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mio::Poll;

use super::commands::{Command, Commands};
use super::hub::{Hub, HubOptions};
use super::io::{Io, WAKER};
use crate::core::server::session::SessionEndReason;
use crate::error::{Error, ErrorKind, Result};
use crate::net::server::listener::ServerListener;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, spawn};

impl Hub {
    /// Starts the thread that serves these listeners.
    pub(crate) fn start(options: HubOptions, listeners: Vec<ServerListener>) -> Result<Arc<Self>> {
        let cannot = |error| {
            Error::new(ErrorKind::Resource, "the system has no way to wait for connections")
                .with_source(error)
        };
        let poll = Poll::new().map_err(cannot)?;
        let commands = Commands::new(poll.registry(), WAKER).map_err(cannot)?;
        let hub = Self::new(options, commands);
        let io = Io::new(poll, Arc::clone(&hub), listeners).map_err(cannot)?;
        let (ended, end) = channel::<()>();
        *lock(&hub.end) = Some(end);
        spawn(Role::Server, None, move || {
            io.serve();
            drop(ended);
        })?;
        Ok(hub)
    }

    /// Ends the server: no connections are taken any more, clients are told, what waits for them is written within the
    /// limit. `false`: it was not.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        let deadline = Instant::now().checked_add(limit);
        self.is_closing.store(true, Ordering::Release);
        self.command(Command::StopListening);
        for peer in self.peers() {
            peer.close(SessionEndReason::ServerShuttingDown);
        }
        let is_done = self.wait_for_peers(deadline);
        for peer in self.peers() {
            peer.cut(SessionEndReason::ServerShuttingDown, None);
        }
        self.command(Command::End);
        let end: Option<Receiver<()>> = lock(&self.end).take();
        // A handler cannot wait for what ends behind it.
        if let Some(end) = end.filter(|_| !self.pool.is_own_thread()) {
            let _ = end.recv_timeout(Duration::from_secs(5));
        }
        is_done
    }

    /// Waits until no client is left.
    fn wait_for_peers(&self, deadline: Option<Instant>) -> bool {
        let mut peers = lock(&self.peers);
        while !peers.is_empty() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            peers = peers.wait(&self.peer_gone, left);
        }
        true
    }
}
