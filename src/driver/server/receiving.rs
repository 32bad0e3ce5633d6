//! What a client says: to its sockets, and to those that it would like to have.

use std::sync::{Arc, Mutex};

use super::inbox::InboxItem;
use super::parts::{Peer, PeerState, ServedSocket};
use super::served_socket::WayToClient;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::event::{AckReply, Event, Reply};
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
            Ok(None) => {}
            Ok(Some(packet)) => self.take_packet(state, packet, orders),
            Err(error) => state.session.end(DisconnectReason::ParseError, Some(error), orders),
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
        let mut sockets = state.sockets.iter();
        let Some(socket) = sockets.find(|socket| *socket.namespace.name == *packet.namespace())
        else {
            // An old client may send to a namespace that it has just left.
            if !state.session.dialect().joins_root() {
                let what = format!("a packet for {:?}, which is not joined", packet.namespace());
                let cause = Error::new(ErrorKind::Protocol, what);
                state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
            }
            return;
        };
        match packet.kind {
            Kind::Event => {
                let reply = packet.id.map(|number| {
                    let socket = Arc::downgrade(socket);
                    Arc::new(WayToClient { socket, number: Mutex::new(Some(number)) })
                        as Arc<dyn Reply>
                });
                let is_full = socket.put(InboxItem::Event(Event::new(packet, reply)));
                if is_full && self.must_hold(socket) {
                    state.holds = true;
                    state.session.hold(now());
                }
            }
            Kind::Ack => {
                let answered = packet.id.and_then(|number| socket.answers.take(number));
                match answered {
                    Some(answered) => self.hub.resolve(answered, Ok(AckReply::new(packet))),
                    None => {
                        log_later!(Debug, in &*socket.namespace.name, "an acknowledgement that nobody waits for");
                    }
                }
            }
            Kind::Disconnect => {
                let socket = Arc::clone(socket);
                state.sockets.retain(|one| !Arc::ptr_eq(one, &socket));
                self.part(socket, DisconnectReason::ClientNamespaceDisconnect);
            }
            Kind::ConnectError => {
                let cause = Error::new(ErrorKind::Protocol, "a client refuses a namespace");
                state.session.end(DisconnectReason::ParseError, Some(cause), orders);
            }
            Kind::Connect => {}
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
