//! The state machines in virtual time: a [`World`] plays the driver, the clock and the server.
//!
//! For unit tests, and for the fuzzer. What fails here is the test, by a panic: no program has it.
#![cfg_attr(not(test), allow(dead_code, reason = "the fuzzer needs less than the tests"))]

pub(in crate::core) mod audit;
mod playing;
mod reckoning;
#[cfg(fuzzing)]
pub(crate) mod script;
pub(in crate::core) mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::client::{Client, Cycle, Emit, Fate, NotTaken};
use crate::core::engine::Loss;
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{ManagerOptions, Transport};
use crate::payload::Payload;
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::handshake::Handshake;

/// How a link ends that the server closes.
pub(in crate::core) fn closed_link() -> Loss {
    Loss::Closed(Error::new(ErrorKind::Transport, "gone"))
}

/// The heartbeat of the scripted server.
pub(in crate::core) const INTERVAL: Duration = Duration::from_secs(25);
pub(in crate::core) const TIMEOUT: Duration = Duration::from_secs(20);

pub(in crate::core) const SECOND: Duration = Duration::from_secs(1);

/// The least time there is.
pub(in crate::core) const MOMENT: Duration = Duration::from_nanos(1);

/// The connection under test with everything around it.
pub(in crate::core) struct World {
    pub(in crate::core) client: Client<u32>,
    pub(in crate::core) now: Timestamp,
    pub(in crate::core) links: BTreeMap<LinkId, Threads>,
    /// Those of them whose threads run.
    pub(in crate::core) running: Vec<LinkId>,
    pub(in crate::core) last_link: LinkId,
    /// How many sessions were begun.
    pub(in crate::core) sessions: usize,
    pub(in crate::core) log: Vec<String>,
    /// What users were told of drops.
    pub(in crate::core) drops: Vec<String>,
    /// Why an attempt to connect or to join failed or a session ended, the last time.
    pub(in crate::core) error: Option<Error>,
    /// The questions for what an attempt is made with, with the number of the address.
    pub(in crate::core) preparations: Vec<(u32, usize)>,
    /// Somebody is slow to hear of attempts.
    pub(in crate::core) telling: bool,
    /// Somebody is slow to say what attempts are made with.
    pub(in crate::core) preparing: bool,
    /// What users were told of failures and ends, since the last look: after how long the next attempt
    /// follows, by the name of the socket.
    pub(in crate::core) promises: Vec<(String, Option<Duration>)>,
    /// When an attempt to connect was begun.
    pub(in crate::core) dialled: Vec<Timestamp>,
    /// The questions for credentials.
    pub(in crate::core) asked: Vec<(NamespaceId, u32)>,
    /// How often those who wait were told to look again.
    pub(in crate::core) rooms: usize,
    /// How often they were told anything.
    pub(in crate::core) told: usize,
    /// Writes are finished by [`World::written`] only.
    pub(in crate::core) slow: bool,
    /// WebSockets that have written let events accumulate, until [`World::look_again`].
    pub(in crate::core) accumulates: bool,
    /// The server answers no pings of the WebSocket, but for [`World::confirm_on`].
    pub(in crate::core) deaf: bool,
    /// How often threads were to be woken.
    pub(in crate::core) wakes: usize,
    /// Transports that are to close in good order do not.
    pub(in crate::core) stubborn: bool,
    /// What the server speaks.
    pub(in crate::core) dialect: &'static dyn Dialect,
    /// What the server says in its handshake.
    pub(in crate::core) handshake: Handshake,
}

