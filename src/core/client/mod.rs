//! One connection to one server, with its namespaces: the cycle of connecting, losing, waiting and
//! connecting again.

mod accumulating;
mod acks;
mod attempts;
mod awaited;
mod backoff;
mod by_hand;
mod comeback;
mod confirming;
mod cycle;
mod drops;
mod emit;
mod first;
mod holding;
mod joining;
mod leaving;
mod links;
pub(crate) mod namespace;
mod namespaces;
mod network;
mod outgoing;
mod output;
mod places;
mod preparing;
mod ready;
mod receiving;
mod recovery;
mod refusal;
mod retiring;
mod retries;
mod retry_queue;
mod returning;
mod room;
mod root;
mod round_trip;
mod sending;
mod tally;
mod timer;
mod uncertain;
mod undelivered;

use std::collections::VecDeque;
use std::time::Duration;

use self::attempts::Sequel;
use self::backoff::Backoff;
use self::by_hand::ByHand;
pub(crate) use self::cycle::Cycle;
use self::drops::Untold;
pub(crate) use self::emit::{Emit, Fate, NotTaken};
use self::namespace::{Auth, Namespace, Phase};
use self::namespaces::Namespaces;
use self::outgoing::Outgoing;
pub(crate) use self::output::Output;
use self::places::Places;
use self::preparing::Preparation;
pub(crate) use self::preparing::Prepared;
use self::root::Root;
use self::round_trip::RoundTrip;
use self::tally::Nonsense;
pub(crate) use self::tally::{EventSum, Tally};
use self::timer::{Timer, Timers};
use self::uncertain::Uncertain;
use crate::core::engine::{Engine, Freight, Notice};
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::error::{Error, Result};
use crate::event::status::{DisconnectReason, ManagerEvent};
use crate::options::{ManagerOptions, Transport};
use crate::payload::Payload;
use crate::proto::dialect::detector::Detector;
use crate::proto::packet::Packet;
use crate::proto::parser::Parser;
use crate::proto::parser::choice::new_parser;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::logging::log_later;

