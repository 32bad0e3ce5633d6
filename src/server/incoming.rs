//! What comes by the sockets of a server, for a program that takes it by threads of its own.

use std::sync::Arc;

use super::handles::ServerSocket;
use crate::driver::server::feed::{ItemNews, SocketItem};
use crate::driver::server::leaving::Leaving;
use crate::driver::server::parts::ServedSocket;
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::sync::account::{AccountId, ONLY, SECOND};
use crate::sync::deliver::{Deliver, Receipts};

/// Something that has come by a socket of a server; see
/// [`ServerNamespace::subscribe_all`](crate::server::ServerNamespace::subscribe_all).
///
/// Of each socket [`SocketNews::Connected`] comes first, and [`SocketNews::Disconnected`] last.
#[derive(Debug)]
#[non_exhaustive]
pub struct SocketIncoming {
    /// The socket.
    pub socket: ServerSocket,
    /// What has come.
    pub news: SocketNews,
    /// As long as the program has it, the socket counts as a client.
    _leaving: Option<LeavingSocket>,
}

/// What has come by a socket of a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketNews {
    /// A client has joined the namespace, and was told so.
    Connected,
    /// An event of the client's.
    Event(Event),
    /// It has left. Nothing can be emitted to it any more.
    Disconnected(DisconnectReason),
}

struct LeavingSocket {
    _counts: Leaving,
}

impl std::fmt::Debug for LeavingSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LeavingSocket")
    }
}

impl From<SocketItem> for SocketIncoming {
    fn from(item: SocketItem) -> Self {
        let socket = ServerSocket::new(item.socket);
        let (news, leaving) = match item.news {
            ItemNews::Connected => (SocketNews::Connected, None),
            ItemNews::Event(event) => (SocketNews::Event(event), None),
            ItemNews::Disconnected(reason, leaving) => {
                (SocketNews::Disconnected(reason), Some(LeavingSocket { _counts: leaving }))
            }
        };
        Self { socket, news, _leaving: leaving }
    }
}

impl Deliver for SocketIncoming {
    fn size(&self) -> usize {
        match &self.news {
            SocketNews::Event(event) => event.size(),
            SocketNews::Connected | SocketNews::Disconnected(_) => 0,
        }
    }

    fn account(&self) -> AccountId {
        match &self.news {
            SocketNews::Event(_) => ONLY,
            SocketNews::Connected | SocketNews::Disconnected(_) => SECOND,
        }
    }

    const ADD_RECEIPT: Option<fn(Self, &Receipts) -> Self> = Some(|incoming, receipts| {
        match (incoming.news, Event::ADD_RECEIPT) {
            (SocketNews::Event(event), Some(add)) => {
                Self { news: SocketNews::Event(add(event, receipts)), ..incoming }
            }
            // Nobody waits for room for the others.
            (news, _) => Self { news, ..incoming },
        }
    });
}

/// A socket that is new; see [`ServerNamespace::connections`](crate::server::ServerNamespace::connections).
impl Deliver for ServerSocket {
    fn size(&self) -> usize {
        0
    }
}

impl From<Arc<ServedSocket>> for ServerSocket {
    fn from(served: Arc<ServedSocket>) -> Self {
        Self::new(served)
    }
}

impl From<ServerSocket> for Arc<ServedSocket> {
    fn from(socket: ServerSocket) -> Self {
        socket.served
    }
}