/// What the driver has for a link.
#[derive(Debug)]
pub(in crate::core) struct Threads {
    pub(in crate::core) transport: Transport,
    pub(in crate::core) upgrade: Option<String>,
    /// The number of the session it was dialled for.
    pub(in crate::core) session: usize,
    /// The thread that reads, of a WebSocket also the one that writes, has something to do.
    pub(in crate::core) reader_awake: bool,
    /// The thread that posts has something to do.
    pub(in crate::core) writer_awake: bool,
    pub(in crate::core) writing: bool,
    /// It lets events accumulate.
    pub(in crate::core) accumulating: bool,
    /// A ping of the WebSocket waits for its pong.
    pub(in crate::core) asked: bool,
    /// A request of the reader waits for its response.
    pub(in crate::core) polling: bool,
    /// The WebSocket is open, or the first response was there.
    pub(in crate::core) started: bool,
    pub(in crate::core) sent: Vec<String>,
    /// How many of these stand before the last ping of the WebSocket.
    pub(in crate::core) asked_about: usize,
    /// How many of these the server has said that it has read: by a pong of the WebSocket, or an answered request.
    pub(in crate::core) read: usize,
    /// The same, by whatever it said.
    pub(in crate::core) read_by_any: usize,
}

impl World {
    /// A client that uses WebSocket alone.
    pub(in crate::core) fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same, with other options.
    pub(in crate::core) fn with(change: impl FnOnce(&mut ManagerOptions)) -> Self {
        let mut options =
            ManagerOptions { transports: vec![Transport::WebSocket], ..ManagerOptions::default() };
        change(&mut options);
        Self {
            client: Client::new(options, 7),
            now: Timestamp(Duration::from_secs(1000)),
            links: BTreeMap::new(),
            running: Vec::new(),
            last_link: LinkId(0),
            sessions: 0,
            log: Vec::new(),
            drops: Vec::new(),
            error: None,
            preparations: Vec::new(),
            telling: false,
            preparing: false,
            promises: Vec::new(),
            dialled: Vec::new(),
            asked: Vec::new(),
            rooms: 0,
            told: 0,
            slow: false,
            accumulates: false,
            deaf: false,
            wakes: 0,
            stubborn: false,
            dialect: V4_DIALECT,
            handshake: Handshake {
                sid: "engine".into(),
                upgrade_to_websocket: false,
                ping_interval: INTERVAL,
                ping_timeout: TIMEOUT,
                max_payload: Some(1_000_000),
            },
        }
    }

    /// A client that uses WebSocket alone, and a server of the old revision.
    pub(in crate::core) fn old() -> Self {
        let mut world = Self::new();
        world.dialect = V3_DIALECT;
        world.handshake.max_payload = None;
        world
    }

    /// A client that begins with long-polling, and a server that offers the upgrade.
    pub(in crate::core) fn polling() -> Self {
        let mut world = Self::with(|options| {
            options.transports = vec![Transport::Polling, Transport::WebSocket];
        });
        world.handshake.upgrade_to_websocket = true;
        world
    }

    /// A client that is connected to `/` by WebSocket.
    pub(in crate::core) fn joined() -> (Self, NamespaceId) {
        let mut world = Self::new();
        let root = world.join("/");
        world.log();
        (world, root)
    }

    /// Connects a namespace, with all that takes.
    pub(in crate::core) fn join(&mut self, name: &str) -> NamespaceId {
        let id = self.connect(name);
        if self.client.engine().is_none_or(|engine| engine.sid().is_none()) {
            self.open();
        }
        let head = if name == "/" { "40".to_owned() } else { format!("40{name},") };
        self.receive(&format!("{head}{{\"sid\":\"{name}1\"}}"));
        self.sent();
        id
    }

    pub(in crate::core) fn connect(&mut self, name: &str) -> NamespaceId {
        let id = self.client.namespace_id(name);
        self.connect_id(id);
        id
    }

    pub(in crate::core) fn connect_id(&mut self, id: NamespaceId) {
        self.run(|client, now| client.connect(id, now));
    }

    /// The program opens the connection, which may be tried a moment later.
    pub(in crate::core) fn dial(&mut self) {
        self.run(Client::open);
        while self.client.cycle() == Cycle::Waiting {
            self.advance_to_deadline();
        }
    }