/// The connection. `A` stands for one awaited acknowledgement.
pub(crate) struct Client<A> {
    options: ManagerOptions,
    /// What the options are again with the next attempt, where the current one has options of its own.
    usual_options: Option<Box<ManagerOptions>>,
    detector: Detector,
    /// Where the session stands with a namespace `/` that the server joins by itself.
    root: Root,
    /// How often a session was taken for another revision than its own, since one has lasted.
    contradictions: u32,
    parser: Box<dyn Parser>,
    random: fastrand::Rng,
    cycle: Cycle,
    /// It was closed for good: nothing opens it again.
    over: bool,
    engine: Option<Engine>,
    /// The next session is to be opened once the server has dealt with the events of those before.
    dial_waits: bool,
    /// Sessions that are being closed in good order, while a new one may be open already.
    retiring: Vec<Engine>,
    /// The links of those that are over, the oldest first, until their peers have closed them.
    closing: VecDeque<LinkId>,
    uncertain: Uncertain,
    namespaces: Namespaces<A>,
    /// What the open session writes next.
    ready: Outgoing,
    backoff: Backoff,
    by_hand: ByHand,
    /// It was never opened.
    is_unused: bool,
    /// What follows from the end of the session, where that was told before the end.
    next: Option<Sequel>,
    /// When the attempt to connect began, or the session.
    since: Timestamp,
    /// The open session was not yet found to have lasted.
    is_young: bool,
    /// For how long nothing had passed when the last session was lost.
    quiet: Option<Duration>,
    /// Attempts to connect since the last success, without the first.
    attempts: u32,
    timers: Timers,
    next_link: u32,
    /// The place of the last one in the order of all events and answers that were to be sent.
    last_order: u64,
    /// The position of the last one in the order of all that were handed to a session.
    last_position: u64,
    /// A namespace was left in this session for whoever joins it next, who is not to get what still
    /// comes for the one before.
    has_forgotten: bool,
    /// How far the preparation of an attempt has come, while there is one.
    preparation: Option<Preparation>,
    /// The number of the last question that a preparation led to.
    question: u32,
    /// Which address it is the turn of.
    places: Places,
    /// When the next attempt may come, whatever speaks for it.
    no_sooner: Timestamp,
    /// A namespace was joined in this session.
    has_joined: bool,
    /// Which of the transports the current attempt is on.
    transport: usize,
    /// The last session came to WebSocket, and no attempt has failed since.
    websocket_works: bool,
    /// In this attempt the server was asked in the other revision.
    asked_otherwise: bool,
    /// How many callers wait for room to send something.
    waiting_senders: usize,
    /// Why the reader holds still although something is awaited.
    stalled: Option<Error>,
    /// How long answers take in this session.
    round_trip: RoundTrip,
    outputs: VecDeque<Output<A>>,
    tally: Tally,
    untold: Untold,
    /// Which kinds of nonsense came in this session.
    nonsense: Vec<Nonsense>,
    encoded: VecDeque<Packet>,
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
            usual_options: None,
            detector,
            root: Root::Awaited,
            contradictions: 0,
            parser,
            random: fastrand::Rng::with_seed(seed),
            cycle: Cycle::Idle,
            over: false,
            engine: None,
            dial_waits: false,
            retiring: Vec::new(),
            closing: VecDeque::new(),
            uncertain: Uncertain::default(),
            namespaces: Namespaces::default(),
            ready: Outgoing::default(),
            backoff: Backoff::default(),
            by_hand: ByHand::default(),
            is_unused: true,
            next: None,
            since: Timestamp(Duration::ZERO),
            is_young: false,
            quiet: None,
            attempts: 0,
            timers: Timers::default(),
            next_link: 0,
            last_order: 0,
            last_position: 0,
            has_forgotten: false,
            preparation: None,
            question: 0,
            places: Places::default(),
            no_sooner: Timestamp(Duration::ZERO),
            has_joined: false,
            transport: 0,
            websocket_works: false,
            asked_otherwise: false,
            waiting_senders: 0,
            stalled: None,
            round_trip: RoundTrip::default(),
            outputs: VecDeque::new(),
            tally: Tally::default(),
            untold: Untold::default(),
            nonsense: Vec::new(),
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

