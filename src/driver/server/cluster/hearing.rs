//! What a server does when another one tells it something.

use std::sync::{Arc, Weak};

use super::HearCluster;
use crate::core::server::cluster::{ClusterAnswer, ClusterMessage, RequestId, first_argument};
use crate::core::server::rooms::Selection;
use crate::driver::server::answers::AnswerSink;
use crate::driver::server::broadcast::BroadcastFlags;
use crate::driver::server::parts::ServedNamespace;

impl HearCluster for ServedNamespace {
    fn has_room(&self, room: &str) -> bool {
        self.is_room(room)
    }

    fn hear(&self, from: Option<&str>, message: ClusterMessage) {
        let Some(cluster) = &self.cluster else { return };
        if from == Some(&*cluster.name) {
            return;
        }
        let from: Option<Arc<str>> = from.map(Into::into);
        match message {
            ClusterMessage::Broadcast { payload, selection, volatile } => {
                let flags = BroadcastFlags { selection, volatile, local: true };
                drop(self.broadcast(&flags, payload));
            }
            ClusterMessage::AskClients { request, payload, selection, limit } => {
                let tells = TellsAnswers { namespace: self.this.clone(), request, to: from };
                self.ask_selected(
                    &selection,
                    &payload,
                    limit,
                    |count| tells.tell(ClusterAnswer::Clients(count)),
                    |_| tells.clone().into_sink(),
                );
            }
            ClusterMessage::Join { selection, rooms } => self.join_selected(&selection, &rooms),
            ClusterMessage::Leave { selection, rooms } => self.leave_selected(&selection, &rooms),
            ClusterMessage::Disconnect { selection, close } => {
                self.disconnect_selected(&selection, close);
            }
            ClusterMessage::FetchSockets { request, selection } => {
                let sockets = self.select(&selection);
                let details = sockets.iter().map(|socket| socket.details()).collect();
                self.answer(request, from, ClusterAnswer::Sockets(details));
            }
            ClusterMessage::FetchIds { request, selection } => {
                let sockets = self.select(&selection);
                let ids = sockets.iter().map(|socket| Arc::clone(&socket.id)).collect();
                self.answer(request, from, ClusterAnswer::Ids(ids));
            }
            ClusterMessage::FetchRooms { request } => {
                self.answer(request, from, ClusterAnswer::Rooms(self.all_rooms()));
            }
            ClusterMessage::ServerEvent { request, payload } => {
                self.take_server_event(request, from, payload);
            }
            ClusterMessage::Answer { request, to, answer } => {
                if to.is_none_or(|to| to == cluster.name) {
                    cluster.requests.answered(&request, answer);
                }
            }
        }
    }
}

impl ServedNamespace {
    /// Answers a request of another server. Where that cannot be told, the other one hears of no answer, as where
    /// this one is gone.
    pub(super) fn answer(&self, request: RequestId, to: Option<Arc<str>>, answer: ClusterAnswer) {
        if let Some(cluster) = &self.cluster {
            let message = ClusterMessage::Answer { request, to, answer };
            // It is counted.
            let _ = cluster.link.tell(&self.name, message);
        }
    }

    pub(super) fn join_selected(&self, selection: &Selection, rooms: &[Arc<str>]) {
        for socket in self.select(selection) {
            for room in rooms {
                socket.join(room);
            }
        }
    }

    pub(super) fn leave_selected(&self, selection: &Selection, rooms: &[Arc<str>]) {
        for socket in self.select(selection) {
            for room in rooms {
                socket.leave(room);
            }
        }
    }

    pub(super) fn disconnect_selected(&self, selection: &Selection, close: bool) {
        for socket in self.select(selection) {
            socket.leave_server(close);
        }
    }
}

/// Tells another server what the clients of this one answer.
#[derive(Clone)]
struct TellsAnswers {
    namespace: Weak<ServedNamespace>,
    request: RequestId,
    to: Option<Arc<str>>,
}

impl TellsAnswers {
    fn tell(&self, answer: ClusterAnswer) {
        if let Some(namespace) = self.namespace.upgrade() {
            namespace.answer(self.request.clone(), self.to.clone(), answer);
        }
    }

    fn into_sink(self) -> AnswerSink {
        AnswerSink::Gathering(Box::new(move |result| {
            // Of a client that does not answer, others hear nothing.
            if let Ok(reply) = result {
                self.tell(ClusterAnswer::Acknowledgement(first_argument(&reply.payload())));
            }
        }))
    }
}
