//! One namespace of a connection: joined or not, what waits for it, and what it waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::acks::{Acks, Waiter};
use super::comeback::Comeback;
use super::outgoing::Outgoing;
use super::recovery::Recovery;
use super::retry_queue::{Age, RetryQueue};
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::Sendable;
use crate::event::status::Status;
use crate::options::Limits;
use crate::payload::Payload;
use crate::proto::dialect::{Credentials, Membership};
use crate::proto::socket_packet::SocketPacket;

/// Where a namespace stands.
///
/// ```text
///        connect()          session open          auth known         CONNECT answered
///  Idle ──────────▶ Waiting ────────────▶ Asking ───────────▶ Joining ─────────────▶ Joined
///   ▲                  ▲                     │                   │                     │
///   └──────────────────┴─── session lost ────┴───────────────────┴─────────────────────┘
/// ```
///
/// A refusal or a DISCONNECT from the server, and `disconnect()`, lead to `Idle`; the former two to
/// `Resting` where the namespace is to come back, and from there to `Waiting`. From `Joining`,
/// `disconnect()` leads through `Leaving`: the answer to CONNECT is awaited, and where it is positive
/// it is answered by a DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Waiting,
    Asking,
    Joining,
    Joined,
    Leaving {
        rejoin: bool,
    },
    /// The server has turned it away: it is out of the session, and to be joined again later.
    Resting {
        /// The program has called `connect()` since.
        asked_for: bool,
    },
}

/// Where the credentials of CONNECT come from.
#[derive(Clone, Debug)]
pub(crate) enum Auth {
    /// Always the same; empty for none.
    Fixed(Payload),
    /// The owner is asked at each connection.
    Ask,
}

/// A namespace.
#[derive(Debug)]
pub(crate) struct Namespace<A> {
    pub(crate) name: Arc<str>,
    pub(crate) auth: Auth,
    pub(crate) phase: Phase,
    /// No user has a handle of it.
    pub(super) forgotten: bool,
    /// It is to be joined once the server has dealt with every DISCONNECT.
    pub(super) rejoins: bool,
    /// It may be joined in a session in which its name stood for another before.
    pub(super) is_successor: bool,
    /// Counts the joins: an acknowledgement of an event answers in the same one or not at all.
    pub(crate) membership: u32,
    /// Counts the questions for credentials: only the answer to the last one is of use.
    pub(crate) question: u32,
    /// When CONNECT was sent the last time.
    pub(super) asked_at: Timestamp,
    pub(crate) acks: Acks<Waiter<A>>,
    pub(crate) retry: RetryQueue<A>,
    pub(super) comeback: Comeback,
    /// Somebody wants to know of outgoing events.
    pub(crate) shows_outgoing: bool,
    /// What goes out first when it is joined, each by the name of the event.
    pub(super) first: Vec<(Box<str>, Payload)>,
    /// What waits for the namespace to be joined.
    pub(super) send_buffer: Outgoing,
    /// Events that came before the answer to CONNECT.
    receive_buffer: VecDeque<SocketPacket>,
    received: Load,
    /// Not all of them could be kept.
    missed: bool,
    pub(crate) id: Option<String>,
    recovered: bool,
    recovery: Recovery,
}

impl<A> Namespace<A> {
    /// One that was never joined, whose first acknowledgement will have this number.
    pub(super) fn new(name: Arc<str>, first_ack: u64) -> Self {
        Self {
            name,
            auth: Auth::Fixed(Payload::default()),
            phase: Phase::Idle,
            forgotten: false,
            rejoins: false,
            is_successor: false,
            membership: 0,
            question: 0,
            asked_at: Timestamp(Duration::ZERO),
            acks: Acks::new(first_ack),
            retry: RetryQueue::new(),
            comeback: Comeback::default(),
            shows_outgoing: false,
            first: Vec::new(),
            send_buffer: Outgoing::default(),
            receive_buffer: VecDeque::new(),
            received: Load::default(),
            missed: false,
            id: None,
            recovered: false,
            recovery: Recovery::default(),
        }
    }