    /// The server accepts the connection and opens the session.
    pub(in crate::core) fn open(&mut self) {
        let open = format!("0{}", self.handshake.to_json());
        self.connected();
        self.receive(&open);
    }

    /// The link dialled last has its connection.
    pub(in crate::core) fn connected(&mut self) {
        self.connected_on(self.last_link);
    }

    pub(in crate::core) fn connected_on(&mut self, link: LinkId) {
        if let Some(wire) = self.links.get_mut(&link) {
            if wire.transport == Transport::WebSocket {
                wire.started = true;
                wire.reader_awake = true;
                self.run(|client, now| client.connected(link, now));
            }
        }
    }

    /// Something arrives on the link dialled last.
    pub(in crate::core) fn receive(&mut self, text: &str) {
        self.receive_on(self.last_link, &[text]);
    }

    /// Something arrives on a link: frames, or the response to a request.
    pub(in crate::core) fn receive_on(&mut self, link: LinkId, packets: &[&str]) {
        let dialect = self.dialect;
        self.run(|client, _| client.settle(link, dialect));
        for text in packets {
            if let Some(wire) = self.links.get_mut(&link) {
                wire.note_answer(text);
            }
            match dialect.decode_frame(Frame::Text((*text).into())) {
                Ok(packet) => self.run(|client, now| client.received(link, packet, now)),
                Err(error) => return self.lose(link, Loss::Failed(error)),
            }
        }
        let Some(wire) = self.links.get_mut(&link) else { return };
        if wire.transport == Transport::Polling {
            wire.polling = false;
            wire.writer_awake |= !wire.started;
            wire.started = true;
        }
        wire.reader_awake = wire.started;
        self.settle();
    }

    /// What was written to the link dialled last, since the last look.
    pub(in crate::core) fn sent(&mut self) -> Vec<String> {
        self.sent_on(self.last_link)
    }

    pub(in crate::core) fn sent_on(&mut self, link: LinkId) -> Vec<String> {
        self.links.get_mut(&link).map(|wire| std::mem::take(&mut wire.sent)).unwrap_or_default()
    }

    /// A slow writer is done.
    pub(in crate::core) fn written(&mut self) {
        self.written_on(self.last_link);
    }

    pub(in crate::core) fn written_on(&mut self, link: LinkId) {
        if let Some(wire) = self.links.get_mut(&link).filter(|wire| wire.writing) {
            wire.writing = false;
            if self.client.knows(link) {
                wire.note_written();
            }
            wire.wake_writer();
            self.run(|client, now| client.written(link, now));
            if !self.deaf {
                self.confirm_on(link);
            }
        }
    }

    /// Writers that let events accumulate ask for work.
    pub(in crate::core) fn look_again(&mut self) {
        for wire in self.links.values_mut() {
            wire.reader_awake |= std::mem::take(&mut wire.accumulating);
        }
        self.settle();
    }

    /// The pong comes that a link may wait for.
    pub(in crate::core) fn confirm_on(&mut self, link: LinkId) {
        let is_known = self.client.knows(link);
        let wire = self.links.get_mut(&link).filter(|wire| !wire.writing && is_known);
        if wire.is_some_and(Threads::take_pong) {
            self.run(|client, now| client.confirmed(link, now));
        }
    }

    /// Whether the link dialled last waits for a pong.
    pub(in crate::core) fn is_asking(&self) -> bool {
        self.links[&self.last_link].asked
    }

    /// A link fails.
    pub(in crate::core) fn lose(&mut self, link: LinkId, loss: Loss) {
        self.run(|client, now| client.lost(link, loss, now));
        self.end(link);
    }

    /// The server closes the link dialled last.
    pub(in crate::core) fn drop_link(&mut self) {
        self.lose(self.last_link, closed_link());
    }

    /// The threads of a link end.
    pub(in crate::core) fn end(&mut self, link: LinkId) {
        self.finish(link);
        self.settle();
    }

