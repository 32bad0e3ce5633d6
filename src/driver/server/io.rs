//! The thread that serves all connections of a server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use mio::event::Event as Readiness;
use mio::{Events, Interest, Poll, Token};

use super::door::Decision;
use super::held_poll::Fetched;
use super::http_connection::{Answering, Came, HttpConnection, IDLE_TIME, RequestStage};
use super::lingering::{Lingering, Lingers};
use super::parts::{Due, HeldPoll, Hub, IoCommand, Peer, PollStage};
use super::requests::{Handled, ServedRequest, ask_fallback, take_answer};
use super::wire::PeerWire;
use crate::core::server::session::PollFate;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::event::status::DisconnectReason;
use crate::net::server::listener::{Accepted, ServerListener};
use crate::net::server::request::{BodyLength, HeadLimits, RequestHead};
use crate::net::server::response::{EngineRefusal, Framing, HttpResponse};
use crate::net::server::stream::ServerStream;
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// The token of the waker.
pub(super) const WAKER: Token = Token(0);

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// How many steps a connection goes that speaks HTTP before others have their turn: a request, or a part of a body.
const STEPS: usize = 32;

/// How many connections are taken before others are looked after.
const ACCEPTED_AT_ONCE: usize = 64;

/// How long a request may take from its first byte to its last, and a response to be taken.
const REQUEST_TIME: Duration = Duration::from_secs(20);

/// How long no connections are taken after the system had no descriptor for one.
const PAUSE: Duration = Duration::from_millis(100);

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What a token stands for.
enum Slot {
    Listener(ServerListener),
    Http(Box<HttpConnection<Peer>>),
    /// The client has the connection, for a GET.
    Held(Arc<Peer>),
    WebSocket(Arc<Peer>),
    Lingering(Box<Lingering>),
}

/// The thread's own.
pub(super) struct Io {
    poll: Poll,
    pub(super) hub: Arc<Hub>,
    slots: HashMap<Token, Slot>,
    next_token: usize,
    buffer: Box<[u8]>,
    limits: HeadLimits,
    /// How many of the slots are connections.
    connections: usize,
    /// From where they come.
    addresses: HashMap<Token, IpAddr>,
    by_address: HashMap<IpAddr, usize>,
    /// The server ends: as soon as nothing lingers, and then at the latest.
    ends: Option<Timestamp>,
}

impl Io {
    pub(super) fn new(
        poll: Poll,
        hub: Arc<Hub>,
        listeners: Vec<ServerListener>,
    ) -> io::Result<Self> {
        let mut io = Self {
            poll,
            hub,
            slots: HashMap::new(),
            next_token: WAKER.0 + 1,
            buffer: vec![0; BUFFER].into(),
            limits: HeadLimits::default(),
            connections: 0,
            addresses: HashMap::new(),
            by_address: HashMap::new(),
            ends: None,
        };
        for mut listener in listeners {
            let token = io.new_token();
            io.poll.registry().register(&mut listener, token, Interest::READABLE)?;
            io.slots.insert(token, Slot::Listener(listener));
        }
        Ok(io)
    }

