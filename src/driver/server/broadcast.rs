//! One event for many sockets.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::answers::AnswerSink;
use super::parts::{ServedNamespace, ServedSocket};
use super::peer::Urgency;
use crate::core::server::rooms::Selection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;
use crate::event::status::DisconnectReason;
use crate::payload::Payload;
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::lock::lock;

/// How a broadcast is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct BroadcastFlags {
    pub(crate) selection: Selection,
    pub(crate) volatile: bool,
}

/// What has become of a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastReport {
    /// For how many sockets it was queued, or written.
    pub queued: usize,
    /// For how many it was dropped: being volatile, for those that were not ready for it.
    pub dropped: usize,
    /// The ids of those that had no room for it, since they do not read.
    pub behind: Vec<Arc<str>>,
}

impl ServedNamespace {
    /// Emits to all whom the selection names. It is encoded once.
    pub(crate) fn broadcast(&self, flags: &BroadcastFlags, payload: Payload) -> BroadcastReport {
        let header = Header { kind: Kind::Event, namespace: &self.name, id: None };
        let shown = self.is_watched.load(Ordering::Acquire).then(|| payload.clone());
        let in_order = lock(&self.order);
        let (messages, sockets) = self.prepare(header, payload, &flags.selection, flags.volatile);
        let report = self.deliver(&sockets, &messages, flags.volatile, shown.as_ref());
        // Before the sockets: the last one to know a socket drops what the program has attached to it.
        drop(in_order);
        report
    }

    fn deliver(
        &self,
        sockets: &[Arc<ServedSocket>],
        messages: &[Packet],
        volatile: bool,
        shown: Option<&Payload>,
    ) -> BroadcastReport {
        let mut report = BroadcastReport::default();
        for socket in sockets {
            match socket.send(messages, volatile, Urgency::Gathered, shown) {
                Ok(true) => report.queued += 1,
                Ok(false) => report.dropped += 1,
                Err(error) if error.kind() == ErrorKind::BufferFull => {
                    report.behind.push(Arc::clone(&socket.id));
                    if self.hub.options.cut_slow_clients {
                        socket.peer.cut(DisconnectReason::TransportError, Some(error));
                    }
                }
                // It has just gone.
                Err(_) => {}
            }
        }
        report
    }

    /// Emits to all whom the selection names, and asks each for an acknowledgement.
    pub(crate) fn broadcast_with_ack(
        &self,
        flags: &BroadcastFlags,
        payload: &Payload,
        limit: Duration,
    ) -> Arc<Gathered> {
        let number = self.next_ack();
        let header = Header { kind: Kind::Event, namespace: &self.name, id: Some(number) };
        let messages = self.hub.encode(header, payload);
        let in_order = lock(&self.order);
        let sockets = self.select(&flags.selection);
        let gathered = Gathered::of(sockets.len());
        for socket in &sockets {
            let answered = gathered.place_for(socket);
            // Where it cannot be taken on, dropping the place counts as an answer that is missing.
            if socket.expect(number, answered, Some(limit)).is_ok() {
                let sent = socket.send(&messages, false, Urgency::Gathered, Some(payload));
                if let Err(error) = sent {
                    if let Some(answered) = socket.answers.take(number) {
                        answered.resolve(Err(error));
                    }
                }
            }
        }
        drop(in_order);
        gathered
    }
}

/// The answers to a broadcast, as they come.
pub(crate) struct Gathered {
    state: Mutex<Gathering>,
    complete: Condvar,
}

struct Gathering {
    left: usize,
    replies: Vec<(Arc<str>, Result<AckReply>)>,
}

/// Where the answer of one socket goes. Dropped without one, the answer is missing.
struct ReplyPlace {
    gathered: Arc<Gathered>,
    id: Arc<str>,
    is_filled: bool,
}

impl Gathered {
    fn of(count: usize) -> Arc<Self> {
        let state = Gathering { left: count, replies: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), complete: Condvar::new() })
    }

    fn place_for(self: &Arc<Self>, socket: &ServedSocket) -> AnswerSink {
        let mut place =
            ReplyPlace { gathered: Arc::clone(self), id: Arc::clone(&socket.id), is_filled: false };
        AnswerSink::Gathering(Box::new(move |result| place.fill(result)))
    }

    /// Blocks until all have answered, or have not in time.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Vec<(Arc<str>, Result<AckReply>)> {
        let mut state = lock(&self.state);
        while state.left > 0 {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = state.wait(&self.complete, left);
        }
        state.replies.clone()
    }
}

impl ReplyPlace {
    fn fill(&mut self, result: Result<AckReply>) {
        self.is_filled = true;
        let mut state = lock(&self.gathered.state);
        state.replies.push((Arc::clone(&self.id), result));
        state.left -= 1;
        if state.left == 0 {
            self.gathered.complete.notify_all();
        }
    }
}

impl Drop for ReplyPlace {
    fn drop(&mut self) {
        if !self.is_filled {
            self.fill(Err(Error::new(ErrorKind::Disconnected, "the socket was not asked")));
        }
    }
}
