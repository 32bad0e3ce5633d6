//! The connections of a server, and what one thread at a time does with them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::event::Event as Readiness;
use mio::{Interest, Poll, Token};

use super::alarm_clock::AlarmClock;
use super::http_connection::{HttpConnection, IDLE_TIME, REQUEST_TIME, RequestStage};
use super::io_turn::IoTurn;
use super::lingering::{Lingering, Lingers};
use super::parts::{Due, Hub, IoCommand, Peer};
use super::reading::ReadMemory;
use super::turned_away::TurnedAway;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::event::status::DisconnectReason;
use crate::net::server::listener::{Accepted, ServerListener};
use crate::net::server::request::HeadLimits;
use crate::net::server::response::Framing;
use crate::net::server::stream::ServerStream;
use crate::sync::logging::log_later;

/// The token of the waker.
pub(super) const WAKER: Token = Token(0);

/// The token of the clock.
pub(super) const CLOCK: Token = Token(1);

/// How many connections are taken before others are looked after.
const ACCEPTED_AT_ONCE: usize = 64;

/// How long no connections are taken after the system had no descriptor for one.
const PAUSE: Duration = Duration::from_millis(100);

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What a token stands for.
pub(super) enum Slot {
    Listener(Box<ServerListener>),
    Http(Box<HttpConnection<Peer>>),
    /// The client has the connection, for a GET.
    Held(Arc<Peer>),
    WebSocket(Arc<Peer>),
    Lingering(Box<Lingering>),
}

/// What whoever serves the connections has in hand.
pub(super) struct Io {
    pub(super) poll: Poll,
    /// What is left of the turn.
    pub(super) turn: IoTurn,
    pub(super) clock: AlarmClock,
    pub(super) hub: Arc<Hub>,
    pub(super) slots: HashMap<Token, Slot>,
    pub(super) next_token: usize,
    pub(super) memory: ReadMemory,
    pub(super) limits: HeadLimits,
    /// How many of the slots are connections.
    pub(super) connections: usize,
    /// From where they come.
    pub(super) addresses: HashMap<Token, IpAddr>,
    pub(super) by_address: HashMap<IpAddr, usize>,
    /// The server ends: as soon as nothing lingers, and then at the latest.
    pub(super) ends: Option<Timestamp>,
    /// Whoever awaits the end hears of it when this is dropped.
    pub(super) _ended: Sender<()>,
}

impl Io {
    pub(super) fn new(poll: Poll, clock: AlarmClock, hub: Arc<Hub>, ended: Sender<()>) -> Self {
        Self {
            poll,
            turn: IoTurn::new(),
            clock,
            hub,
            slots: HashMap::new(),
            next_token: CLOCK.0 + 1,
            memory: ReadMemory::new(),
            limits: HeadLimits::default(),
            connections: 0,
            addresses: HashMap::new(),
            by_address: HashMap::new(),
            ends: None,
            _ended: ended,
        }
    }

