//! A session: what the transports share, and the namespaces on top.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Instant;

use serde_json::json;
use siot::internal::{
    self, Body, BodyRoom, Dialect, Handshake, Header, Kind, Packet, Parser, Payload, Pinger, Probe,
    SocketPacket,
};
use siot::{AckReply, Result, Transport, Value};

use super::http::{Request, parameters};
use super::{Options, PeerSocket, Refusal, Shared, lock};

/// What is called with the client's answer.
pub(super) type AckCallback = Box<dyn FnOnce(AckReply) + Send>;

/// One Engine.IO session.
pub(super) struct Session {
    sid: String,
    pub(super) dialect: &'static dyn Dialect,
    shared: Weak<Shared>,
    state: Mutex<State>,
    /// Told when the state changed, for the poll that waits.
    changed: Condvar,
}

struct State {
    closed: bool,
    /// The transport that the packets go by.
    transport: Transport,
    /// A WebSocket is under test: no poll waits any more.
    probed: bool,
    /// A poll waits.
    polling: bool,
    queue: VecDeque<Packet>,
    parser: Box<dyn Parser>,
    next_ping: Instant,
    /// When the client has to have said something.
    due: Option<Instant>,
    namespaces: HashMap<String, Namespace>,
}

/// A namespace that the client has joined.
#[derive(Default)]
struct Namespace {
    next_ack: u64,
    acks: HashMap<u64, AckCallback>,
}

impl Session {
    /// Opens a session, with its handshake in the queue; `None` for an unknown revision.
    pub(super) fn open(
        shared: &Arc<Shared>,
        request: &Request,
        transport: Transport,
    ) -> Option<Arc<Self>> {
        let options = &shared.options;
        // Old servers do not care what they are asked for.
        let dialect = internal::dialect(if options.old { "3" } else { request.eio() })?;
        let now = Instant::now();
        let patience = options.ping_interval + options.ping_timeout;
        let handshake = Handshake {
            sid: format!("{:032x}", fastrand::u128(..)),
            upgrade_to_websocket: transport == Transport::Polling
                && options.transports.contains(&Transport::WebSocket),
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            max_payload: (!options.old).then_some(options.max_payload),
        };
        let session = Arc::new(Self {
            sid: handshake.sid.clone(),
            dialect,
            shared: Arc::downgrade(shared),
            state: Mutex::new(State {
                closed: false,
                transport,
                probed: false,
                polling: false,
                queue: VecDeque::from([Packet::Open(handshake.to_json())]),
                parser: internal::parser(options.parser, dialect),
                next_ping: now + options.ping_interval,
                due: (dialect.pinger() == Pinger::Client).then(|| now + patience),
                namespaces: HashMap::new(),
            }),
            changed: Condvar::new(),
        });
        if dialect.joins_root() {
            session.join("/", &request.parameters()).ok()?;
        }
        lock(&shared.sessions).insert(handshake.sid, Arc::clone(&session));
        Some(session)
    }

