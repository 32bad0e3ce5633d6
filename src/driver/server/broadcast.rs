//! One event for many sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::answers::AnswerSink;
use super::cluster::asking::new_request;
use super::gathered::Gathered;
use super::parts::{ServedNamespace, ServedSocket};
use super::peer::Urgency;
use super::saying::say;
use crate::core::server::cluster::{ClusterMessage, RequestId};
use crate::core::server::rooms::Selection;
use crate::error::ErrorKind;
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
    /// Not to the sockets of other servers.
    pub(crate) local: bool,
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
    /// The other servers of the cluster do not hear of it: too much waits for them.
    pub is_unpublished: bool,
}

impl ServedNamespace {
    /// Emits to all whom the selection names. It is encoded once.
    pub(crate) fn broadcast(&self, flags: &BroadcastFlags, payload: Payload) -> BroadcastReport {
        let header = Header { kind: Kind::Event, namespace: &self.name, id: None };
        let shown = self.is_watched.load(Ordering::Acquire).then(|| payload.clone());
        let in_order = lock(&self.order);
        let is_told = self.tell_others(flags, || ClusterMessage::Broadcast {
            payload: payload.clone(),
            selection: flags.selection.clone(),
            volatile: flags.volatile,
        });
        let (messages, sockets) = self.prepare(header, payload, &flags.selection, flags.volatile);
        let mut report = say(|| self.deliver(&sockets, &messages, flags.volatile, shown.as_ref()));
        report.is_unpublished = !is_told;
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
    ) -> AskedClients {
        let gathered = Arc::new(Gathered::default());
        let counted = |count| {
            gathered.begin(count);
            self.ask_others_clients(flags, payload, limit, &gathered)
        };
        let request = self.ask_selected(&flags.selection, payload, limit, counted, |socket| {
            gathered.place_for(&socket.id)
        });
        AskedClients { gathered, request }
    }

    /// Asks the clients of other servers, where there are some.
    fn ask_others_clients(
        &self,
        flags: &BroadcastFlags,
        payload: &Payload,
        limit: Duration,
        gathered: &Arc<Gathered>,
    ) -> Option<RequestId> {
        let Some(cluster) = self.cluster.as_deref().filter(|_| !flags.local) else {
            gathered.asked(Ok(0));
            return None;
        };
        let request = new_request();
        cluster.requests.begin(request.clone(), Arc::clone(gathered) as _);
        let (payload, selection) = (payload.clone(), flags.selection.clone());
        let message =
            ClusterMessage::AskClients { request: request.clone(), payload, selection, limit };
        let hears = Arc::clone(gathered);
        cluster.link.ask(&self.name, Some(message), Box::new(move |count| hears.asked(count)));
        Some(request)
    }

    /// Asks each of those whom the selection names for an acknowledgement, which goes where `sink` says, after `counted`
    /// has heard how many they are.
    pub(super) fn ask_selected<R>(
        &self,
        selection: &Selection,
        payload: &Payload,
        limit: Duration,
        counted: impl FnOnce(usize) -> R,
        sink: impl Fn(&ServedSocket) -> AnswerSink,
    ) -> R {
        let number = self.next_ack();
        let header = Header { kind: Kind::Event, namespace: &self.name, id: Some(number) };
        let messages = self.hub.encode(header, payload);
        let ask = |socket: &ServedSocket| {
            // Where it cannot be taken on, dropping it counts as an answer that is missing.
            if socket.expect(number, sink(socket), Some(limit)).is_ok() {
                let sent = socket.send(&messages, false, Urgency::Gathered, Some(payload));
                if let Err(error) = sent {
                    if let Some(answered) = socket.answers.take(number) {
                        answered.resolve(Err(error));
                    }
                }
            }
        };
        let in_order = lock(&self.order);
        let sockets = self.select(selection);
        let request = counted(sockets.len());
        say(|| sockets.iter().for_each(|socket| ask(socket)));
        drop(in_order);
        request
    }

    /// Nobody waits any more for the clients of other servers.
    pub(crate) fn end_request(&self, request: &RequestId) {
        if let Some(cluster) = &self.cluster {
            cluster.requests.end(request);
        }
    }
}

/// Clients that were asked for an acknowledgement.
pub(crate) struct AskedClients {
    pub(crate) gathered: Arc<Gathered>,
    /// What those of other servers answer to.
    pub(crate) request: Option<RequestId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::server::cluster::local::LocalCluster;
    use crate::driver::server::cluster::{StartLink as _, requests::AnswersOfServers};
    use crate::driver::server::saying::in_a_row;
    use crate::driver::server::testing::{TestClient, door, options, server, server_with};

    /// An event of so many bytes for these, as it goes to each.
    fn deliver(sockets: &[Arc<ServedSocket>], size: usize) -> BroadcastReport {
        let namespace = &sockets[0].namespace;
        let header = Header { kind: Kind::Event, namespace: "/", id: None };
        let payload = Payload::event("e", &"x".repeat(size)).unwrap();
        namespace.deliver(sockets, &namespace.hub.encode(header, &payload), false, None)
    }

