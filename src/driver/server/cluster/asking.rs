//! What a server tells the others, and asks them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::membership::ClusterMembership;
use super::requests::AnswersOfServers;
use crate::core::server::cluster::{ClusterAnswer, ClusterMessage, RequestId, SocketDetails};
use crate::driver::server::broadcast::BroadcastFlags;
use crate::driver::server::ids::new_id;
use crate::driver::server::parts::ServedNamespace;
use crate::error::{Error, Result};
use crate::event::AckReply;
use crate::payload::Payload;

/// A request to other servers, on its way.
pub(crate) struct AskedServers {
    namespace: Arc<ServedNamespace>,
    answers: Arc<AnswersOfServers>,
    request: RequestId,
}

/// What has come of a request, and what is missing.
pub(crate) type CameOf<T> = Result<(Vec<T>, Option<Error>)>;

impl ServedNamespace {
    /// Has those whom the selection names join rooms, on all servers.
    pub(crate) fn join_rooms(&self, flags: &BroadcastFlags, rooms: &[Arc<str>]) {
        let selection = flags.selection.clone();
        self.tell_others(flags, || ClusterMessage::Join { selection, rooms: rooms.to_vec() });
        self.join_selected(&flags.selection, rooms);
    }

    /// Has them leave rooms.
    pub(crate) fn leave_rooms(&self, flags: &BroadcastFlags, rooms: &[Arc<str>]) {
        let selection = flags.selection.clone();
        self.tell_others(flags, || ClusterMessage::Leave { selection, rooms: rooms.to_vec() });
        self.leave_selected(&flags.selection, rooms);
    }

    /// Disconnects them.
    pub(crate) fn disconnect_sockets(&self, flags: &BroadcastFlags, close: bool) {
        let selection = flags.selection.clone();
        self.tell_others(flags, || ClusterMessage::Disconnect { selection, close });
        self.disconnect_selected(&flags.selection, close);
    }

    /// Tells other servers, where there are some whom it concerns. `false`: they do not hear of it.
    pub(in crate::driver::server) fn tell_others(
        &self,
        flags: &BroadcastFlags,
        message: impl FnOnce() -> ClusterMessage,
    ) -> bool {
        match &self.cluster {
            // That it fails is counted.
            Some(cluster) if !flags.local => cluster.link.tell(&self.name, message()).is_ok(),
            _ => true,
        }
    }

    /// Emits an event to the other servers.
    pub(crate) fn server_side_emit(&self, payload: Payload) -> Result<()> {
        match &self.cluster {
            Some(cluster) => {
                let message = ClusterMessage::ServerEvent { request: None, payload };
                cluster.link.tell(&self.name, message)
            }
            None => Ok(()),
        }
    }

    /// Emits an event to the other servers, and asks each for an answer.
    pub(crate) fn ask_servers(self: &Arc<Self>, payload: Payload) -> AskedServers {
        self.ask_others(|request| {
            Some(ClusterMessage::ServerEvent { request: Some(request), payload })
        })
    }

    /// The sockets whom the selection names, on all servers.
    pub(crate) fn fetch_sockets(self: &Arc<Self>, flags: &BroadcastFlags) -> CameOf<SocketDetails> {
        let own = self.select(&flags.selection);
        let mut sockets: Vec<_> = own.iter().map(|socket| socket.details()).collect();
        if flags.local {
            return Ok((sockets, None));
        }
        let selection = flags.selection.clone();
        let asked =
            self.ask_others(|request| Some(ClusterMessage::FetchSockets { request, selection }));
        let (answers, missing) = asked.wait()?;
        for answer in answers {
            if let ClusterAnswer::Sockets(others) = answer {
                sockets.extend(others);
            }
        }
        Ok((sockets, missing))
    }

    /// The rooms that there are, those among them that are named by the ids of sockets.
    pub(crate) fn fetch_rooms(self: &Arc<Self>) -> CameOf<Arc<str>> {
        let mut rooms: BTreeSet<Arc<str>> = self.all_rooms().into_iter().collect();
        let (answers, missing) =
            self.ask_others(|request| Some(ClusterMessage::FetchRooms { request })).wait()?;
        for answer in answers {
            if let ClusterAnswer::Rooms(others) = answer {
                rooms.extend(others);
            }
        }
        Ok((rooms.into_iter().collect(), missing))
    }

    /// How many servers there are, with this one.
    pub(crate) fn count_servers(self: &Arc<Self>) -> Result<usize> {
        let asked = self.ask_others(|_| None);
        let limit = self.hub.options.cluster_timeout;
        Ok(1 + self.hub.while_waiting(|| asked.answers.count(limit))??)
    }

    /// Asks all other servers.
    fn ask_others(
        self: &Arc<Self>,
        message: impl FnOnce(RequestId) -> Option<ClusterMessage>,
    ) -> AskedServers {
        let answers = Arc::<AnswersOfServers>::default();
        let request = new_request();
        if let Some(ClusterMembership { link, requests, .. }) = self.cluster.as_deref() {
            // Before it goes out: the answer may be quick.
            requests.begin(request.clone(), Arc::clone(&answers) as _);
            let hears = Arc::clone(&answers);
            let message = message(request.clone());
            link.ask(&self.name, message, Box::new(move |count| hears.asked(count)));
        } else {
            answers.asked(Ok(0));
        }
        AskedServers { namespace: Arc::clone(self), answers, request }
    }
}

impl AskedServers {
    /// Waits for the answers, for at most as long as the server waits for others.
    fn wait(&self) -> CameOf<ClusterAnswer> {
        let hub = &self.namespace.hub;
        hub.while_waiting(|| self.answers.wait(hub.options.cluster_timeout))
    }

    /// Waits for the answers to an event.
    pub(crate) fn replies(&self) -> CameOf<AckReply> {
        let (answers, missing) = self.wait()?;
        let replies = answers.into_iter().filter_map(|answer| match answer {
            ClusterAnswer::ServerEvent(payload) => Some(AckReply::of(payload)),
            _ => None,
        });
        Ok((replies.collect(), missing))
    }
}

impl Drop for AskedServers {
    fn drop(&mut self) {
        if let Some(cluster) = &self.namespace.cluster {
            cluster.requests.end(&self.request);
        }
    }
}

/// The name of a new request.
pub(in crate::driver::server) fn new_request() -> RequestId {
    RequestId(new_id().into())
}
