//! Events that servers emit to each other, and their handlers.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use super::membership::ClusterMembership;
use crate::core::server::cluster::{ClusterAnswer, RequestId, first_argument};
use crate::driver::server::inbox::{InboxItem, Taken};
use crate::driver::server::parts::ServedNamespace;
use crate::driver::server::tasks::{TakesTurns, Task};
use crate::error::{Error, ErrorKind, PeerWords, Result};
use crate::event::{Event, Reply};
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// How many are handled before others have their turn.
const BATCH: usize = 32;

impl ServedNamespace {
    /// Another server has emitted an event to the servers.
    pub(super) fn take_server_event(
        &self,
        request: Option<RequestId>,
        from: Option<Arc<str>>,
        payload: Payload,
    ) {
        let Some(cluster) = &self.cluster else { return };
        if cluster.events.is_full() {
            self.hub.dropped_server_events.fetch_add(1, Ordering::Relaxed);
            log_later!(Warn, in &*self.name, "an event of another server is dropped: too many wait for their handlers");
            return;
        }
        let reply = request.map(|request| {
            let way = WayToServer {
                namespace: self.this.clone(),
                to: from,
                request: Mutex::new(Some(request)),
            };
            Arc::new(way) as Arc<dyn Reply>
        });
        let event = Event::new(SocketPacket::of_event(&self.name, payload), reply);
        let put = cluster.events.put(InboxItem::Event(event), self.hub.options.inbox);
        if let Some(this) = self.this.upgrade().filter(|_| put.schedule) {
            self.hub.pool.submit(Task::Turn(this));
        }
    }

    fn handle_server_event(&self, event: &Event) {
        let handlers = {
            let handlers = self.handlers();
            handlers.server_events.get(event.name()).cloned().unwrap_or_default()
        };
        if handlers.is_empty() {
            log_later!(Debug, in &*self.name, "nobody listens to \"{}\" of other servers", PeerWords(event.name()));
        }
        for handler in handlers {
            if survive(|| handler(event.clone())).is_none() {
                log_later!(Error, in &*self.name, "a handler of an event of another server panicked");
            }
        }
    }
}

impl TakesTurns for ServedNamespace {
    fn take_turn(&self) -> bool {
        let Some(ClusterMembership { events, .. }) = self.cluster.as_deref() else { return false };
        for _ in 0..BATCH {
            let Some(Taken { item, .. }) = events.take(self.hub.options.inbox) else {
                return false;
            };
            if let InboxItem::Event(event) = item {
                self.hub.in_turn(|| self.handle_server_event(&event));
            }
        }
        true
    }
}

/// The way of an answer back to the server that has asked.
struct WayToServer {
    namespace: Weak<ServedNamespace>,
    to: Option<Arc<str>>,
    /// `None` once it was used.
    request: Mutex<Option<RequestId>>,
}

impl Reply for WayToServer {
    fn reply(&self, payload: Payload) -> Result<()> {
        let gone = || Error::new(ErrorKind::Disconnected, "the server has ended");
        let namespace = self.namespace.upgrade().ok_or_else(gone)?;
        let request = lock(&self.request).take().ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, "the other server has its answer already")
        })?;
        let answer = ClusterAnswer::ServerEvent(first_argument(&payload));
        namespace.answer(request, self.to.clone(), answer);
        Ok(())
    }
}
