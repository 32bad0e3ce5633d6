//! One connection to one server, with its namespaces: the cycle of connecting, losing, waiting and
//! connecting again.
//!
//! ```text
//!          open()                 handshake
//!  Idle ───────────▶ Connecting ────────────▶ Open
//!   ▲                  │     ▲                 │
//!   │ reconnection off │     │ delay over      │ lost
//!   └──────────────────┤     └──── Waiting ◀───┤
//!   ▲                  └─ failed ────▲         │
//!   └───────── close(), or no namespace left ──┘
//! ```

mod acks;
mod backoff;
mod cycle;
mod membership;
pub(crate) mod namespace;
mod retiring;
mod retry;
mod root;
mod timer;
mod traffic;

use std::collections::VecDeque;
use std::time::Duration;

use self::backoff::Backoff;
use self::namespace::{Auth, Namespace};
use self::root::Root;
use self::timer::{Timer, Timers};
use crate::core::engine::{Engine, Loss, Signal, Work};
use crate::core::ids::LinkId;
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, Reached, Result};
use crate::event::status::{DisconnectReason, ManagerEvent, Status};
use crate::options::{ManagerOptions, Transport};
use crate::payload::Payload;
use crate::proto::dialect::Dialect;
use crate::proto::dialect::detector::Detector;
use crate::proto::packet::Packet;
use crate::proto::parser::Parser;
use crate::proto::parser::choice::new_parser;
use crate::proto::socket_packet::{Header, SocketPacket};
use crate::sync::lock::log_later;

/// How long a transport may take to close in good order.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// How many sessions may be on their way to be closed in good order.
const MAX_RETIRING: usize = 4;

/// What the owner has to do.
#[derive(Debug)]
pub(crate) enum Output<A> {
    /// Open a transport; with the id of a session, to upgrade that.
    Dial { link: LinkId, transport: Transport, sid: Option<String> },
    /// Wake the threads of a link: there is work for them.
    Wake(LinkId),
    /// Stop the threads of a link at once.
    Stop(LinkId),
    /// Ask for the credentials of a namespace, then call [`Client::auth`].
    AskAuth { namespace: NamespaceId, asked: u32 },
    /// Deliver an event.
    Event { namespace: NamespaceId, session: u32, packet: SocketPacket },
    /// Tell a namespace's users how it stands.
    Status { namespace: NamespaceId, status: Status },
    /// Tell the connection's users how it stands.
    Manager(ManagerEvent),
    /// Resolve an acknowledgement.
    Acked { ack: A, result: Result<SocketPacket> },
    /// Tell those who want to know that an event was handed to the session.
    Sent { namespace: NamespaceId, payload: Payload },
    /// Those who wait for room, or for the end of something, may look again.
    Room,
}

/// What an event is sent with.
#[derive(Debug)]
pub(crate) struct Emit<A> {
    pub(crate) payload: Payload,
    /// What [`Output::Acked`] gives back.
    pub(crate) ack: Option<A>,
    /// The limit of the wait for the acknowledgement.
    pub(crate) timeout: Option<Duration>,
    /// Rather drop it than let it wait.
    pub(crate) volatile: bool,
}

/// Why something to send was not taken.
#[derive(Debug)]
pub(crate) enum Refused<T> {
    /// There is no room. Here it is back; try again after [`Output::Room`].
    Full(T),
    /// It can never be sent, or not now.
    Error(Error),
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Connecting,
    Open,
    Waiting,
}

/// What was dropped, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Packets without an addressee (unknown namespaces and acknowledgements), and those that
    /// made no sense when they came.
    pub(crate) ignored: usize,
    /// Outgoing events that gave way to newer ones, or that the server would not take.
    pub(crate) dropped: usize,
}