    /// How to find out what a new session is written in.
    pub(crate) fn detector(&self) -> Detector {
        self.detector
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    pub(crate) fn options(&self) -> &ManagerOptions {
        &self.options
    }

    pub(crate) fn cycle(&self) -> Cycle {
        self.cycle
    }

    /// Changes options, from the next attempt on. Switching reconnection off ends a wait for one,
    /// unless the program has asked for it.
    pub(crate) fn change_options(&mut self, change: impl Fn(&mut ManagerOptions)) {
        change(&mut self.options);
        if let Some(usual) = &mut self.usual_options {
            change(usual);
        }
        if self.options.reconnection {
            return;
        }
        self.end_rests(Phase::Idle, |asked_for| !asked_for);
        if self.cycle == Cycle::Waiting && self.attempts > 0 {
            self.timers.set(Timer::Reconnect, None);
            self.attempts = 0;
            self.cycle = Cycle::Idle;
            self.outputs.push_back(Output::Changed);
        }
    }

    /// The first address is another one: the next attempt begins with it.
    pub(crate) fn return_to_first_address(&mut self) {
        self.places.return_to_first();
    }

    /// Closes the session as if it had been lost: reconnection follows.
    pub(crate) fn close_engine(&mut self, now: Timestamp) {
        self.commit(now);
        if let Some(mut engine) = self.engine.take() {
            engine.close();
            self.retire(engine, now);
            let reason = DisconnectReason::EngineClosed;
            self.closed(reason, None, now);
        }
    }

    /// Closes the connection and stops reconnecting.
    pub(crate) fn close(&mut self, now: Timestamp) {
        self.end_rests(Phase::Waiting, |_| true);
        self.backoff.reset();
        self.close_for_now(now);
    }

    /// Closes the connection, which namespaces that rest may open again.
    pub(super) fn close_for_now(&mut self, now: Timestamp) {
        self.timers.set(Timer::Reconnect, None);
        self.attempts = 0;
        let was_open = self.cycle == Cycle::Open;
        self.commit(now);
        if let Some(mut engine) = self.engine.take() {
            engine.close();
            // With what it has still to write.
            self.retire(engine, now);
        }
        self.leave_session(now);
        if was_open {
            let reason = DisconnectReason::ForcedClose;
            self.outputs.push_back(Output::Manager(ManagerEvent::Close(reason, None)));
            self.lose_namespaces(reason, None, None, now);
        }
    }

    /// Runs what is due.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Reconnect if self.attempts > 0 => self.announce(now),
                // The first one, and those that the program makes by itself, are not counted.
                Timer::Reconnect => self.dial(now),
                Timer::Tell => self.telling_timed_out(now),
                Timer::Open => self.open_timed_out(now),
                Timer::Heartbeat => self.check_heartbeat(now),
                // The owner looks whether it has to read on.
                Timer::HeartbeatDue => {}
                Timer::Upgrade => self.upgrade_timed_out(),
                Timer::Poll(link) => self.rest_is_over(link),
                Timer::Confirm(link) => self.stop_confirming(link, now),
                Timer::Linger(link) => self.linger_timed_out(link, now),
                Timer::Join(namespace) => self.join_timed_out(namespace, now),
                Timer::Ack(namespace, ack) => self.ack_timed_out(namespace, ack),
                Timer::Try(namespace, ack) => self.try_timed_out(namespace, ack, now),
                Timer::Reliable(namespace, order) => self.reliable_timed_out(namespace, order, now),
                Timer::Expiry(namespace, order) => self.expired(namespace, order),
                Timer::Drops(namespace) => self.pause_of_drops_is_over(namespace),
            }
            self.pump(now);
        }
    }

    /// Ends a session whose heartbeat is overdue. A device that was asleep must find out before it
    /// writes into a session that died meanwhile.
    pub(super) fn check_heartbeat(&mut self, now: Timestamp) {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.is_due(now)) {
            engine.expire(now);
            self.pump(now);
        }
    }

    /// Gives the current session up and reconnects, unless that is switched off.
    pub(super) fn end_session(&mut self, reason: DisconnectReason, error: Option<Error>) {
        if let Some(engine) = &mut self.engine {
            engine.give_up(reason, error);
        }
    }

    /// Hands a packet other than an event or an answer to the session, behind all that is ready,
    /// unless it is larger than the server takes.
    pub(super) fn send(
        &mut self,
        header: Header<'_>,
        payload: &Payload,
        now: Timestamp,
    ) -> Result<()> {
        self.commit(now);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let freight = match header.kind {
            Kind::Disconnect => Freight::Farewell,
            _ => Freight::Nothing,
        };
        self.parser.encode(header, payload, &mut self.encoded);
        if let Err(error) = engine.check_size(&self.encoded, header) {
            self.encoded.clear();
            return Err(error);
        }
        engine.send(&mut self.encoded, freight);
        Ok(())
    }

    /// The place of an event in the order in which the events of all namespaces came.
    pub(super) fn next_order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    /// Acts on what the session says.
    pub(super) fn pump(&mut self, now: Timestamp) {
        while let Some(notice) = self.engine.as_mut().and_then(Engine::poll_notice) {
            match notice {
                Notice::Opened => self.opened(now),
                Notice::Text(text) => match self.parser.decode_text(text) {
                    Ok(packet) => self.on_packet(packet, now),
                    Err(error) => self.end_session(DisconnectReason::ParseError, Some(error)),
                },
                Notice::Binary(bytes) => match self.parser.decode_binary(bytes) {
                    Ok(packet) => self.on_packet(packet, now),
                    Err(error) => self.end_session(DisconnectReason::ParseError, Some(error)),
                },
                Notice::Ponged(took) => self.round_trip.note(took),
                Notice::Pinged => self.outputs.push_back(Output::Manager(ManagerEvent::Ping)),
                Notice::Probe => self.probe(now),
                Notice::Upgraded(_) => {
                    self.timers.set(Timer::Upgrade, None);
                    self.websocket_works = true;
                    let upgrade = ManagerEvent::Upgrade(Transport::WebSocket);
                    self.outputs.push_back(Output::Manager(upgrade));
                }
                Notice::UpgradeFailed(error) => {
                    log_later!(
                        Debug,
                        "the upgrade failed, the session stays on long-polling: {error:#}"
                    );
                    self.timers.set(Timer::Upgrade, None);
                    self.outputs.push_back(Output::Manager(ManagerEvent::UpgradeError(error)));
                }
                Notice::Wake(link) => self.outputs.push_back(Output::Wake(link)),
                Notice::Stop(link) => self.outputs.push_back(Output::Stop(link)),
                Notice::Room => self.outputs.push_back(Output::Changed),
                Notice::LetGo(events) => self.tally.unconfirmed += events,
                Notice::Parted => self.rejoin_all(now),
                Notice::SecondHandshake => {
                    if self.note_nonsense(Nonsense::SecondHandshake) {
                        log_later!(Warn, "a second Engine.IO handshake is ignored");
                    }
                }
                Notice::Closed(reason, error) => self.closed(reason, error, now),
            }
        }
        let deadline = self.engine.as_ref().and_then(Engine::deadline);
        self.timers.set(Timer::Heartbeat, deadline);
        self.tell_drops(now);
    }
}