    /// Serves until the server has ended.
    pub(super) fn serve(mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.has_ended() {
            let next = self.hub.timers.next().into_iter().chain(self.ends).min();
            let left = next.map(|at| at.since(now()));
            // A timer of the system counts in milliseconds, and would be up too early.
            let left = left.map(|left| left + Duration::from_micros(999));
            match self.poll.poll(&mut events, left) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    log_later!(Error, "a server cannot wait for its connections: {error}");
                    break;
                }
                _ => {}
            }
            for event in &events {
                if survive(|| self.handle(event)).is_none() {
                    log_later!(Error, "a connection is cut: to serve it has panicked");
                    survive(|| self.give_up(event.token()));
                }
            }
            for command in self.hub.commands.take() {
                if survive(|| self.obey(command)).is_none() {
                    log_later!(Error, "a server goes on, though what was asked of it has panicked");
                }
            }
            let now = now();
            while let Some((at, due)) = self.hub.timers.take(now) {
                if survive(|| self.look_after(at, due)).is_none() {
                    log_later!(Error, "a server goes on, though what was due has panicked");
                }
            }
        }
        self.slots.clear();
        let hub = Arc::clone(&self.hub);
        // Handlers of ends may yet have to run.
        self.hub.pool.end(move || hub.forget_all());
    }

    /// Nobody has a session any more: what was written last may yet have to be read.
    fn begin_end(&mut self, at: Timestamp) {
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

    fn has_ended(&self) -> bool {
        self.ends.is_some_and(|at| self.slots.is_empty() || at <= now())
    }

    fn new_token(&mut self) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        token
    }

    fn handle(&mut self, event: &Readiness) {
        let token = event.token();
        match self.slots.get_mut(&token) {
            None => {}
            Some(Slot::Listener(_)) => self.accept(token),
            Some(Slot::Http(connection)) => {
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
                    peer.read(token, &mut self.buffer);
                }
            }
        }
    }

    /// There may be more to a connection that is not a WebSocket.
    fn attend(&mut self, token: Token) {
        match self.slots.get_mut(&token) {
            Some(Slot::Http(_)) => self.serve_http(token),
            Some(Slot::Held(_)) => self.fetch(token),
            Some(Slot::Lingering(lingering)) => match lingering.go_on(&mut self.buffer) {
                Lingers::Waits => {}
                Lingers::HasMore => self.hub.command(IoCommand::Attend(token)),
                Lingers::Over => drop(self.remove(token)),
            },
            Some(Slot::WebSocket(_) | Slot::Listener(_)) | None => {}
        }
    }

    /// A connection cannot be served.
    fn give_up(&mut self, token: Token) {
        match self.slots.get(&token) {
            Some(Slot::Held(peer) | Slot::WebSocket(peer)) => {
                Arc::clone(peer).cut(DisconnectReason::TransportError, None);
            }
            Some(Slot::Http(_)) => self.lose(token),
            Some(Slot::Lingering(_)) => drop(self.remove(token)),
            Some(Slot::Listener(_)) | None => {}
        }
    }

    fn remove(&mut self, token: Token) -> Option<Slot> {
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

    fn accept(&mut self, token: Token) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(Slot::Listener(listener)) = self.slots.get_mut(&token) else { return };
            match listener.accept() {
                Accepted::Stream(stream, address) => self.take_on(stream, address),
                Accepted::Nothing => return,
                Accepted::Lost(error) => log_later!(Debug, "{error}"),
                Accepted::Exhausted(error) => {
                    // Those who are connected go on.
                    log_later!(Warn, "{error}");
                    self.hub.timers.arm(now() + PAUSE, Due::Accept);
                    return;
                }
            }
        }
        // There may be more, of which nobody tells again.
        self.hub.timers.arm(now(), Due::Accept);
    }

    /// A connection that was made, by a listener or by the program.
    fn take_on(&mut self, mut stream: ServerStream, address: Option<SocketAddr>) {
        if !self.has_room_for(address) {
            log_later!(Debug, "a connection is refused: there are {}", self.connections);
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
        let of_address = address.and_then(|address| self.by_address.get(&address.ip()));
        self.connections < options.max_connections
            && of_address.is_none_or(|count| *count < options.max_connections_per_address)
    }

    fn set_deadline(&mut self, token: Token, time: Duration) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let at = now() + time;
        // It is looked at when the one is due that was set before.
        let is_armed = connection.deadline.replace(at).is_some();
        if !is_armed {
            self.hub.timers.arm(at, Due::Connection(token));
        }
    }

    /// Serves what has come by a connection, as far as it goes, or until others have their turn.
    fn serve_http(&mut self, token: Token) {
        for _ in 0..STEPS {
            let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
            // With TLS, there may be something to write though no response is.
            if connection.write_on().is_err() {
                return self.lose(token);
            }
            if connection.is_writing() {
                return;
            }
            if matches!(connection.stage, RequestStage::PollAnswers(_)) {
                if let RequestStage::PollAnswers(peer) =
                    std::mem::replace(&mut connection.stage, RequestStage::Idle)
                {
                    peer.poll_answered();
                }
                continue;
            }
            if connection.is_done() {
                return self.linger(token);
            }
            match connection.read(&mut self.buffer, &self.limits) {
                Came::Nothing => return,
                Came::More => break,
                Came::End(error) => {
                    if let Some(error) = error {
                        match ServerStream::tls_failure(&error) {
                            Some(failure) => log_later!(Debug, "a connection failed: {failure:#}"),
                            None => log_later!(Debug, "a connection failed: {error}"),
                        }
                    }
                    return self.lose(token);
                }
                Came::Request(head, text) => {
                    self.set_deadline(token, REQUEST_TIME);
                    self.serve_request(token, head, text, None);
                }
                Came::Body(body) => self.take_body(token, body),
                Came::Refused(refusal) => {
                    log_later!(Debug, "a request is refused: {refusal}");
                    if let RequestStage::Posting { request, .. } =
                        std::mem::replace(&mut connection.stage, RequestStage::Idle)
                    {
                        request.peer.post_lost();
                    }
                    self.respond(token, &HttpResponse::refusal(&refusal), Framing::CLOSE);
                }
            }
        }
        // Of what has come already, the system does not tell again.
        self.hub.command(IoCommand::Attend(token));
    }

    /// A request has come, or the program has decided about it.
    fn serve_request(
        &mut self,
        token: Token,
        head: Box<RequestHead>,
        text: Box<[u8]>,
        decision: Option<Decision>,
    ) {
        let hub = Arc::clone(&self.hub);
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let headers = HeaderMap::new();
        let mut request = ServedRequest { hub: &hub, token, head: &head, text: &text, headers };
        let handled = match decision {
            Some(decision) => Some(request.handle_decided(decision, connection)),
            None => request.handle(connection),
        };
        let headers = request.headers;
        match handled {
            None => connection.stage = RequestStage::Asked(head, text),
            Some(Handled::Respond(response)) => {
                // A body that nobody reads would be taken for the next request.
                let framing = Framing::of(&head);
                let has_body = head.body != BodyLength::Known(0);
                let framing = if has_body { framing.closing() } else { framing };
                self.respond(token, &response.with_all(&headers), framing);
            }
            Some(Handled::Poll(peer)) => self.hold_poll(token, &peer, Framing::of(&head), headers),
            Some(Handled::Waits) => {
                if head.expects_continue && connection.is_reading() {
                    // Where it fails, the next read tells.
                    let _ = connection.invite();
                }
            }
            Some(Handled::WebSocket { peer, is_upgrade, acceptance }) => {
                let mut bytes = Vec::new();
                acceptance.write(&headers, &mut bytes);
                self.begin_websocket(token, &peer, is_upgrade, &bytes);
            }
        }
    }

    /// The connection becomes a WebSocket of this client.
    fn begin_websocket(&mut self, token: Token, peer: &Arc<Peer>, is_upgrade: bool, answer: &[u8]) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let (stream, unread) = connection.into_parts();
        let mut wire = PeerWire::new(token, stream, self.hub.options.session.max_payload);
        wire.unread = unread;
        // Where it fails, the first attempt to read tells.
        let _ = wire.write(answer);
        self.slots.insert(token, Slot::WebSocket(Arc::clone(peer)));
        peer.attach(wire, is_upgrade);
        peer.read(token, &mut self.buffer);
    }

    fn respond(&mut self, token: Token, response: &HttpResponse, framing: Framing) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        if connection.respond(response, framing).is_err() {
            return self.lose(token);
        }
        self.set_deadline(token, IDLE_TIME);
    }

    fn take_body(&mut self, token: Token, body: Vec<u8>) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let request = match std::mem::replace(&mut connection.stage, RequestStage::Idle) {
            RequestStage::Posting { request, .. } => request,
            RequestStage::ReadsBody(head, _) => {
                ask_fallback(&self.hub, token, head.clone(), connection, body);
                connection.stage = RequestStage::Asked(head, Box::default());
                return;
            }
            _ => return,
        };
        if request.peer.take_post(token, request.is_binary, &body) {
            self.answer_post(token, &request);
        } else {
            connection.stage = RequestStage::PostWaits(request);
        }
    }

    fn answer_post(&mut self, token: Token, request: &Answering<Peer>) {
        let response = HttpResponse::post_taken().with_all(&request.headers);
        self.respond(token, &response, request.framing);
    }

    /// A connection has ended, or is given up.
    fn lose(&mut self, token: Token) {
        let Some(Slot::Http(connection)) = self.remove(token) else { return };
        match connection.stage {
            RequestStage::Idle | RequestStage::Asked(..) | RequestStage::ReadsBody(..) => {}
            RequestStage::Posting { request, .. } => request.peer.post_lost(),
            RequestStage::PostWaits(request) => request.peer.post_answer_lost(),
            RequestStage::PollAnswers(peer) => peer.poll_lost(),
        }
    }

    /// All is written, and the client is to read it before the connection is cut.
    fn linger(&mut self, token: Token) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let (stream, _) = connection.into_parts();
        self.keep_lingering(token, stream, Vec::new());
    }

    fn keep_lingering(&mut self, token: Token, stream: ServerStream, rest: Vec<u8>) {
        self.slots.insert(token, Slot::Lingering(Box::new(Lingering::new(stream, rest))));
        self.hub.timers.arm(now() + super::lingering::TIME, Due::Connection(token));
        self.attend(token);
    }

    fn obey(&mut self, command: IoCommand) {
        match command {
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
            IoCommand::ReadOn(peer, token) => peer.read(token, &mut self.buffer),
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

    /// A GET of this client has come.
    fn hold_poll(&mut self, token: Token, peer: &Arc<Peer>, framing: Framing, headers: HeaderMap) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let may_have_ended = connection.may_have_ended;
        let mut state = peer.lock();
        let (fate, former) = peer.run(&mut state, |state, orders| {
            let fate = state.session.poll(now(), orders);
            if fate != PollFate::Wait {
                return (Err((fate, connection)), None);
            }
            let held = HeldPoll { token, connection, framing, headers, stage: PollStage::Waits };
            (Ok(()), state.poll.replace(Box::new(held)))
        });
        drop(state);
        match fate {
            Ok(()) => {
                self.slots.insert(token, Slot::Held(Arc::clone(peer)));
                if may_have_ended {
                    self.fetch(token);
                }
            }
            Err((fate, connection)) => {
                self.slots.insert(token, Slot::Http(connection));
                self.answer_at_once(token, fate, peer, framing);
            }
        }
        if let Some(former) = former {
            let token = former.token;
            self.slots.insert(token, Slot::Http(former.connection));
            self.serve_http(token);
        }
    }

    fn answer_at_once(&mut self, token: Token, fate: PollFate, peer: &Arc<Peer>, framing: Framing) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let response = match fate {
            PollFate::Refuse => HttpResponse::engine_refusal(EngineRefusal::BadRequest, None),
            PollFate::Answer | PollFate::Wait => take_answer(connection, peer),
        };
        self.respond(token, &response, framing);
    }

    /// Something has happened to a connection that a client has.
    fn fetch(&mut self, token: Token) {
        let Some(Slot::Held(peer)) = self.slots.get(&token) else { return };
        let peer = Arc::clone(peer);
        match peer.fetch_poll(token, &mut self.buffer) {
            Fetched::Stays => {}
            Fetched::Gone => drop(self.remove(token)),
            Fetched::Free(connection) => {
                self.slots.insert(token, Slot::Http(connection));
                self.serve_http(token);
            }
        }
    }

    /// The handlers of a client have caught up.
    fn go_on(&mut self, peer: &Arc<Peer>) {
        let mut state = peer.lock();
        if !peer.resume(&mut state) {
            return;
        }
        let post = state.post_waits.take();
        if post.is_some() {
            state.session.end_post();
        }
        let wires = [state.wire.as_ref(), state.candidate.as_deref()];
        let wires = wires.map(|wire| wire.map(|wire| wire.token));
        drop(state);
        if let Some(token) = post {
            if let Some(Slot::Http(connection)) = self.slots.get_mut(&token) {
                if let RequestStage::PostWaits(request) =
                    std::mem::replace(&mut connection.stage, RequestStage::Idle)
                {
                    self.answer_post(token, &request);
                    self.serve_http(token);
                }
            }
        }
        for token in wires.into_iter().flatten() {
            peer.read(token, &mut self.buffer);
        }
    }

    /// Something is due, which was to be at that time.
    fn look_after(&mut self, at: Timestamp, due: Due) {
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
            Due::Deferred => self.hub.write_deferred(),
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

    fn look_after_connection(&mut self, token: Token) {
        if let Some(Slot::Held(_)) = self.slots.get(&token) {
            self.fetch(token);
        }
        match self.slots.get_mut(&token) {
            // The session has deadlines of its own.
            Some(Slot::Held(_)) => self.hub.timers.arm(now() + IDLE_TIME, Due::Connection(token)),
            Some(Slot::Http(connection)) => {
                let at = connection.deadline.take();
                match at {
                    // The session has deadlines of its own, and so has what the program is asked.
                    _ if !connection.is_reading() && !connection.is_writing() => {
                        self.set_deadline(token, IDLE_TIME);
                    }
                    Some(at) if at > now() => self.set_deadline(token, at.since(now())),
                    _ => self.lose(token),
                }
            }
            Some(Slot::Lingering(_)) => drop(self.remove(token)),
            Some(Slot::WebSocket(_) | Slot::Listener(_)) | None => {}
        }
    }
}
