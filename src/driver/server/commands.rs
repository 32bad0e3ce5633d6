//! What other threads ask of the one that serves the connections.

use std::io;
use std::sync::{Arc, Mutex};

use mio::{Registry, Token, Waker};

use super::door::Decision;
use super::peer::Peer;
use super::wire::PeerWire;
use crate::net::server::stream::{PeerAddress, ServerStream};
use crate::sync::lock::lock;

/// Something to be done by that thread.
pub(super) enum IoCommand {
    /// The connection of a GET was answered, and there is more to it.
    Fetch(Token),
    /// The program has decided about the request that waits on this connection.
    Decided(Token, Decision),
    /// There may be more to read from this client.
    ReadOn(Arc<Peer>, Token),
    /// A connection that the program has accepted.
    Serve(Box<ServerStream>, PeerAddress),
    /// The WebSocket is done with, once what is left is written and read.
    Linger(Box<PeerWire>),
    /// Whoever holds still for this client may go on.
    GoOn(Arc<Peer>),
    /// The connection is gone.
    Close(Token),
    /// All ends.
    End,
}

/// The commands that wait.
pub(super) struct IoCommands {
    waiting: Mutex<Vec<IoCommand>>,
    waker: Arc<Waker>,
}

impl IoCommands {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), waker: Arc::new(Waker::new(registry, token)?) })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn give(&self, command: IoCommand) {
        let mut waiting = lock(&self.waiting);
        waiting.push(command);
        let is_first = waiting.len() == 1;
        drop(waiting);
        if is_first {
            // It fails only where the thread is gone.
            let _ = self.waker.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<IoCommand> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}
