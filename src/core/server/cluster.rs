//! What the servers of a cluster tell each other, whatever carries it.

use std::sync::Arc;
use std::time::Duration;

use super::rooms::Selection;
use crate::payload::Payload;
use crate::proto::json::scan;

/// Names a request among those that are under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(pub(crate) Box<str>);

/// What a server tells the others about a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterMessage {
    /// An event for those whom the selection names.
    Broadcast { payload: Payload, selection: Selection, volatile: bool },
    /// The same; each is to acknowledge it within the limit.
    AskClients { request: RequestId, payload: Payload, selection: Selection, limit: Duration },
    /// They all join these rooms.
    Join { selection: Selection, rooms: Vec<Arc<str>> },
    /// They all leave these rooms.
    Leave { selection: Selection, rooms: Vec<Arc<str>> },
    /// They are all disconnected, with `close` from all namespaces.
    Disconnect { selection: Selection, close: bool },
    /// Who is there?
    FetchSockets { request: RequestId, selection: Selection },
    /// The ids of those who are there: what servers of older versions ask.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    FetchIds { request: RequestId, selection: Selection },
    /// Which rooms are there?
    FetchRooms { request: RequestId },
    /// An event for the servers themselves, who answer where there is a request.
    ServerEvent { request: Option<RequestId>, payload: Payload },
    /// The answer to a request of the server `to`, where that is known.
    Answer { request: RequestId, to: Option<Arc<str>>, answer: ClusterAnswer },
}

/// What a server answers to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterAnswer {
    /// So many clients were asked.
    Clients(usize),
    /// One of them has answered: a list with its first argument, or empty.
    Acknowledgement(Payload),
    /// Those who are there.
    Sockets(Vec<SocketDetails>),
    /// The ids of those who are there.
    Ids(Vec<Arc<str>>),
    /// The rooms that are there.
    Rooms(Vec<Arc<str>>),
    /// A list with the answer to an event for servers, or empty.
    ServerEvent(Payload),
}

/// What a server tells of one of its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketDetails {
    pub(crate) id: Arc<str>,
    pub(crate) rooms: Vec<Arc<str>>,
    /// JSON.
    pub(crate) handshake: Box<str>,
    /// JSON.
    pub(crate) data: Box<str>,
}

impl ClusterMessage {
    /// What it counts where it waits, in bytes.
    pub(crate) fn size(&self) -> usize {
        let of_all = |names: &[Arc<str>]| names.iter().map(|name| name.len() + 16).sum::<usize>();
        let of = |selection: &Selection| of_all(&selection.rooms) + of_all(&selection.except);
        let inside = match self {
            Self::Broadcast { payload, selection, .. }
            | Self::AskClients { payload, selection, .. } => payload.size() + of(selection),
            Self::Join { selection, rooms } | Self::Leave { selection, rooms } => {
                of(selection) + of_all(rooms)
            }
            Self::Disconnect { selection, .. }
            | Self::FetchSockets { selection, .. }
            | Self::FetchIds { selection, .. } => of(selection),
            Self::FetchRooms { .. } => 0,
            Self::ServerEvent { payload, .. } => payload.size(),
            Self::Answer { answer, .. } => match answer {
                ClusterAnswer::Clients(_) => 0,
                ClusterAnswer::Acknowledgement(payload) | ClusterAnswer::ServerEvent(payload) => {
                    payload.size()
                }
                ClusterAnswer::Sockets(sockets) => {
                    let size = |one: &SocketDetails| {
                        one.id.len() + of_all(&one.rooms) + one.handshake.len() + one.data.len()
                    };
                    sockets.iter().map(size).sum()
                }
                ClusterAnswer::Ids(names) | ClusterAnswer::Rooms(names) => of_all(names),
            },
        };
        inside + 128
    }
}

/// A list of the first argument alone: servers tell each other no more of an answer.
pub(crate) fn first_argument(answer: &Payload) -> Payload {
    let first = scan(&answer.json).ok().and_then(|outline| outline.first);
    let first = first.and_then(|range| answer.json.get(range)).unwrap_or_default();
    Payload { json: format!("[{first}]"), attachments: answer.attachments.clone() }
}
