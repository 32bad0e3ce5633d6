//! The state machines in virtual time: a [`World`] plays the driver, the clock and the server.

mod accumulating;
mod acks;
mod backoff;
mod buffers;
mod by_hand;
mod closing;
mod delivery;
mod drops;
mod engine;
mod farewell;
mod figures;
mod first;
mod forgetting;
mod heartbeat;
mod logged;
mod malformed;
mod namespaces;
mod network;
mod pacing;
mod places;
mod playing;
mod preparing;
mod random;
mod recovery;
mod reliable;
mod reliable_random;
mod retries;
mod returning;
mod revision;
mod room;
mod told;
mod undelivered;
mod upgrade;
mod upgrade_ends;
mod waiting;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::{Client, Cycle, Emit, Fate, NotTaken, Output, Prepared};
use super::engine::{Loss, PollTurn, Work};
use super::time::Timestamp;
use crate::core::ids::{LinkId, NamespaceId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::Status;
use crate::options::{ManagerOptions, ParserKind, Transport};
use crate::payload::Payload;
use crate::proto::dialect::choice::V4_DIALECT;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::handshake::Handshake;
use crate::proto::packet::Packet;

/// How a link ends that the server closes.
fn closed_link() -> Loss {
    Loss::Closed(Error::new(ErrorKind::Transport, "gone"))
}

/// The heartbeat of the scripted server.
const INTERVAL: Duration = Duration::from_secs(25);
const TIMEOUT: Duration = Duration::from_secs(20);

const SECOND: Duration = Duration::from_secs(1);

/// The least time there is.
const MOMENT: Duration = Duration::from_nanos(1);

/// The connection under test with everything around it.
struct World {
    client: Client<u32>,
    now: Timestamp,
    links: BTreeMap<LinkId, Threads>,
    /// Those of them whose threads run.
    running: Vec<LinkId>,
    last_link: LinkId,
    /// How many sessions were begun.
    sessions: usize,
    log: Vec<String>,
    /// What users were told of drops.
    drops: Vec<String>,
    /// Why an attempt to connect or to join failed or a session ended, the last time.
    error: Option<Error>,
    /// The questions for what an attempt is made with, with the number of the address.
    preparations: Vec<(u32, usize)>,
    /// Somebody is slow to hear of attempts.
    telling: bool,
    /// Somebody is slow to say what attempts are made with.
    preparing: bool,
    /// What users were told of failures and ends, since the last look: after how long the next attempt
    /// follows, by the name of the socket.
    promises: Vec<(String, Option<Duration>)>,
    /// When an attempt to connect was begun.
    dialled: Vec<Timestamp>,
    /// The questions for credentials.
    asked: Vec<(NamespaceId, u32)>,
    /// How often those who wait were told to look again.
    rooms: usize,
    /// How often they were told anything.
    told: usize,
    /// Writes are finished by [`World::written`] only.
    slow: bool,
    /// WebSockets that have written let events accumulate, until [`World::look_again`].
    accumulates: bool,
    /// The server answers no pings of the WebSocket, but for [`World::confirm_on`].
    deaf: bool,
    /// Transports that are to close in good order do not.
    stubborn: bool,
    /// What the server speaks.
    dialect: &'static dyn Dialect,
    /// What the server says in its handshake.
    handshake: Handshake,
}

/// What the driver has for a link.
#[derive(Debug)]
struct Threads {
    transport: Transport,
    upgrade: Option<String>,
    /// The number of the session it was dialled for.
    session: usize,
    /// The thread that reads, of a WebSocket also the one that writes, has something to do.
    reader_awake: bool,
    /// The thread that posts has something to do.
    writer_awake: bool,
    writing: bool,
    /// It lets events accumulate.
    accumulating: bool,
    /// A ping of the WebSocket waits for its pong.
    asked: bool,
    /// A request of the reader waits for its response.
    polling: bool,
    /// The WebSocket is open, or the first response was there.
    started: bool,
    sent: Vec<String>,
}

impl World {
    /// A client that uses WebSocket alone.
    fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same, with other options.
    fn with(change: impl FnOnce(&mut ManagerOptions)) -> Self {
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

    /// A client that begins with long-polling, and a server that offers the upgrade.
    fn polling() -> Self {
        let mut world = Self::with(|options| {
            options.transports = vec![Transport::Polling, Transport::WebSocket];
        });
        world.handshake.upgrade_to_websocket = true;
        world
    }

    /// A client that is connected to `/` by WebSocket.
    fn joined() -> (Self, NamespaceId) {
        let mut world = Self::new();
        let root = world.join("/");
        world.log();
        (world, root)
    }

    /// Connects a namespace, with all that takes.
    fn join(&mut self, name: &str) -> NamespaceId {
        let id = self.connect(name);
        if self.client.engine().is_none_or(|engine| engine.sid().is_none()) {
            self.open();
        }
        let head = if name == "/" { "40".to_owned() } else { format!("40{name},") };
        self.receive(&format!("{head}{{\"sid\":\"{name}1\"}}"));
        self.sent();
        id
    }

    fn connect(&mut self, name: &str) -> NamespaceId {
        let id = self.client.namespace_id(name);
        self.connect_id(id);
        id
    }

    fn connect_id(&mut self, id: NamespaceId) {
        self.run(|client, now| client.connect(id, now));
    }

    /// The program opens the connection, which may be tried a moment later.
    fn dial(&mut self) {
        self.run(Client::open);
        while self.client.cycle() == Cycle::Waiting {
            self.advance_to_deadline();
        }
    }

    /// The server accepts the connection and opens the session.
    fn open(&mut self) {
        let open = format!("0{}", self.handshake.to_json());
        self.connected();
        self.receive(&open);
    }

    /// The link dialled last has its connection.
    fn connected(&mut self) {
        self.connected_on(self.last_link);
    }

    fn connected_on(&mut self, link: LinkId) {
        if let Some(wire) = self.links.get_mut(&link) {
            if wire.transport == Transport::WebSocket {
                wire.started = true;
                wire.reader_awake = true;
                self.run(|client, now| client.connected(link, now));
            }
        }
    }

    /// Something arrives on the link dialled last.
    fn receive(&mut self, text: &str) {
        self.receive_on(self.last_link, &[text]);
    }

    /// Something arrives on a link: frames, or the response to a request.
    fn receive_on(&mut self, link: LinkId, packets: &[&str]) {
        let dialect = self.dialect;
        self.run(|client, _| client.settle(link, dialect));
        for text in packets {
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
    fn sent(&mut self) -> Vec<String> {
        self.sent_on(self.last_link)
    }

    fn sent_on(&mut self, link: LinkId) -> Vec<String> {
        self.links.get_mut(&link).map(|wire| std::mem::take(&mut wire.sent)).unwrap_or_default()
    }

    /// A slow writer is done.
    fn written(&mut self) {
        self.written_on(self.last_link);
    }

    fn written_on(&mut self, link: LinkId) {
        if let Some(wire) = self.links.get_mut(&link).filter(|wire| wire.writing) {
            wire.writing = false;
            wire.wake_writer();
            self.run(|client, now| client.written(link, now));
            if !self.deaf {
                self.confirm_on(link);
            }
        }
    }

    /// Writers that let events accumulate ask for work.
    fn look_again(&mut self) {
        for wire in self.links.values_mut() {
            wire.reader_awake |= std::mem::take(&mut wire.accumulating);
        }
        self.settle();
    }

    /// The pong comes that a link may wait for.
    fn confirm_on(&mut self, link: LinkId) {
        let wire = self.links.get_mut(&link).filter(|wire| !wire.writing);
        if wire.is_some_and(|wire| std::mem::take(&mut wire.asked)) {
            self.run(|client, now| client.confirmed(link, now));
        }
    }

    /// Whether the link dialled last waits for a pong.
    fn is_asking(&self) -> bool {
        self.links[&self.last_link].asked
    }

    /// A link fails.
    fn lose(&mut self, link: LinkId, loss: Loss) {
        self.run(|client, now| client.lost(link, loss, now));
        self.end(link);
    }

    /// The server closes the link dialled last.
    fn drop_link(&mut self) {
        self.lose(self.last_link, closed_link());
    }

    /// The threads of a link end.
    fn end(&mut self, link: LinkId) {
        self.finish(link);
        self.settle();
    }

    fn emit(&mut self, id: NamespaceId, json: &str) -> Result<()> {
        self.try_emit(id, emit(json)).map_err(refusal)
    }

    /// Emits an event with an acknowledgement of this number.
    fn emit_with_ack(
        &mut self,
        id: NamespaceId,
        json: &str,
        ack: u32,
        timeout: Option<Duration>,
    ) -> Result<()> {
        self.try_emit(id, Emit { ack: Some(ack), timeout, ..emit(json) }).map_err(refusal)
    }

    fn try_emit(&mut self, id: NamespaceId, emit: Emit<u32>) -> Result<(), NotTaken<Emit<u32>>> {
        self.run(|client, now| client.emit(id, emit, now))
    }

    /// Whether an event of three bytes waits for room now.
    fn waits(&self, id: NamespaceId) -> bool {
        self.client.fate(id, &emit("[1]")) == Fate::Wait
    }

    fn disconnect(&mut self, id: NamespaceId) {
        self.run(|client, now| client.disconnect(id, now));
    }

    /// The last handle of a socket is gone.
    fn forget(&mut self, id: NamespaceId) {
        self.run(|client, now| client.forget(id, now));
    }

    /// Lets time pass, from deadline to deadline.
    fn advance(&mut self, by: Duration) {
        self.look_again();
        let target = self.now + by;
        while let Some(deadline) = self.client.next_deadline().filter(|at| *at <= target) {
            self.now = self.now.max(deadline);
            self.run(Client::expire);
        }
        self.now = target;
    }

    /// Lets time pass up to the next deadline.
    fn advance_to_deadline(&mut self) -> Duration {
        let deadline = self.client.next_deadline().expect("a deadline");
        let pause = deadline.0.saturating_sub(self.now.0);
        self.advance(pause);
        pause
    }

    /// Lets time pass while the device sleeps, so that no timer fires.
    fn sleep(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// What the users saw since the last look.
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// What the users of sockets were told of drops since the last look.
    fn drops(&mut self) -> Vec<String> {
        std::mem::take(&mut self.drops)
    }

    /// What the users of sockets saw since the last look.
    fn news(&mut self) -> Vec<String> {
        let mut log = self.log();
        log.retain(|line| !line.starts_with("manager"));
        log
    }

    /// What the users of sockets were told of the next attempt since the last look.
    fn promises(&mut self) -> Vec<Option<Duration>> {
        std::mem::take(&mut self.promises).into_iter().map(|(_, delay)| delay).collect()
    }

    /// The links whose threads run.
    fn alive(&self) -> Vec<LinkId> {
        self.running.clone()
    }

    /// Nothing is left of any session, nor any timer.
    fn assert_at_rest(&self) {
        assert_eq!(self.alive(), []);
        assert_eq!(self.client.next_deadline(), None);
        assert!(self.client.engine().is_none());
        assert_eq!(self.client.count_retiring(), 0);
    }
}

fn emit(json: &str) -> Emit<u32> {
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

fn payload(json: &str) -> Payload {
    Payload { json: json.to_owned(), attachments: Vec::new() }
}

fn refusal(refused: NotTaken<Emit<u32>>) -> Error {
    match refused {
        NotTaken::Full(_) => Error::new(ErrorKind::BufferFull, "wait"),
        NotTaken::Error(error) => error,
    }
}
