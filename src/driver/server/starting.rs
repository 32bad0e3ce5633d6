//! The beginning and the end of a server.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mio::Poll;

use super::alarm_clock::AlarmClock;
use super::cluster::StartLink;
use super::commands::IoCommands;
use super::door::Door;
use super::hub_options::HubOptions;
use super::io::{CLOCK, Io, WAKER};
use super::leading::Leadership;
use super::parts::{Hub, IoCommand};
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::DisconnectReason;
use crate::net::server::listener::ServerListener;
use crate::net::server::stream::ServerStream;
use crate::sync::lock::lock;

impl Hub {
    /// Starts the thread that serves, which nothing leads to before [`listen`](Self::listen).
    pub(crate) fn start(
        options: HubOptions,
        door: Door,
        adapter: Option<&dyn StartLink>,
    ) -> Result<Arc<Self>> {
        let cannot = |error| {
            Error::new(ErrorKind::Resource, "the system has no way to wait for connections")
                .with_source(error)
        };
        let poll = Poll::new().map_err(cannot)?;
        let commands = IoCommands::new(poll.registry(), WAKER).map_err(cannot)?;
        let clock = AlarmClock::new(poll.registry(), CLOCK).map_err(cannot)?;
        let link = adapter.map(StartLink::start).transpose()?;
        let hub = Self::new(options, door, commands, link);
        let leadership = Leadership::new(&hub.pool, hub.options.pool.stack_size).map_err(cannot)?;
        let (ended, end) = channel::<()>();
        *lock(&hub.end) = Some(end);
        let io = Io::new(poll, clock, Arc::clone(&hub), ended);
        leadership.start(Box::new(io))?;
        Ok(hub)
    }

    /// Serves whoever comes in by these. Those who have come before now wait in them.
    pub(crate) fn listen(&self, listeners: Vec<ServerListener>) {
        self.command(IoCommand::Listen(listeners));
    }

    /// Serves a connection that the program has accepted.
    pub(crate) fn adopt(&self, stream: TcpStream) -> Result<()> {
        let address = stream.peer_addr().and_then(|address| {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(address)
        });
        let address = address.map_err(|error| {
            Error::new(ErrorKind::Transport, "the connection is gone").with_source(error)
        })?;
        let stream = ServerStream::Tcp(mio::net::TcpStream::from_std(stream));
        self.command(IoCommand::Serve(Box::new(stream), Some(address)));
        Ok(())
    }

    /// Ends the server: no clients are taken any more, those that there are are told, what waits for them is written
    /// within the limit. `false`: it was not. Connections are taken until then: who polls may make one for each GET.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        let deadline = Instant::now().checked_add(limit);
        for peer in self.begin_closing() {
            peer.close(DisconnectReason::ServerShuttingDown);
        }
        let is_done = self.wait_for_peers(deadline);
        for peer in self.peers() {
            peer.cut(DisconnectReason::ServerShuttingDown, None);
        }
        let left = || deadline.map_or(limit, |at| at.saturating_duration_since(Instant::now()));
        if let Some(link) = &self.link {
            link.flush(left());
        }
        let left = left();
        self.command(IoCommand::End(now() + left));
        let end: Option<Receiver<()>> = lock(&self.end).take();
        // A handler cannot wait for what ends behind it.
        if let Some(end) = end.filter(|_| !self.pool.is_own_thread()) {
            let _ = end.recv_timeout(left.saturating_add(Duration::from_secs(5)));
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
