//! What a client says: to its sockets, and to those that it would like to have.

use std::sync::{Arc, Mutex};

use super::handshake::SocketHandshake;
use super::inbox::InboxItem;
use super::parts::{Peer, PeerState, ServedNamespace, ServedSocket};
use super::pool::Task;
use super::served_socket::WayToClient;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::DisconnectReason;
use crate::event::{AckReply, Event, Reply};
use crate::payload::Payload;
use crate::proto::dialect::{JoinRequest, Membership};
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, Kind, SocketPacket};
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// The longest name of a namespace that is looked at, in bytes.
const LONGEST_NAMESPACE: usize = 1024;

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
        let socket =
            state.sockets.iter().find(|socket| *socket.namespace.name == *packet.namespace());
        let Some(socket) = socket.map(Arc::clone) else {
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
                    let socket = Arc::downgrade(&socket);
                    Arc::new(WayToClient { socket, number: Mutex::new(Some(number)) })
                        as Arc<dyn Reply>
                });
                let is_full = socket.put(InboxItem::Event(Event::new(packet, reply)));
                if is_full && self.must_hold(&socket) {
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
                state.sockets.retain(|one| !Arc::ptr_eq(one, &socket));
                self.part(&socket, DisconnectReason::ClientNamespaceDisconnect);
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
            || socket.waiting_bytes() >= options.inbox.bytes + options.receive_reserve
    }

    fn take_connect(
        &self,
        state: &mut PeerState,
        packet: &SocketPacket,
        orders: &mut Vec<SessionOrder>,
    ) {
        let JoinRequest { namespace, auth, query: _ } =
            state.session.dialect().join_request(packet.namespace(), packet.data());
        let is_known = state.joining.iter().any(|name| **name == *namespace)
            || state.sockets.iter().any(|socket| *socket.namespace.name == *namespace);
        if is_known {
            // Old clients ask again for what they have; of new ones it is a fault.
            if !state.session.dialect().joins_root() {
                let what = format!("{namespace:?} is asked for again");
                let cause = Error::new(ErrorKind::Protocol, what);
                state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
            }
            return;
        }
        self.join(state, namespace, auth, orders);
    }

    /// The client asks for a namespace. Functions of the program are asked on a thread of the pool.
    pub(super) fn join(
        &self,
        state: &mut PeerState,
        namespace: &str,
        auth: &str,
        orders: &mut Vec<SessionOrder>,
    ) {
        let count = state.sockets.len() + state.joining.len();
        if namespace.len() > LONGEST_NAMESPACE || count >= self.hub.options.max_namespaces {
            return self.refuse(
                state,
                namespace,
                &Error::new(ErrorKind::TooLarge, "Too many namespaces"),
                orders,
            );
        }
        let handshake = SocketHandshake { request: Arc::clone(&self.request), auth: auth.into() };
        match self.hub.namespace(namespace) {
            Some(known) if known.handlers().authorize.is_empty() => {
                if let Some(socket) = self.make_socket(state, &known, handshake) {
                    self.admit(state, &socket, orders);
                }
            }
            None if !self.hub.has_families() => self.refuse(state, namespace, &unknown(), orders),
            _ => self.ask_program(state, namespace, handshake),
        }
    }

    fn make_socket(
        &self,
        state: &PeerState,
        namespace: &Arc<ServedNamespace>,
        handshake: SocketHandshake,
    ) -> Option<Arc<ServedSocket>> {
        let id = state.session.dialect().socket_id(&namespace.name, state.session.sid());
        let id = id.unwrap_or_else(super::ids::new_id);
        Some(ServedSocket::new(id.into(), namespace, handshake, &self.this.upgrade()?))
    }

    fn ask_program(&self, state: &mut PeerState, namespace: &str, handshake: SocketHandshake) {
        let Some(this) = self.this.upgrade() else { return };
        state.joining.push(namespace.into());
        let name: Box<str> = namespace.into();
        self.hub.pool.submit(Task::Once(Box::new(move || {
            let decided = this.decide(&name, handshake);
            let mut state = this.lock();
            this.run(&mut state, |state, orders| {
                this.finish_joining(state, &name, decided, orders);
            });
        })));
    }

    /// Asks the program whether this client may join. It may take its time, and panic.
    fn decide(&self, name: &str, handshake: SocketHandshake) -> Result<Arc<ServedSocket>> {
        let panicked = || Error::new(ErrorKind::Refused, "Internal error");
        let namespace =
            survive(|| self.hub.find(name)).ok_or_else(panicked)?.ok_or_else(unknown)?;
        let socket = self.make_socket(&self.lock(), &namespace, handshake).ok_or_else(unknown)?;
        let functions = namespace.handlers().authorize.clone();
        for function in functions {
            survive(|| function(&socket)).ok_or_else(panicked)??;
        }
        Ok(socket)
    }

    fn finish_joining(
        &self,
        state: &mut PeerState,
        name: &str,
        decided: Result<Arc<ServedSocket>>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let Some(at) = state.joining.iter().position(|joining| **joining == *name) else {
            // The client has gone meanwhile.
            return;
        };
        state.joining.swap_remove(at);
        match decided {
            Ok(socket) => self.admit(state, &socket, orders),
            Err(error) => self.refuse(state, name, &error, orders),
        }
    }

    /// The client has joined: it hears that before all else, and before the program does.
    fn admit(
        &self,
        state: &mut PeerState,
        socket: &Arc<ServedSocket>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let membership = Membership { id: socket.id.to_string(), pid: None };
        let json = state.session.dialect().welcome(&membership);
        let messages = self.hub.encode(socket.header(Kind::Connect, None), &text(json));
        if state.session.send(&messages, orders).is_err() {
            let cause = Error::new(ErrorKind::BufferFull, "no room for the answer to CONNECT");
            return state.session.end(DisconnectReason::TransportError, Some(cause), orders);
        }
        state.join_deadline = None;
        state.sockets.push(Arc::clone(socket));
        socket.namespace.enter(socket);
        socket.connected();
    }

    fn refuse(
        &self,
        state: &mut PeerState,
        namespace: &str,
        error: &Error,
        orders: &mut Vec<SessionOrder>,
    ) {
        log_later!(Debug, in namespace, "a client may not join: {}", error.message());
        let json = state.session.dialect().refusal(error.message(), error.data());
        let header = Header { kind: Kind::ConnectError, namespace, id: None };
        // Without room the client hears nothing, and is cut when it has joined nothing in time.
        let _ = state.session.send(&self.hub.encode(header, &text(json)), orders);
    }

    /// The program disconnects a socket, and with it the connection below, if it is told so.
    pub(super) fn disconnect(&self, socket: &Arc<ServedSocket>, close: bool) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| {
            let leaves = |one: &Arc<ServedSocket>| close || Arc::ptr_eq(one, socket);
            let (leaving, staying) =
                std::mem::take(&mut state.sockets).into_iter().partition(leaves);
            state.sockets = staying;
            self.dismiss(state, leaving, DisconnectReason::ServerNamespaceDisconnect, orders);
            if close {
                state.session.close(DisconnectReason::ForcedServerClose, now(), orders);
            }
        });
    }
}

impl Peer {
    /// Sockets that the server disconnects: their client is told.
    pub(super) fn dismiss(
        &self,
        state: &mut PeerState,
        sockets: Vec<Arc<ServedSocket>>,
        reason: DisconnectReason,
        orders: &mut Vec<SessionOrder>,
    ) {
        for socket in sockets {
            let header = socket.header(Kind::Disconnect, None);
            let messages = self.hub.encode(header, &text(String::new()));
            // Without room, or without a session, the end of the connection tells it.
            let _ = state.session.send(&messages, orders);
            self.part(&socket, reason);
        }
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Refused, "Invalid namespace")
}

fn text(json: String) -> Payload {
    Payload { json, attachments: Vec::new() }
}