/// The connection. `A` stands for one awaited acknowledgement.
pub(crate) struct Client<A> {
    pub(super) options: ManagerOptions,
    pub(super) detector: Detector,
    /// Where the session stands with a namespace `/` that the server joins by itself.
    root: Root,
    /// How often a session was taken for another revision than its own, since one has lasted.
    pub(super) contradictions: u32,
    parser: Box<dyn Parser>,
    random: fastrand::Rng,
    pub(super) phase: Phase,
    pub(super) engine: Option<Engine>,
    /// Sessions that are being closed in good order, while a new one may be open already.
    pub(super) retiring: Vec<Engine>,
    pub(super) namespaces: Vec<Namespace<A>>,
    backoff: Backoff,
    /// Attempts to connect since the last success, without the first.
    attempts: u32,
    pub(super) timers: Timers,
    next_link: u32,
    /// Which of the transports the current attempt is on.
    transport: usize,
    /// A WebSocket worked with this server, and nothing failed since.
    websocket_works: bool,
    pub(super) outputs: VecDeque<Output<A>>,
    pub(super) counters: Counters,
    pub(super) encoded: VecDeque<Packet>,
}

impl<A> Client<A> {
    pub(crate) fn new(options: ManagerOptions, seed: u64) -> Self {
        let limits = &options.limits;
        let parser = new_parser(
            options.parser,
            limits.max_attachments,
            limits.max_message.saturating_mul(limits.max_attachments.saturating_add(1)),
        );
        let detector = Detector::new(options.revision);
        Self {
            options,
            detector,
            root: Root::Awaited,
            contradictions: 0,
            parser,
            random: fastrand::Rng::with_seed(seed),
            phase: Phase::Idle,
            engine: None,
            retiring: Vec::new(),
            namespaces: Vec::new(),
            backoff: Backoff::default(),
            attempts: 0,
            timers: Timers::default(),
            next_link: 0,
            transport: 0,
            websocket_works: false,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            encoded: VecDeque::new(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<A>> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::expire`].
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// What the session of a link is written in.
    pub(crate) fn dialect_of(&self, link: LinkId) -> &'static dyn Dialect {
        let session = self.sessions().find(|engine| engine.owns(link));
        session.map_or_else(|| self.detector.asks_in(), Engine::dialect)
    }

    /// How to find out what a new session is written in.
    pub(crate) fn detector(&self) -> Detector {
        self.detector
    }

    /// The first answer of the server on this link tells what its session is written in. To be
    /// called before the answer is handed in.
    pub(crate) fn settle(&mut self, link: LinkId, dialect: &'static dyn Dialect) {
        let mut sessions = self.engine.iter_mut().chain(&mut self.retiring);
        if let Some(engine) = sessions.find(|engine| engine.owns(link)) {
            engine.settle(dialect);
        }
    }

    /// Whether a link belongs to a session, current or about to be closed.
    pub(crate) fn knows(&self, link: LinkId) -> bool {
        self.sessions().any(|engine| engine.owns(link))
    }

    /// The id of the session that a link belongs to.
    pub(crate) fn sid_of(&self, link: LinkId) -> Option<String> {
        self.sessions().find(|engine| engine.owns(link))?.sid().map(str::to_owned)
    }

    /// The largest body of a request that the server of a link takes.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    pub(crate) fn max_payload(&self, link: LinkId) -> Option<usize> {
        self.sessions().find(|engine| engine.owns(link))?.handshake()?.max_payload
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    pub(crate) fn options(&self) -> &ManagerOptions {
        &self.options
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Changes options, from the next attempt on. Switching reconnection off ends a wait for one.
    pub(crate) fn change_options(&mut self, change: impl FnOnce(&mut ManagerOptions)) {
        change(&mut self.options);
        if !self.options.reconnection && self.phase == Phase::Waiting {
            self.timers.set(Timer::Reconnect, None);
            self.attempts = 0;
            self.phase = Phase::Idle;
            self.outputs.push_back(Output::Room);
        }
    }

    /// Closes the session as if it had been lost: reconnection follows.
    pub(crate) fn close_engine(&mut self, now: Timestamp) {
        if let Some(mut engine) = self.engine.take() {
            engine.close();
            self.retire(engine, now);
            let reason = DisconnectReason::ForcedClose;
            self.closed(reason, None, now);
        }
    }

    /// Opens the connection, unless it is open or on its way. A wait for the next attempt ends.
    pub(crate) fn open(&mut self, now: Timestamp) {
        if matches!(self.phase, Phase::Idle | Phase::Waiting) {
            self.timers.set(Timer::Reconnect, None);
            self.dial(now);
        }
    }

    /// Closes the connection and stops reconnecting.
    pub(crate) fn close(&mut self, now: Timestamp) {
        self.timers.set(Timer::Reconnect, None);
        self.attempts = 0;
        self.backoff.reset();
        let was_open = self.phase == Phase::Open;
        self.leave_session();
        if let Some(mut engine) = self.engine.take() {
            engine.close();
            self.retire(engine, now);
        }
        if was_open {
            let reason = DisconnectReason::ForcedClose;
            self.outputs.push_back(Output::Manager(ManagerEvent::Close(reason, None)));
            self.lose_namespaces(reason, None);
        }
    }

    /// A link's attempt to connect has come to this stage: for the error, should its time run out.
    pub(crate) fn reached(&mut self, link: LinkId, reached: Reached) {
        if let Some(engine) = &mut self.engine {
            engine.reached(link, reached);
        }
    }

    /// A link's connection is made.
    pub(crate) fn connected(&mut self, link: LinkId, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.connected(link));
    }

    /// A packet came in on a link.
    pub(crate) fn received(&mut self, link: LinkId, packet: Packet, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.received(link, packet, now));
    }

    /// A link failed, or its peer closed it.
    pub(crate) fn lost(&mut self, link: LinkId, loss: Loss, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.lost(link, loss));
    }

    /// The server's first answer on this link did not tell what it speaks; a second one is awaited.
    pub(crate) fn doubt(&mut self, link: LinkId) {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.owns(link)) {
            engine.doubt();
        }
    }

    /// The threads of a link have ended. No session outlives its link, whatever ended them.
    pub(crate) fn ended(&mut self, link: LinkId, now: Timestamp) {
        self.timers.set(Timer::Linger(link), None);
        self.lost(link, Loss::Closed("the threads of the transport have ended".into()), now);
    }

    /// The writer of a link asks for work.
    pub(crate) fn take(&mut self, link: LinkId, now: Timestamp) -> Work {
        self.with_engine(link, now, |engine| engine.take(link)).unwrap_or(Work::Stop)
    }

    /// The writer of a link has written what it took.
    pub(crate) fn written(&mut self, link: LinkId, now: Timestamp) {
        self.with_engine(link, now, |engine| engine.written(link));
    }

    /// Whether the reader of a polling link is to send the next request. `None`: it is to end.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    pub(crate) fn may_poll(&mut self, link: LinkId, now: Timestamp) -> Option<bool> {
        self.with_engine(link, now, |engine| engine.may_poll(link))
    }

    /// Runs what is due.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Reconnect => {
                    let attempt = ManagerEvent::ReconnectAttempt(self.attempts);
                    self.outputs.push_back(Output::Manager(attempt));
                    self.dial(now);
                }
                Timer::Open => self.open_timed_out(),
                Timer::Heartbeat => self.check_heartbeat(now),
                Timer::Upgrade => self.upgrade_timed_out(),
                Timer::Stable => {
                    self.backoff.reset();
                    self.contradictions = 0;
                }
                Timer::Linger(link) => self.linger_timed_out(link, now),
                Timer::Join(namespace) => self.join_timed_out(namespace, now),
                Timer::Ack(namespace, ack) => self.ack_timed_out(namespace, ack, now),
            }
            self.pump(now);
        }
    }

    /// Ends a session whose heartbeat is overdue. A device that was asleep must find out before it
    /// writes into a session that died meanwhile.
    pub(super) fn check_heartbeat(&mut self, now: Timestamp) {
        if let Some(engine) = &mut self.engine {
            engine.expire(now);
            self.pump(now);
        }
    }

    /// Ends the current session and reconnects, unless that is switched off.
    pub(super) fn end_session(&mut self, reason: DisconnectReason, error: Option<Error>) {
        if let Some(engine) = &mut self.engine {
            engine.end(reason, error);
        }
    }

    /// Hands a packet to the session, unless it is larger than the server takes.
    pub(super) fn send(&mut self, header: Header<'_>, payload: Payload) -> Result<()> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        self.parser.encode(header, payload, &mut self.encoded);
        if let Err(error) = engine.check_size(&self.encoded) {
            self.encoded.clear();
            return Err(error);
        }
        engine.send(&mut self.encoded);
        Ok(())
    }

    fn sessions(&self) -> impl Iterator<Item = &Engine> {
        self.engine.iter().chain(&self.retiring)
    }

    /// Runs a verb of the session that the link belongs to, and then what follows from it.
    fn with_engine<R>(
        &mut self,
        link: LinkId,
        now: Timestamp,
        verb: impl FnOnce(&mut Engine) -> R,
    ) -> Option<R> {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.owns(link)) {
            let result = verb(engine);
            self.pump(now);
            return Some(result);
        }
        let engine = self.retiring.iter_mut().find(|engine| engine.owns(link))?;
        let result = verb(engine);
        self.pump_retiring(now);
        Some(result)
    }

    /// Acts on what the session says.
    pub(super) fn pump(&mut self, now: Timestamp) {
        while let Some(signal) = self.engine.as_mut().and_then(Engine::poll_signal) {
            match signal {
                Signal::Opened => self.opened(now),
                Signal::Text(text) => match self.parser.decode_text(text) {
                    Ok(packet) => self.on_packet(packet, now),
                    Err(error) => self.end_session(DisconnectReason::ParseError, Some(error)),
                },
                Signal::Binary(bytes) => match self.parser.decode_binary(bytes) {
                    Ok(packet) => self.on_packet(packet, now),
                    Err(error) => self.end_session(DisconnectReason::ParseError, Some(error)),
                },
                Signal::Pinged => self.outputs.push_back(Output::Manager(ManagerEvent::Ping)),
                Signal::Probe => self.probe(now),
                Signal::Upgraded(_) => {
                    self.timers.set(Timer::Upgrade, None);
                    self.websocket_works = true;
                    let upgrade = ManagerEvent::Upgrade(Transport::WebSocket);
                    self.outputs.push_back(Output::Manager(upgrade));
                }
                Signal::UpgradeFailed(error) => {
                    log_later!(
                        Debug,
                        "the upgrade failed, the session stays on long-polling: {error}"
                    );
                    self.timers.set(Timer::Upgrade, None);
                    self.outputs.push_back(Output::Manager(ManagerEvent::UpgradeError(error)));
                }
                Signal::Wake(link) => self.outputs.push_back(Output::Wake(link)),
                Signal::Stop(link) => self.outputs.push_back(Output::Stop(link)),
                Signal::Room => {
                    self.flush_send_buffers();
                    self.outputs.push_back(Output::Room);
                }
                Signal::Ignored => self.counters.ignored += 1,
                Signal::Closed(reason, error) => self.closed(reason, error, now),
            }
        }
        let deadline = self.engine.as_ref().and_then(Engine::deadline);
        self.timers.set(Timer::Heartbeat, deadline);
    }
}

/// Access to the namespaces by number.
impl<A> Client<A> {
    /// The number of a namespace, which is made if it is new.
    pub(crate) fn namespace_id(&mut self, name: &str) -> NamespaceId {
        let known = self.namespaces.iter().position(|namespace| *namespace.name == *name);
        let index = known.unwrap_or_else(|| {
            self.namespaces.push(Namespace::new(name));
            self.namespaces.len() - 1
        });
        NamespaceId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Sets where the credentials of a namespace come from.
    pub(crate) fn set_auth(&mut self, namespace: NamespaceId, auth: Auth) {
        self.namespace_mut(namespace).auth = auth;
    }

    pub(crate) fn namespace(&self, id: NamespaceId) -> &Namespace<A> {
        &self.namespaces[id.0 as usize]
    }

    pub(super) fn namespace_mut(&mut self, id: NamespaceId) -> &mut Namespace<A> {
        &mut self.namespaces[id.0 as usize]
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NamespaceId> + use<A> {
        (0..u32::try_from(self.namespaces.len()).unwrap_or(u32::MAX)).map(NamespaceId)
    }
}
