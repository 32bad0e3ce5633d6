//! What a client says: to its sockets, and to those that it would like to have.

use std::sync::{Arc, Mutex};

use super::inbox::InboxItem;
use super::parts::{Peer, PeerState, ServedSocket};
use super::served_socket::WayToClient;
use super::stall::Stall;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, PeerWords};
use crate::event::status::DisconnectReason;
use crate::event::{AckReply, Event, Reply};
use crate::net::server::engine_refusal::EngineRefusal;
use crate::net::server::response::HttpResponse;
use crate::options::Transport;
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Kind, SocketPacket};
use crate::sync::logging::log_later;

impl Peer {
    /// A message has come.
    pub(super) fn take_message(
        &self,
        state: &mut PeerState,
        message: Packet,
        orders: &mut Vec<SessionOrder>,
    ) {
        let decoded = match message {
            Packet::Text(text) => state.parser.decode_text(text),
            Packet::Binary(bytes) => state.parser.decode_binary(bytes),
            _ => return,
        };
        match decoded {
            Ok(None) => check_wanted(state, orders),
            Ok(Some(packet)) => self.take_packet(state, packet, orders),
            Err(error) => {
                state.note_fault(&error);
                state.session.end(DisconnectReason::ParseError, Some(error), orders);
            }
        }
    }

    fn take_packet(
        &self,
        state: &mut PeerState,
        packet: SocketPacket,
        orders: &mut Vec<SessionOrder>,
    ) {
        if packet.kind == Kind::Connect {
            return self.take_connect(state, &packet, orders);
        }
        let socket =
            state.sockets.iter().find(|socket| *socket.namespace.name == *packet.namespace());
        let Some(socket) = socket.map(Arc::clone) else {
            return take_unwanted(state, packet.namespace(), orders);
        };
        match packet.kind {
            Kind::Event => {
                let reply = packet.id.map(|number| {
                    let socket = Arc::downgrade(&socket);
                    Arc::new(WayToClient { socket, number: Mutex::new(Some(number)) })
                        as Arc<dyn Reply>
                });
                let is_full = socket.put(InboxItem::Event(Event::new(packet, reply)));
                if is_full {
                    self.hold_for(state, &socket);
                }
            }
            Kind::Ack => {
                let answered = packet.id.and_then(|number| socket.answers.take(number));
                match answered {
                    Some(answered) => {
                        if socket.resolve(answered, Ok(AckReply::new(packet))) {
                            self.hold_for(state, &socket);
                        }
                    }
                    None => {
                        log_later!(Debug, in &*socket.namespace.name, "an acknowledgement that nobody waits for");
                    }
                }
            }
            Kind::Disconnect => {
                state.sockets.retain(|one| !Arc::ptr_eq(one, &socket));
                socket.part(DisconnectReason::ClientNamespaceDisconnect);
            }
            Kind::ConnectError => {
                let cause = Error::new(ErrorKind::Protocol, "a client refuses a namespace");
                state.session.end(DisconnectReason::ParseError, Some(cause), orders);
            }
            Kind::Connect => {}
        }
    }

    /// The handlers of a socket are behind: the reader holds still, if it has to.
    fn hold_for(&self, state: &mut PeerState, socket: &ServedSocket) {
        if self.must_hold(socket) {
            let (now, done) = (now(), state.handled());
            state.holds = true;
            let limit = self.hub.options.stall_timeout;
            state.stall.get_or_insert_with(|| Stall::new(done, now, limit));
            state.session.hold(now);
        }
    }

    /// Whether the reader is to hold still for a socket whose handlers are behind: not while somebody waits for an
    /// answer that may lie behind, as far as the reserve goes.
    pub(super) fn must_hold(&self, socket: &ServedSocket) -> bool {
        let options = &self.hub.options;
        !socket.answers.is_awaiting()
            || socket.waiting_memory() >= options.inbox.bytes + options.receive_reserve
    }
}

impl PeerState {
    /// What its client has said cannot be read: it is told so.
    fn note_fault(&mut self, error: &Error) {
        self.fault = Some(error.message().into());
    }

    /// What has come by this transport is no packet at all.
    pub(super) fn take_malformed(
        &mut self,
        by: Transport,
        error: Error,
        orders: &mut Vec<SessionOrder>,
    ) {
        // A POST that is left over from before the session moved harms nothing.
        if by == Transport::WebSocket || self.session.transport() == by {
            self.note_fault(&error);
        }
        self.session.malformed(by, error, orders);
    }

    /// What a request is answered with whose client has ended its session by what it said.
    pub(super) fn fault_response(&self) -> Option<HttpResponse> {
        let fault = self.fault.as_deref().filter(|_| self.session.is_over())?;
        Some(HttpResponse::engine_refusal(EngineRefusal::BadRequest, Some(fault)))
    }
}

/// The attachments of a packet are on their way: whoever has not joined its namespace has none kept.
fn check_wanted(state: &mut PeerState, orders: &mut Vec<SessionOrder>) {
    let Some(namespace) = state.parser.unfinished() else { return };
    if !state.sockets.iter().any(|socket| *socket.namespace.name == *namespace) {
        let namespace = namespace.to_owned();
        take_unwanted(state, &namespace, orders);
    }
}

/// A packet for a namespace that the client has not joined.
fn take_unwanted(state: &mut PeerState, namespace: &str, orders: &mut Vec<SessionOrder>) {
    // An old client may send to a namespace that it has just left.
    if !state.session.dialect().joins_root() {
        let what = format!("a packet for \"{}\", which is not joined", PeerWords(namespace));
        let cause = Error::new(ErrorKind::Protocol, what);
        state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
    }
}