    /// Nobody has a session any more: what was written last may yet have to be read.
    pub(super) fn begin_end(&mut self, at: Timestamp) {
        self.ends = self.ends.into_iter().chain([at]).min();
        let (lingering, over): (HashMap<_, _>, HashMap<_, _>) = std::mem::take(&mut self.slots)
            .into_iter()
            .partition(|(_, slot)| matches!(slot, Slot::Lingering(_)));
        self.slots = lingering;
        for slot in over.into_values() {
            if let Slot::Held(peer) = slot {
                let held = peer.lock().poll.take();
                drop(held);
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ends.is_some_and(|at| self.slots.is_empty() || at <= now())
    }

    pub(super) fn new_token(&mut self) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        token
    }

    pub(super) fn handle(&mut self, event: &Readiness) {
        let token = event.token();
        match self.slots.get_mut(&token) {
            None => {}
            Some(Slot::Listener(_)) => self.accept(token),
            Some(Slot::Http(connection)) => {
                connection.note_more();
                if event.is_read_closed() || event.is_error() {
                    connection.note_end();
                }
                self.serve_http(token);
            }
            Some(Slot::Held(_) | Slot::Lingering(_)) => self.attend(token),
            Some(Slot::WebSocket(peer)) => {
                let peer = Arc::clone(peer);
                if event.is_writable() {
                    peer.write_on(&mut peer.lock(), token);
                }
                let has_ended = event.is_read_closed() || event.is_error();
                if has_ended {
                    peer.note_end(token);
                }
                if event.is_readable() || has_ended {
                    peer.read(token, &mut self.memory);
                }
            }
        }
    }

    /// There may be more to a connection that is not a WebSocket.
    pub(super) fn attend(&mut self, token: Token) {
        match self.slots.get_mut(&token) {
            Some(Slot::Http(_)) => self.serve_http(token),
            Some(Slot::Held(_)) => self.fetch(token),
            Some(Slot::Lingering(lingering)) => match lingering.go_on(self.memory.buffer()) {
                Lingers::Waits => {}
                Lingers::HasMore => self.hub.command(IoCommand::Attend(token)),
                Lingers::Over => drop(self.remove(token)),
            },
            Some(Slot::WebSocket(_) | Slot::Listener(_)) | None => {}
        }
    }

    /// A connection cannot be served.
    pub(super) fn give_up(&mut self, token: Token) {
        match self.slots.get(&token) {
            Some(Slot::Held(peer) | Slot::WebSocket(peer)) => {
                Arc::clone(peer).cut(DisconnectReason::TransportError, None);
            }
            Some(Slot::Http(_)) => self.lose(token),
            Some(Slot::Lingering(_)) => drop(self.remove(token)),
            Some(Slot::Listener(_)) | None => {}
        }
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<Slot> {
        let slot = self.slots.remove(&token)?;
        self.connections -= 1;
        if let Some(address) = self.addresses.remove(&token) {
            if let Entry::Occupied(mut count) = self.by_address.entry(address) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        if self.slots.capacity() > 4 * self.slots.len() + 256 {
            self.slots.shrink_to_fit();
        }
        Some(slot)
    }

    pub(super) fn accept(&mut self, token: Token) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(Slot::Listener(listener)) = self.slots.get_mut(&token) else { return };
            match listener.accept() {
                Accepted::Stream(stream, address) => self.take_on(stream, address),
                Accepted::Nothing => return,
                Accepted::Lost(error) => log_later!(Debug, "{error}"),
                Accepted::Exhausted(error) => {
                    // Those who are connected go on.
                    self.hub.turned_away.tell(TurnedAway::System, now(), error);
                    self.hub.timers.arm(now() + PAUSE, Due::Accept);
                    return;
                }
            }
        }
        // There may be more, of which nobody tells again.
        self.hub.timers.arm(now(), Due::Accept);
    }

    /// A connection that was made, by a listener or by the program.
    pub(super) fn take_on(&mut self, mut stream: ServerStream, address: Option<SocketAddr>) {
        if !self.has_room_for(address) {
            return;
        }
        let token = self.new_token();
        if let Err(error) = self.poll.registry().register(&mut stream, token, BOTH) {
            log_later!(Warn, "a connection cannot be waited for: {error}");
            return;
        }
        let connection = Box::new(HttpConnection::new(stream, address));
        self.connections += 1;
        self.slots.insert(token, Slot::Http(connection));
        if let Some(address) = address {
            self.addresses.insert(token, address.ip());
            *self.by_address.entry(address.ip()).or_default() += 1;
        }
        self.set_deadline(token, REQUEST_TIME);
    }

    fn has_room_for(&self, address: Option<SocketAddr>) -> bool {
        let options = &self.hub.options;
        let address = address.map(|address| address.ip());
        let of_address = address.and_then(|address| self.by_address.get(&address).copied());
        let (cause, words) = if self.connections >= options.max_connections {
            (TurnedAway::Connections, "`max_connections` is how many there may be".to_owned())
        } else if of_address.is_some_and(|count| count >= options.max_connections_per_address) {
            let of = address.map(|address| address.to_string()).unwrap_or_default();
            let words = format!("`max_connections_per_address` is how many {of} may have");
            (TurnedAway::ConnectionsOfAddress, words)
        } else {
            return true;
        };
        let words = format!("a connection is closed at once: {words}");
        self.hub.turned_away.tell(cause, now(), words);
        false
    }

    pub(super) fn set_deadline(&mut self, token: Token, time: Duration) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let at = now() + time;
        // It is looked at when the one is due that was set before.
        let is_armed = connection.deadline.replace(at).is_some();
        if !is_armed {
            self.hub.timers.arm(at, Due::Connection(token));
        }
    }