    pub(in crate::core) fn emit(&mut self, id: NamespaceId, json: &str) -> Result<()> {
        self.try_emit(id, emit(json)).map_err(refusal)
    }

    /// Emits an event with an acknowledgement of this number.
    pub(in crate::core) fn emit_with_ack(
        &mut self,
        id: NamespaceId,
        json: &str,
        ack: u32,
        timeout: Option<Duration>,
    ) -> Result<()> {
        self.try_emit(id, Emit { ack: Some(ack), timeout, ..emit(json) }).map_err(refusal)
    }

    pub(in crate::core) fn try_emit(
        &mut self,
        id: NamespaceId,
        emit: Emit<u32>,
    ) -> Result<(), NotTaken<Emit<u32>>> {
        self.run(|client, now| client.emit(id, emit, now))
    }

    /// Whether an event of three bytes waits for room now.
    pub(in crate::core) fn waits(&self, id: NamespaceId) -> bool {
        self.client.fate(id, &emit("[1]")) == Fate::Wait
    }

    pub(in crate::core) fn disconnect(&mut self, id: NamespaceId) {
        self.run(|client, now| client.disconnect(id, now));
    }

    /// The last handle of a socket is gone.
    pub(in crate::core) fn forget(&mut self, id: NamespaceId) {
        self.run(|client, now| client.forget(id, now));
    }

    /// Lets time pass, from deadline to deadline.
    pub(in crate::core) fn advance(&mut self, by: Duration) {
        self.look_again();
        let target = self.now + by;
        while let Some(deadline) = self.client.next_deadline().filter(|at| *at <= target) {
            self.now = self.now.max(deadline);
            self.run(Client::expire);
        }
        self.now = target;
    }

    /// Lets time pass up to the next deadline.
    pub(in crate::core) fn advance_to_deadline(&mut self) -> Duration {
        let deadline = self.client.next_deadline().expect("a deadline");
        let pause = deadline.0.saturating_sub(self.now.0);
        self.advance(pause);
        pause
    }

    /// Lets time pass while the device sleeps, so that no timer fires.
    pub(in crate::core) fn sleep(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// What the users saw since the last look.
    pub(in crate::core) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// What the users of sockets were told of drops since the last look.
    pub(in crate::core) fn drops(&mut self) -> Vec<String> {
        std::mem::take(&mut self.drops)
    }

    /// What the users of sockets saw since the last look.
    pub(in crate::core) fn news(&mut self) -> Vec<String> {
        let mut log = self.log();
        log.retain(|line| !line.starts_with("manager"));
        log
    }

    /// What the users of sockets were told of the next attempt since the last look.
    pub(in crate::core) fn promises(&mut self) -> Vec<Option<Duration>> {
        std::mem::take(&mut self.promises).into_iter().map(|(_, delay)| delay).collect()
    }

    /// The links whose threads run.
    pub(in crate::core) fn alive(&self) -> Vec<LinkId> {
        self.running.clone()
    }

    /// Nothing is left of any session, nor any timer.
    pub(in crate::core) fn assert_at_rest(&self) {
        assert_eq!(self.alive(), []);
        assert_eq!(self.client.next_deadline(), None);
        assert!(self.client.engine().is_none());
        assert_eq!(self.client.count_retiring(), 0);
    }
}

pub(in crate::core) fn emit(json: &str) -> Emit<u32> {
    Emit {
        payload: payload(json),
        ack: None,
        timeout: None,
        volatile: false,
        reliable: false,
        urgent: false,
        ttl: None,
        replaces: None,
        since: None,
    }
}

pub(in crate::core) fn payload(json: &str) -> Payload {
    Payload { json: json.to_owned(), attachments: Vec::new() }
}

pub(in crate::core) fn refusal(refused: NotTaken<Emit<u32>>) -> Error {
    match refused {
        NotTaken::Full(_) => Error::new(ErrorKind::BufferFull, "wait"),
        NotTaken::Error(error) => error,
    }
}
