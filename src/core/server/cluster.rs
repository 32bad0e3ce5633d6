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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn list(json: &str) -> Payload {
        Payload { json: json.into(), attachments: vec![Bytes::from_static(b"binary")] }
    }

    /// All messages in which something may be long, with texts of this length, and how many of these there are.
    fn messages(length: usize) -> Vec<(ClusterMessage, usize)> {
        use ClusterAnswer as A;
        use ClusterMessage as M;
        let text = || "x".repeat(length);
        let names = || vec![Arc::from(text()), Arc::from(text())];
        let selection = || Selection { rooms: names(), except: names()[..1].to_vec() };
        let request = || RequestId("r".into());
        let payload = || Payload { json: text(), attachments: vec![text().into()] };
        let details = SocketDetails {
            id: text().into(),
            rooms: names(),
            handshake: text().into(),
            data: text().into(),
        };
        let sockets = A::Sockets(vec![details.clone(), details]);
        let answer = |answer| M::Answer { request: request(), to: None, answer };
        let limit = Duration::ZERO;
        vec![
            (M::Broadcast { payload: payload(), selection: selection(), volatile: false }, 5),
            (
                M::AskClients {
                    request: request(),
                    payload: payload(),
                    selection: selection(),
                    limit,
                },
                5,
            ),
            (M::Join { selection: selection(), rooms: names() }, 5),
            (M::Leave { selection: selection(), rooms: names() }, 5),
            (M::Disconnect { selection: selection(), close: true }, 3),
            (M::FetchSockets { request: request(), selection: selection() }, 3),
            (M::FetchIds { request: request(), selection: selection() }, 3),
            (M::ServerEvent { request: None, payload: payload() }, 2),
            (answer(A::Acknowledgement(payload())), 2),
            (answer(A::ServerEvent(payload())), 2),
            (answer(sockets), 10),
            (answer(A::Ids(names())), 2),
            (answer(A::Rooms(names())), 2),
        ]
    }

    #[test]
    fn each_byte_that_waits_counts_and_so_does_a_message_without_any() {
        for ((short, texts), (long, _)) in messages(10).into_iter().zip(messages(1010)) {
            assert_eq!(long.size(), short.size() + 1000 * texts, "{short:?}");
        }
        let nothing = ClusterMessage::FetchRooms { request: RequestId("r".into()) };
        assert!(nothing.size() >= size_of::<ClusterMessage>());
        // A thousand names of one letter are more than a thousand bytes.
        let rooms = vec!["r".into(); 1000];
        let many = ClusterMessage::Join { selection: Selection::default(), rooms };
        assert!(many.size() > 1000 * size_of::<Arc<str>>());
    }

    #[test]
    fn servers_tell_each_other_the_first_argument_of_an_answer() {
        for (answer, first) in
            [("[]", "[]"), ("[7]", "[7]"), (r#"[{"a":[1,2]},3]"#, r#"[{"a":[1,2]}]"#)]
        {
            assert_eq!(first_argument(&list(answer)), list(first));
        }
    }
}