    #[test]
    fn who_has_no_room_is_behind_and_cut_and_who_has_just_gone_is_neither() {
        let mut options = options();
        Arc::get_mut(&mut options.session).unwrap().send_bytes = 1500;
        let mut io = server(options);
        let (_slow, behind) = TestClient::joined(&mut io);
        let (gone, parted) = TestClient::joined(&mut io);
        let hub = Arc::clone(&io.hub);
        drop(gone.stream);
        io.give_up(gone.token);
        assert_eq!(hub.count_peers(), 1);
        let report = deliver(&[Arc::clone(&parted)], 1000);
        assert!(report.behind.is_empty() && report.queued == 0);
        // More than the system takes: it is being written until the client reads.
        let both = [Arc::clone(&behind), Arc::clone(&parted)];
        assert_eq!(deliver(&both, 10_000_000).queued, 1);
        let report = deliver(&both, 1000);
        assert_eq!((report.behind, report.queued), (vec![Arc::clone(&behind.id)], 0));
        assert_eq!(hub.count_peers(), 0);
    }

    #[test]
    fn what_a_turn_says_is_written_when_it_is_much() {
        let heard_in_turn = |send_bytes, send_packets, size, count: usize| {
            let mut options = options();
            let session = Arc::get_mut(&mut options.session).unwrap();
            (session.send_bytes, session.send_packets) = (send_bytes, send_packets);
            let mut io = server(options);
            let (mut client, socket) = TestClient::joined(&mut io);
            client.heard();
            let hub = Arc::clone(&io.hub);
            let mut heard = 0;
            hub.in_turn(|| {
                for _ in 0..count {
                    assert_eq!(deliver(&[Arc::clone(&socket)], size).queued, 1);
                }
                heard = client.heard().matches("42[").count();
            });
            (heard, client.heard().matches("42[").count())
        };
        assert_eq!(heard_in_turn(1 << 30, 1000, 1000, 60), (0, 60), "it is less than 64 KiB");
        assert_eq!(heard_in_turn(1 << 30, 1000, 1000, 70), (65, 5));
        assert_eq!(heard_in_turn(10_000, 1000, 1000, 7), (5, 2), "half of what may wait");
        assert_eq!(heard_in_turn(1 << 30, 6, 10, 4), (3, 1), "half as many as may wait");
    }

    #[test]
    fn what_is_yet_to_be_written_takes_no_room_from_what_follows() {
        let mut options = options();
        Arc::get_mut(&mut options.session).unwrap().send_bytes = 10_000;
        let mut io = server(options);
        let (mut client, socket) = TestClient::joined(&mut io);
        client.heard();
        let hub = Arc::clone(&io.hub);
        let say_three = || {
            for size in [100, 4000, 7000] {
                assert_eq!(deliver(&[Arc::clone(&socket)], size).queued, 1);
            }
        };
        hub.in_turn(say_three);
        in_a_row(say_three);
        hub.write_deferred();
        assert_eq!(client.heard().matches("42[").count(), 6);
        // Being written, it does.
        assert_eq!(deliver(&[Arc::clone(&socket)], 10_000_000).queued, 1);
        in_a_row(|| assert_eq!(deliver(&[Arc::clone(&socket)], 100).queued, 0));
        assert_eq!(hub.count_peers(), 0);
    }

    /// What is written first to make room for it fills the connection, or does not.
    #[test]
    fn what_is_volatile_is_dropped_and_nobody_is_behind_for_it() {
        let mut fates = [0; 2];
        for filled in (100_000..220_000).step_by(5_000) {
            let mut options = options();
            Arc::get_mut(&mut options.session).unwrap().send_bytes = 80_000;
            let mut io = server(options);
            let (_client, socket) = TestClient::joined(&mut io);
            deliver(&[Arc::clone(&socket)], filled);
            if !socket.peer.lock().session.is_writable() {
                break;
            }
            let hub = Arc::clone(&io.hub);
            hub.in_turn(|| {
                deliver(&[Arc::clone(&socket)], 20_000);
                let flags = BroadcastFlags { volatile: true, ..BroadcastFlags::default() };
                let payload = Payload::event("e", &"x".repeat(70_000)).unwrap();
                let report = socket.namespace.broadcast(&flags, payload);
                assert!(report.behind.is_empty(), "{filled}");
                fates[report.dropped] += 1;
            });
        }
        assert!(fates[0] > 0 && fates[1] > 0, "{fates:?}");
    }

    #[test]
    fn a_request_that_nobody_waits_for_is_forgotten() {
        let link = LocalCluster::new().start().unwrap();
        let io = server_with(options(), door(), Some(link));
        let namespace = io.hub.of("/");
        let (asked, request) = (Arc::new(AnswersOfServers::default()), new_request());
        let cluster = namespace.cluster.as_deref().unwrap();
        cluster.requests.begin(request.clone(), Arc::clone(&asked) as _);
        namespace.end_request(&request);
        assert_eq!(Arc::strong_count(&asked), 1);
    }
}