    pub(super) fn is_on_websocket(&self) -> bool {
        lock(&self.state).transport == Transport::WebSocket
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Sends a heartbeat when it is time; `false` when the session is over.
    pub(super) fn tick(&self, options: &Options) -> bool {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if state.due.is_some_and(|due| due < now) {
            state.closed = true;
        } else if options.pings
            && self.dialect.pinger() == Pinger::Server
            && state.due.is_none()
            && state.next_ping <= now
        {
            state.next_ping = now + options.ping_interval;
            state.due = Some(now + options.ping_timeout);
            state.queue.push_back(Packet::Ping(Probe::Heartbeat));
        }
        self.changed.notify_all();
        !state.closed
    }

    /// The client has said something.
    fn heard(&self, shared: &Shared, packet: &Packet) {
        let Options { ping_interval, ping_timeout, .. } = shared.options;
        match self.dialect.pinger() {
            Pinger::Client => {
                let due = Instant::now() + ping_interval + ping_timeout;
                lock(&self.state).due = Some(due);
            }
            Pinger::Server if matches!(packet, Packet::Pong(_)) => {
                lock(&self.state).due = None;
            }
            Pinger::Server => {}
        }
    }

    /// Waits for packets for the response to a GET; `None` when the session is over.
    pub(super) fn poll(&self) -> Option<Body> {
        let mut state = lock(&self.state);
        // A second poll beside the first is an offence.
        state.closed |= std::mem::replace(&mut state.polling, true);
        self.changed.notify_all();
        let mut state = self
            .changed
            .wait_while(state, |state| !state.closed && !state.probed && state.queue.is_empty())
            .ok()?;
        state.polling = false;
        if state.transport == Transport::WebSocket || (state.probed && state.queue.is_empty()) {
            let mut noop = VecDeque::from([Packet::Noop]);
            return Some(self.dialect.encode_payload(&mut noop, BodyRoom::ANY));
        }
        let ended = state.queue.is_empty();
        (!ended).then(|| self.dialect.encode_payload(&mut state.queue, BodyRoom::ANY))
    }

    /// What is to be written to the WebSocket.
    pub(super) fn take(&self) -> VecDeque<Packet> {
        std::mem::take(&mut lock(&self.state).queue)
    }

    /// A WebSocket is under test, or has failed it.
    pub(super) fn set_probed(&self, probed: bool) {
        self.change(|state| state.probed = probed);
    }

    /// The WebSocket takes over.
    pub(super) fn upgrade(&self) {
        self.change(|state| state.transport = Transport::WebSocket);
    }

    pub(super) fn receive_payload(self: &Arc<Self>, binary: bool, body: &[u8]) -> Result<()> {
        let mut packets = self.dialect.decode_payload(binary, Box::new(body), usize::MAX);
        packets.try_for_each(|packet| self.receive(packet?))
    }

    pub(super) fn receive(self: &Arc<Self>, packet: Packet) -> Result<()> {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        self.heard(&shared, &packet);
        let complete = match packet {
            Packet::Text(text) => lock(&self.state).parser.decode_text(text)?,
            Packet::Binary(bytes) => lock(&self.state).parser.decode_binary(bytes)?,
            Packet::Ping(probe) if shared.options.pings => {
                self.change(|state| state.queue.push_back(Packet::Pong(probe)));
                None
            }
            Packet::Close => {
                self.close();
                None
            }
            Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Open(_)
            | Packet::Upgrade
            | Packet::Noop => None,
        };
        complete.map_or(Ok(()), |packet| self.handle(packet))
    }

    fn handle(self: &Arc<Self>, packet: SocketPacket) -> Result<()> {
        let namespace = packet.namespace().to_owned();
        match packet.kind {
            Kind::Connect => {
                // The old revision has its credentials in a query.
                let (name, auth) = namespace.split_once('?').map_or_else(
                    || (&*namespace, serde_json::from_str(packet.data()).unwrap_or_default()),
                    |(name, query)| (name, parameters(query)),
                );
                self.join(name, &auth)
            }
            Kind::Event => self.call(namespace, packet),
            Kind::Ack => {
                let callback = self.change(|state| {
                    let acks = &mut state.namespaces.get_mut(&namespace)?.acks;
                    acks.remove(&packet.id?)
                });
                if let Some(callback) = callback {
                    callback(internal::ack_reply(packet));
                }
                Ok(())
            }
            Kind::Disconnect | Kind::ConnectError => {
                self.change(|state| state.namespaces.remove(&namespace));
                Ok(())
            }
        }
    }

    /// Lets the client into a namespace, or tells it why not.
    fn join(&self, namespace: &str, auth: &Value) -> Result<()> {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        let (kind, payload) = match (shared.options.admit)(namespace, auth) {
            Ok(()) => (Kind::Connect, self.welcome(namespace)?),
            Err(refusal) => (Kind::ConnectError, self.refusal(refusal)?),
        };
        self.change(|state| {
            if kind == Kind::Connect {
                state.namespaces.insert(namespace.to_owned(), Namespace::default());
            }
            state.parser.encode(Header { kind, namespace, id: None }, &payload, &mut state.queue);
        });
        Ok(())
    }

    /// What goes with the good news: nothing in the old revision, where the client knows its id.
    fn welcome(&self, namespace: &str) -> Result<Payload> {
        if self.dialect.joins_root() {
            return Ok(Payload::default());
        }
        Payload::value(&json!({ "sid": format!("{namespace}#{}", self.sid) }))
    }

    /// What goes with the bad news: in the old revision the data, or the message where there is none.
    fn refusal(&self, Refusal { message, data }: Refusal) -> Result<Payload> {
        if !self.dialect.joins_root() {
            return Payload::value(&json!({ "message": message, "data": data }));
        }
        let json = if data == Value::Null { json!(message) } else { json!(data) };
        Ok(Payload { json: json.to_string(), ..Payload::default() })
    }

    /// Calls the handler of an event. It runs on the thread of the connection.
    fn call(self: &Arc<Self>, namespace: String, packet: SocketPacket) -> Result<()> {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        let socket = PeerSocket::new(Arc::clone(self), namespace.clone());
        let session = Arc::clone(self);
        let reply = packet.id.map(|id| {
            move |payload| {
                session.send(Kind::Ack, &namespace, Some(id), &payload);
                Ok(())
            }
        });
        let event = internal::event(packet, reply);
        match shared.options.handlers.get(event.name()) {
            Some(handler) => handler(&socket, event),
            None => Ok(()),
        }
    }

    /// Sends an event, if the client has joined the namespace.
    pub(super) fn send_event(&self, namespace: &str, payload: &Payload, ack: Option<AckCallback>) {
        self.change(|state| {
            let Some(joined) = state.namespaces.get_mut(namespace) else { return };
            let id = ack.map(|callback| {
                joined.next_ack += 1;
                joined.acks.insert(joined.next_ack, callback);
                joined.next_ack
            });
            let header = Header { kind: Kind::Event, namespace, id };
            state.parser.encode(header, payload, &mut state.queue);
        });
    }

    /// Puts the client out of a namespace.
    pub(super) fn put_out(&self, namespace: &str) {
        self.change(|state| state.namespaces.remove(namespace));
        self.send(Kind::Disconnect, namespace, None, &Payload::default());
    }

    pub(super) fn broadcast(&self, namespace: &str, payload: &Payload) {
        if let Some(shared) = self.shared.upgrade() {
            shared.broadcast(namespace, payload);
        }
    }

    fn send(&self, kind: Kind, namespace: &str, id: Option<u64>, payload: &Payload) {
        self.change(|state| {
            state.parser.encode(Header { kind, namespace, id }, payload, &mut state.queue);
        });
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut lock(&self.state));
        self.changed.notify_all();
        result
    }
}
