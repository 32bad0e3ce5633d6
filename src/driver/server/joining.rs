//! Who joins a namespace, who is refused, and who is back.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::map::Entry;

use super::handshake::SocketHandshake;
use super::leaving::CountsLeaving as _;
use super::parts::{Peer, PeerState, ServedNamespace, ServedSocket};
use super::returning::Claim;
use super::served_socket::Origin;
use super::tasks::Task;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, PeerWords, Result};
use crate::event::status::DisconnectReason;
use crate::net::server::query::parameters;
use crate::payload::Payload;
use crate::proto::dialect::{JoinRequest, Membership};
use crate::proto::socket_packet::{Header, Kind, SocketPacket};
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// The longest name of a namespace that a client may ask for, in bytes.
const LONGEST_NAMESPACE: usize = 1024;

/// How many sockets of a client may be gone of which the handlers have not yet heard.
const MOST_LEAVING: usize = 64;

impl Peer {
    pub(super) fn take_connect(
        &self,
        state: &mut PeerState,
        packet: &SocketPacket,
        orders: &mut Vec<SessionOrder>,
    ) {
        let JoinRequest { namespace, auth, query } =
            state.session.dialect().join_request(packet.namespace(), packet.data());
        let auth =
            if query.is_empty() { Cow::Borrowed(auth) } else { credentials_in(query).into() };
        if namespace.len() > LONGEST_NAMESPACE {
            // A refusal would say it again.
            let what = format!("a namespace of {} bytes", namespace.len());
            let cause = Error::new(ErrorKind::TooLarge, what);
            return state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
        }
        let is_known = state.joining.iter().any(|name| **name == *namespace)
            || state.sockets.iter().any(|socket| *socket.namespace.name == *namespace);
        if is_known {
            // Old clients ask again for what they have; of new ones it is a fault.
            if !state.session.dialect().joins_root() {
                let what = format!("\"{}\" is asked for again", PeerWords(namespace));
                let cause = Error::new(ErrorKind::Protocol, what);
                state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
            }
            return;
        }
        let claim = Claim::in_auth(&auth).filter(|_| self.hub.options.recovery.is_some());
        self.join(state, namespace, &auth, claim, orders);
    }

    /// The client asks for a namespace. Functions of the program are asked on a thread of the pool.
    pub(super) fn join(
        &self,
        state: &mut PeerState,
        namespace: &str,
        auth: &str,
        claim: Option<Claim>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let count = state.sockets.len() + state.joining.len();
        let are_many = count >= self.hub.options.max_namespaces
            || self.leaving.load(Ordering::Acquire) >= MOST_LEAVING;
        if are_many {
            let error = Error::new(ErrorKind::TooLarge, "Too many namespaces");
            return self.refuse(state, namespace, &error, orders);
        }
        let handshake = SocketHandshake { request: Arc::clone(&self.request), auth: auth.into() };
        match self.hub.namespace(namespace) {
            Some(known) if claim.is_none() && known.handlers().authorize.is_empty() => {
                if let Some(socket) = self.make_socket(state, &known, handshake) {
                    self.admit(state, &socket, orders);
                }
            }
            None if !self.hub.has_families() => self.refuse(state, namespace, &unknown(), orders),
            _ => self.ask_program(state, namespace, handshake, claim),
        }
    }

    fn make_socket(
        &self,
        state: &PeerState,
        namespace: &Arc<ServedNamespace>,
        handshake: SocketHandshake,
    ) -> Option<Arc<ServedSocket>> {
        let dialect = state.session.dialect();
        let id = dialect.socket_id(&namespace.name, &self.sid);
        // Clients of the older revision cannot come back to a socket.
        let may_return = self.hub.options.recovery.is_some() && id.is_none();
        let origin = Origin {
            id: id.unwrap_or_else(super::ids::new_id).into(),
            pid: may_return.then(|| super::ids::new_id().into()),
            is_recovered: false,
            data: Vec::new(),
        };
        Some(ServedSocket::new(origin, namespace, handshake, &self.this.upgrade()?))
    }

    fn ask_program(
        &self,
        state: &mut PeerState,
        namespace: &str,
        handshake: SocketHandshake,
        claim: Option<Claim>,
    ) {
        let Some(this) = self.this.upgrade() else { return };
        state.joining.push(namespace.into());
        let name: Box<str> = namespace.into();
        self.hub.pool.submit(Task::AtTheDoor(Box::new(move || {
            let decided = this.decide(&name, handshake, claim.as_ref());
            let mut state = this.lock();
            this.run(&mut state, |state, orders| {
                this.finish_joining(state, &name, decided, claim.as_ref(), orders);
            });
        })));
    }

    /// Asks the program whether this client may join. It may take its time, and panic.
    fn decide(
        &self,
        name: &str,
        handshake: SocketHandshake,
        claim: Option<&Claim>,
    ) -> Result<Arc<ServedSocket>> {
        let panicked = || Error::new(ErrorKind::Refused, "Internal error");
        let namespace =
            survive(|| self.hub.find(name)).ok_or_else(panicked)?.ok_or_else(unknown)?;
        let socket = self.make_socket(&self.lock(), &namespace, handshake).ok_or_else(unknown)?;
        if let Some(claim) = claim {
            namespace.end_former(claim);
            if self.hub.options.recovery.is_some_and(|recovery| recovery.skip_middlewares) {
                return Ok(socket);
            }
        }
        let functions = namespace.handlers().authorize.clone();
        for function in functions {
            let decided = survive(|| function(&socket)).unwrap_or_else(|| Err(panicked()));
            decided.inspect_err(|_| socket.forget_belongings())?;
        }
        Ok(socket)
    }

