//! What other threads ask of the one that serves the connections.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mio::{Registry, Token, Waker};

use super::peer::Peer;
use super::wire::Wire;
use crate::net::server::stream::ServerStream;
use crate::sync::lock::lock;

/// Something to be done by that thread.
pub(super) enum Command {
    /// The GET that this client has waiting is to be answered.
    AnswerPoll(Token, Arc<Peer>),
    /// There may be more to read from this client.
    ReadOn(Arc<Peer>, Token),
    /// A connection that the program has accepted.
    Serve(Box<ServerStream>, Option<SocketAddr>),
    /// The WebSocket is done with, once what is left is written and read.
    Linger(Box<Wire>),
    /// Whoever holds still for this client may go on.
    GoOn(Arc<Peer>),
    /// The connection is gone.
    Close(Token),
    /// The server ends: no further connections are taken.
    StopListening,
    /// All ends.
    End,
}

/// The commands that wait.
pub(super) struct Commands {
    waiting: Mutex<Vec<Command>>,
    waker: Arc<Waker>,
}

impl Commands {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), waker: Arc::new(Waker::new(registry, token)?) })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn give(&self, command: Command) {
        let mut waiting = lock(&self.waiting);
        waiting.push(command);
        let is_first = waiting.len() == 1;
        drop(waiting);
        if is_first {
            // It fails only where the thread is gone.
            let _ = self.waker.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}