    /// All is written, and the client is to read it before the connection is cut.
    pub(super) fn linger(&mut self, token: Token) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let (stream, _) = connection.into_parts();
        self.keep_lingering(token, stream, Vec::new());
    }

    pub(super) fn keep_lingering(&mut self, token: Token, stream: ServerStream, rest: Vec<u8>) {
        self.slots.insert(token, Slot::Lingering(Box::new(Lingering::new(stream, rest))));
        self.hub.timers.arm(now() + super::lingering::TIME, Due::Connection(token));
        self.attend(token);
    }

    /// Waits for whoever comes in by these, and takes those who have come already.
    fn listen(&mut self, listeners: Vec<ServerListener>) {
        for mut listener in listeners {
            let token = self.new_token();
            let registry = self.poll.registry();
            if let Err(error) = registry.register(&mut listener, token, Interest::READABLE) {
                log_later!(Error, "a listener cannot be waited for, and is closed: {error}");
                continue;
            }
            self.slots.insert(token, Slot::Listener(Box::new(listener)));
            self.accept(token);
        }
    }

    pub(super) fn obey(&mut self, command: IoCommand) {
        match command {
            IoCommand::Listen(listeners) => self.listen(listeners),
            IoCommand::Attend(token) => self.attend(token),
            IoCommand::GoOn(peer) => self.go_on(&peer),
            IoCommand::Decided(token, decision) => {
                let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
                let asked = std::mem::replace(&mut connection.stage, RequestStage::Idle);
                if let RequestStage::Asked(head, text) = asked {
                    self.serve_request(token, head, text, Some(decision));
                    self.serve_http(token);
                }
            }
            IoCommand::Answered(token, response) => {
                let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
                let asked = std::mem::replace(&mut connection.stage, RequestStage::Idle);
                if let RequestStage::Asked(head, _) = asked {
                    self.respond(token, &response, Framing::of(&head));
                    self.serve_http(token);
                }
            }
            IoCommand::ReadOn(peer, token) => peer.read(token, &mut self.memory),
            IoCommand::Close(token) => drop(self.remove(token)),
            IoCommand::Linger(wire) => {
                let token = wire.token;
                let (stream, rest) = wire.into_rest();
                self.keep_lingering(token, stream, rest);
            }
            IoCommand::Serve(stream, address) => self.take_on(*stream, address),
            IoCommand::End(at) => self.begin_end(at),
        }
    }

    /// The handlers of a client have caught up.
    pub(super) fn go_on(&mut self, peer: &Arc<Peer>) {
        let mut state = peer.lock();
        if !peer.resume(&mut state) {
            return;
        }
        let post = state.post_waits.take();
        let wires = [state.wire.as_ref(), state.candidate.as_deref()];
        let wires = wires.map(|wire| wire.map(|wire| wire.token));
        drop(state);
        if let Some(token) = post {
            if let Some(Slot::Http(connection)) = self.slots.get_mut(&token) {
                if let RequestStage::PostWaits(_, body) = &mut connection.stage {
                    let body = std::mem::take(body);
                    self.take_body(token, body);
                    self.serve_http(token);
                }
            }
        }
        for token in wires.into_iter().flatten() {
            peer.read(token, &mut self.memory);
        }
    }

    /// Something is due, which was to be at that time.
    pub(super) fn look_after(&mut self, at: Timestamp, due: Due) {
        match due {
            Due::Peer(peer) => {
                if let Some(peer) = peer.upgrade().and_then(|peer| peer.upgrade()) {
                    peer.expire(at);
                }
            }
            Due::Answers(socket) => {
                if let Some(socket) = socket.upgrade() {
                    socket.expire_answers(at);
                }
            }
            Due::Recovery(namespace) => {
                if let Some(namespace) = namespace.upgrade() {
                    namespace.expire_recovery();
                }
            }
            Due::Deferred => self.hub.write_some_deferred(),
            Due::Workers(look) => {
                if self.hub.pool.look(look) {
                    self.hub.timers.arm(now() + look.pause(), Due::Workers(look));
                }
            }
            Due::Connection(token) => self.look_after_connection(token),
            Due::Accept => {
                let is_listener = |(_, slot): &(&Token, &Slot)| matches!(slot, Slot::Listener(_));
                let tokens: Vec<_> =
                    self.slots.iter().filter(is_listener).map(|(token, _)| *token).collect();
                for token in tokens {
                    self.accept(token);
                }
            }
        }
    }

    pub(super) fn look_after_connection(&mut self, token: Token) {
        if let Some(Slot::Held(_)) = self.slots.get(&token) {
            self.fetch(token);
        }
        match self.slots.get_mut(&token) {
            // The session has deadlines of its own.
            Some(Slot::Held(_)) => self.hub.timers.arm(now() + IDLE_TIME, Due::Connection(token)),
            Some(Slot::Http(connection)) => {
                let left = connection.deadline.take().map(|at| at.since(now()));
                match left {
                    // The session has deadlines of its own, and so has what the program is asked.
                    _ if !connection.is_reading() && !connection.is_writing() => {
                        self.set_deadline(token, IDLE_TIME);
                    }
                    Some(left) if !left.is_zero() => self.set_deadline(token, left),
                    _ if connection.has_more_time(now()) => self.set_deadline(token, REQUEST_TIME),
                    _ => self.lose(token),
                }
            }
            Some(Slot::Lingering(_)) => drop(self.remove(token)),
            Some(Slot::WebSocket(_) | Slot::Listener(_)) | None => {}
        }
    }
}

#[cfg(test)]
mod tests;