    /// Forgets what the owner of one socket has set, and what the next one must not inherit.
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
        self.auth = Auth::Fixed(Payload::default());
        self.retry = RetryQueue::new();
        self.comeback = Comeback::default();
        self.shows_outgoing = false;
        self.first.clear();
        self.recovery = Recovery::default();
    }

    /// Whether the namespace is to be joined whenever there is a session.
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Leaving { rejoin: false })
    }

    /// Whether it stays out of sessions for a while, to be joined later.
    pub(crate) fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Resting { .. })
    }

    /// Whether it is in the session, or to be joined whenever there is one.
    pub(super) fn needs_session(&self) -> bool {
        self.is_active() && !self.is_resting()
    }

    /// How much waits to be handed to a session.
    pub(crate) fn buffered(&self) -> Load {
        self.send_buffer.load() + self.retry.load()
    }

    /// The age of the event that is the first to give way.
    pub(super) fn oldest(&self) -> Option<Age> {
        let buffered = self.send_buffer.oldest();
        let buffered =
            buffered.map(|event| Age { under_way: false, order: event.order, is_retried: false });
        buffered.into_iter().chain(self.retry.oldest()).min()
    }

    /// Whether an acknowledgement is awaited that can come: its event was sent, or is about to be.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.phase == Phase::Joined && self.acks.len() > 0
    }

    /// The event that waits for the acknowledgement of this number, and is sent again until it has it.
    pub(super) fn tried(&self, number: u64) -> Option<&Arc<Payload>> {
        self.retry.tried(number).map(|event| &event.payload)
    }

    /// Whether something was emitted that may still be delivered by itself.
    pub(super) fn is_delivering(&self) -> bool {
        self.is_active() && (self.acks.len() > 0 || self.buffered() != Load::default())
    }

    /// How many events wait here, or for their acknowledgement.
    pub(super) fn count_waiting(&self) -> usize {
        let plain = self.send_buffer.iter().filter(|waiting| waiting.ack().is_none()).count();
        plain + self.retry.load().packets + self.acks.len_of_callers()
    }

    /// The events in the send buffer, as JSON.
    pub(crate) fn send_buffer(&self) -> impl Iterator<Item = &str> {
        self.send_buffer.iter().filter_map(|waiting| match &waiting.content {
            Sendable::Event(payload, _) => Some(payload.json.as_str()),
            _ => None,
        })
    }

    /// Begins a phase in which the namespace is not joined, with nothing kept from the one before.
    pub(crate) fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.rejoins = false;
        self.take_early_events();
        self.missed = false;
    }

    /// Keeps an event that came before the answer to CONNECT; `false` when there is no room.
    pub(crate) fn keep_early_event(&mut self, packet: SocketPacket, limits: &Limits) -> bool {
        let size = packet.size();
        let room = self.received.packets < limits.receive_events
            && self.received.bytes.saturating_add(size) <= limits.receive_bytes;
        if room || self.receive_buffer.is_empty() {
            self.received.packets += 1;
            self.received.bytes += size;
            self.receive_buffer.push_back(packet);
            return true;
        }
        self.missed = true;
        false
    }

    /// How many events came before the answer to CONNECT.
    pub(crate) fn early_events(&self) -> usize {
        self.receive_buffer.len()
    }

    /// Takes out the events that came before the answer to CONNECT.
    pub(crate) fn take_early_events(&mut self) -> VecDeque<SocketPacket> {
        self.received = Load::default();
        std::mem::take(&mut self.receive_buffer)
    }

    /// Completes the credentials with what session recovery needs.
    pub(crate) fn credentials<'a>(&'a self, auth: &'a str) -> Credentials<'a> {
        self.recovery.credentials(auth)
    }

    /// Takes in the server's positive answer to CONNECT.
    pub(crate) fn accept(&mut self, Membership { id, pid }: Membership) {
        let restored = self.recovery.begin(pid);
        self.id = Some(id);
        self.membership = self.membership.wrapping_add(1);
        self.phase = Phase::Joined;
        self.recovered = restored && !std::mem::take(&mut self.missed);
    }

    /// The status of a namespace that is joined.
    pub(crate) fn status(&self) -> Option<Status> {
        let id = self.id.clone().filter(|_| self.phase == Phase::Joined)?;
        Some(Status::Connected { id, recovered: self.recovered })
    }

    /// Takes in how far the server's events were received.
    pub(crate) fn note_offset(&mut self, packet: &SocketPacket) {
        self.recovery.note_offset(packet);
    }
}