/// Access to the namespaces.
impl<A> Client<A> {
    /// The number of a namespace, which is made if it is new.
    pub(crate) fn namespace_id(&mut self, name: &str) -> NamespaceId {
        let known = match self.namespaces.find(name) {
            Some(id) if self.namespaces.is_forgotten(id) => {
                self.timers.set(Timer::Join(id), None);
                self.namespaces.revive(id)
            }
            Some(id) => return id,
            None => None,
        };
        let id = known.unwrap_or_else(|| self.namespaces.add(name));
        let is_successor = self.has_forgotten;
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.is_successor = is_successor;
        }
        id
    }

    /// The number of a namespace, if there is one of this name.
    pub(crate) fn find_namespace(&self, name: &str) -> Option<NamespaceId> {
        self.namespaces.find(name)
    }

    /// Sets where the credentials of a namespace come from. A question that is under way is given up
    /// for them.
    pub(crate) fn set_auth(&mut self, id: NamespaceId, auth: Auth, now: Timestamp) {
        if !self.namespaces.is_in_use(id) {
            return;
        }
        let Some(namespace) = self.namespace_mut(id) else { return };
        namespace.auth = auth;
        if namespace.phase == Phase::Asking {
            self.join(id, now);
            self.pump(now);
        }
    }

    /// How a namespace stands. Of one that is gone nothing is known: it looks as if it had never
    /// been joined.
    pub(crate) fn namespace(&self, id: NamespaceId) -> &Namespace<A> {
        self.namespaces.get(id)
    }

    /// How many sessions are on their way to be closed.
    #[cfg(any(test, fuzzing))]
    pub(super) fn count_retiring(&self) -> usize {
        self.retiring.len()
    }

    /// How many namespaces take a place.
    #[cfg(any(test, fuzzing))]
    pub(super) fn count_namespaces(&self) -> usize {
        self.namespaces.len()
    }

    fn namespace_mut(&mut self, id: NamespaceId) -> Option<&mut Namespace<A>> {
        self.namespaces.get_mut(id)
    }

    fn ids(&self) -> Vec<NamespaceId> {
        self.namespaces.ids()
    }
}