    fn finish_joining(
        &self,
        state: &mut PeerState,
        name: &str,
        decided: Result<Arc<ServedSocket>>,
        claim: Option<&Claim>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let Some(at) = state.joining.iter().position(|joining| **joining == *name) else {
            // The client has gone meanwhile.
            self.has_left();
            if let Ok(socket) = decided {
                self.hub.pool.submit(Task::Once(Box::new(move || socket.forget_belongings())));
            }
            return;
        };
        state.joining.swap_remove(at);
        match (decided, claim) {
            (Ok(socket), None) => self.admit(state, &socket, orders),
            (Ok(socket), Some(claim)) => {
                if !self.restore(state, &socket, claim, orders) {
                    // It begins anew, and the program is asked after all.
                    let auth = socket.handshake.auth.clone();
                    self.join(state, name, &auth, None, orders);
                }
                socket.let_go();
            }
            (Err(error), _) => self.refuse(state, name, &error, orders),
        }
    }

    /// The client has joined: it hears that before all else, and before the program does.
    fn admit(
        &self,
        state: &mut PeerState,
        socket: &Arc<ServedSocket>,
        orders: &mut Vec<SessionOrder>,
    ) {
        if !state.session.is_open() {
            // It is being closed: what it asked for before comes too late, as at the reference.
            let socket = Arc::clone(socket);
            return self.hub.pool.submit(Task::Once(Box::new(move || socket.forget_belongings())));
        }
        if self.welcome(state, socket, orders) {
            socket.namespace.enter(socket);
            state.begin_socket(socket);
        }
    }

    /// Tells the client that it has joined. `false`: it cannot be told, and its session is over.
    pub(super) fn welcome(
        &self,
        state: &mut PeerState,
        socket: &ServedSocket,
        orders: &mut Vec<SessionOrder>,
    ) -> bool {
        let pid = socket.pid.as_deref().map(str::to_owned);
        let membership = Membership { id: socket.id.to_string(), pid };
        let json = state.session.dialect().welcome(&membership);
        let messages = self.hub.encode(socket.header(Kind::Connect, None), &text(json));
        let is_told = state.session.send(&messages, orders).is_ok();
        if !is_told {
            let cause = Error::new(ErrorKind::BufferFull, "no room for the answer to CONNECT");
            state.session.end(DisconnectReason::TransportError, Some(cause), orders);
        }
        is_told
    }

    fn refuse(
        &self,
        state: &mut PeerState,
        namespace: &str,
        error: &Error,
        orders: &mut Vec<SessionOrder>,
    ) {
        log_later!(Debug, in namespace, "a client may not join: {}", PeerWords(error.message()));
        let json = state.session.dialect().refusal(error.message(), error.data());
        let header = Header { kind: Kind::ConnectError, namespace, id: None };
        // Without room the client hears nothing, and is cut when it has joined nothing in time.
        let _ = state.session.send(&self.hub.encode(header, &text(json)), orders);
    }

    /// The program has refused an event of this socket: clients of the older revision hear of that.
    pub(super) fn tell_error(&self, socket: &ServedSocket, error: &Error) {
        let mut state = self.lock();
        let dialect = state.session.dialect();
        if dialect.joins_root() && socket.is_connected() {
            let json = dialect.refusal(error.message(), error.data());
            let messages = self.hub.encode(socket.header(Kind::ConnectError, None), &text(json));
            // One without room misses it, as it may where it does not listen.
            let _ = self.run(&mut state, |state, orders| state.session.send(&messages, orders));
        }
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
            socket.part(reason);
        }
    }
}

impl PeerState {
    /// The socket is in its namespace.
    pub(super) fn begin_socket(&mut self, socket: &Arc<ServedSocket>) {
        self.join_deadline = None;
        if self.sockets.is_empty() {
            // Most clients join one namespace.
            self.sockets.reserve_exact(1);
        }
        self.sockets.push(Arc::clone(socket));
        socket.connected();
    }
}

/// What clients of the older revision say in a query behind the namespace, as credentials: a JSON object of texts, and
/// of lists where a name stands several times.
fn credentials_in(query: &str) -> String {
    let mut credentials = serde_json::Map::new();
    for (name, value) in parameters(query) {
        let value = Value::from(value);
        match credentials.entry(name) {
            Entry::Vacant(place) => drop(place.insert(value)),
            Entry::Occupied(mut place) => match place.get_mut() {
                Value::Array(several) => several.push(value),
                one => *one = vec![one.take(), value].into(),
            },
        }
    }
    Value::from(credentials).to_string()
}

fn unknown() -> Error {
    Error::new(ErrorKind::Refused, "Invalid namespace")
}

fn text(json: String) -> Payload {
    Payload { json, attachments: Vec::new() }
}
