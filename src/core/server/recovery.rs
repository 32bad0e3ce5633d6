//! What a namespace keeps for clients that lost their connection, so that they miss nothing when they are back.
//!
//! Each event without an acknowledgement has a number, which stands as a string behind its arguments: the client takes
//! the last such string for the place up to which it has everything, and says it when it comes back. So volatile
//! events have one too, though they are not kept: else the client would take an argument of theirs for it. Numbers
//! are compared, so that the number of an event that is gone is still a place. A client that has not got any
//! event has everything up to where it joined. What another run of the server has numbered counts as nothing.
//!
//! A number has to be given, and its event to be queued for all receivers, under one lock of the namespace: if one
//! overtook another on its way, the client would be sent it twice or never.
//!
//! What is kept is bounded by bytes and by time. A client that may have missed what is gone is not restored. Values of
//! the program's are handed back, never dropped here: the caller has locks.

mod kept;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::kept::EventOffset;
use self::kept::KeptEvents;
use super::rooms::{Selection, SocketKey};
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::event::status::DisconnectReason;
use crate::payload::Payload;
use crate::proto::packet::Packet;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryLimits {
    /// How long a client may be without a connection.
    pub(crate) max_disconnection: Duration,
    /// How long the loss of a connection may go unnoticed: `pingInterval` and `pingTimeout` together.
    pub(crate) unnoticed: Duration,
    /// The bytes of all events that are kept.
    pub(crate) bytes: usize,
    /// How many clients without a connection are kept.
    pub(crate) sockets: usize,
}

/// A socket that has lost its connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LostSocket<D> {
    pub(crate) id: Arc<str>,
    /// The rooms that it was in, with that of its own id.
    pub(crate) rooms: Vec<Arc<str>>,
    /// What the program has put into it.
    pub(crate) data: D,
}

/// A socket that is back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RestoredSocket<D> {
    pub(crate) socket: LostSocket<D>,
    /// The messages of each event that it missed, in their order.
    pub(crate) missed: Vec<Arc<[Packet]>>,
    /// What they count where messages wait.
    pub(crate) load: Load,
    /// For [`RecoveryStore::begin`].
    pub(crate) since: EventOffset,
}

/// Why a client is not restored: it begins anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotRestored<D> {
    /// Nobody is known by this name (any more).
    Unknown,
    /// Events that it may have missed are gone.
    Gone(LostSocket<D>),
}

/// What a namespace keeps. `D` is what the program has put into a socket.
#[derive(Debug)]
pub(crate) struct RecoveryStore<D> {
    limits: RecoveryLimits,
    /// Tells the numbers of this run from those of others.
    run: Box<str>,
    last: EventOffset,
    events: KeptEvents,
    sockets: HashMap<Box<str>, Recoverable<D>>,
    /// Those that have lost their connection, in this order. Who is back meanwhile is here yet.
    lost: VecDeque<(Timestamp, Box<str>)>,
    lost_count: usize,
}

/// A socket that is known by a secret name.
#[derive(Debug)]
struct Recoverable<D> {
    /// What it is known to have.
    since: EventOffset,
    state: LinkState<D>,
}

#[derive(Debug)]
enum LinkState<D> {
    Connected(SocketKey),
    Lost(Timestamp, LostSocket<D>),
}

/// Whether a client whose socket ended like this may come back to it.
pub(crate) fn is_recoverable(reason: DisconnectReason) -> bool {
    use DisconnectReason as R;
    matches!(
        reason,
        R::TransportError
            | R::TransportClose
            | R::ForcedClose
            | R::ForcedServerClose
            | R::PingTimeout
            | R::ServerShuttingDown
    )
}

impl<D> RecoveryStore<D> {
    /// `run` is of letters and digits, and no other run of the server has it.
    pub(crate) fn new(run: &str, limits: RecoveryLimits) -> Self {
        Self {
            limits,
            run: run.into(),
            last: EventOffset::default(),
            events: KeptEvents::default(),
            sockets: HashMap::new(),
            lost: VecDeque::new(),
            lost_count: 0,
        }
    }

    /// Gives an event its number, and writes that behind its arguments.
    pub(crate) fn number(&mut self, event: &mut Payload) -> EventOffset {
        self.last.0 += 1;
        if event.json.ends_with(']') {
            event.json.pop();
            // Writing to a string does not fail.
            let _ = write!(event.json, ",\"{}-{}\"]", self.run, self.last.0);
        }
        self.last
    }

    /// Keeps an event that was given the last number, for those whom it may not reach. `messages` are all that it is made of.
    pub(crate) fn keep(&mut self, selection: &Selection, messages: &Arc<[Packet]>, now: Timestamp) {
        self.expire_events(now);
        if self.sockets.is_empty() {
            // Nobody can ask for it.
            self.events.give_up(self.last);
        } else {
            self.events.keep(self.last, selection, messages, now, self.limits.bytes);
        }
    }

    /// What a socket has that joins now.
    pub(crate) fn position(&self) -> EventOffset {
        self.last
    }

    /// A socket has joined, and is known by this name, which nobody can guess.
    pub(crate) fn begin(&mut self, pid: &str, key: SocketKey, since: EventOffset) {
        let state = LinkState::Connected(key);
        self.sockets.insert(pid.into(), Recoverable { since, state });
    }

    /// The socket of this name, if it is connected, as far as is known: a client that comes back before the loss was
    /// noticed finds it so. It is to be ended, and so lost, before it is restored.
    pub(crate) fn connected(&self, pid: &str) -> Option<SocketKey> {
        match self.sockets.get(pid)?.state {
            LinkState::Connected(key) => Some(key),
            LinkState::Lost(..) => None,
        }
    }

    /// A socket has left for good.
    pub(crate) fn forget(&mut self, pid: &str) -> Option<LostSocket<D>> {
        let known = self.sockets.remove(pid);
        self.tidy();
        match known?.state {
            LinkState::Connected(_) => None,
            LinkState::Lost(_, socket) => {
                self.lost_count -= 1;
                Some(socket)
            }
        }
    }

    /// A socket has lost its connection. Gives those that are too many.
    #[must_use = "what the program has put into sockets is dropped without a lock"]
    pub(crate) fn lose(
        &mut self,
        pid: &str,
        socket: LostSocket<D>,
        now: Timestamp,
    ) -> Vec<LostSocket<D>> {
        let Some(known) = self.sockets.get_mut(pid) else { return vec![socket] };
        let before = std::mem::replace(&mut known.state, LinkState::Lost(now, socket));
        self.lost.push_back((now, pid.into()));
        let mut dropped = Vec::new();
        match before {
            LinkState::Connected(_) => self.lost_count += 1,
            LinkState::Lost(_, other) => dropped.push(other),
        }
        while self.lost_count > self.limits.sockets {
            dropped.extend(self.take_first_lost());
        }
        dropped
    }

    /// A client comes back, and says what it was told last, if it was told anything.
    pub(crate) fn restore(
        &mut self,
        pid: &str,
        told: Option<&str>,
        now: Timestamp,
    ) -> Result<RestoredSocket<D>, NotRestored<D>> {
        let since = match self.sockets.get(pid) {
            Some(Recoverable { since, state: LinkState::Lost(at, _) })
                if now < *at + self.limits.max_disconnection =>
            {
                told.and_then(|told| self.read(told)).unwrap_or_default().max(*since)
            }
            _ => return Err(NotRestored::Unknown),
        };
        self.expire_events(now);
        let Some(socket) = self.forget_events_later(pid) else { return Err(NotRestored::Unknown) };
        if since < self.events.gone() {
            self.tidy();
            return Err(NotRestored::Gone(socket));
        }
        let (missed, load) = self.events.missed(since, &socket.rooms);
        self.tidy();
        Ok(RestoredSocket { socket, missed, load, since })
    }

    /// When to call [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let sockets = self.lost.front().map(|(at, _)| *at + self.limits.max_disconnection);
        let events = self.events.newest().map(|at| at + self.retention());
        sockets.into_iter().chain(events).min()
    }

    /// Gives the sockets whose clients have not come back in time.
    #[must_use = "what the program has put into sockets is dropped without a lock"]
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<LostSocket<D>> {
        let mut dropped = Vec::new();
        while self.lost.front().is_some_and(|(at, _)| *at + self.limits.max_disconnection <= now) {
            dropped.extend(self.take_first_lost());
        }
        self.expire_events(now);
        self.tidy();
        dropped
    }

    /// How many events are kept, and their bytes.
    pub(crate) fn kept(&self) -> Load {
        self.events.load()
    }

    fn retention(&self) -> Duration {
        self.limits.max_disconnection + self.limits.unnoticed
    }

    fn expire_events(&mut self, now: Timestamp) {
        self.events.expire(now, self.retention());
    }

    /// A number of this run's that was given.
    fn read(&self, told: &str) -> Option<EventOffset> {
        let number = told.strip_prefix(&*self.run)?.strip_prefix('-')?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let offset = EventOffset(number.parse().ok().filter(|_| is_plain)?);
        (offset <= self.last).then_some(offset)
    }

    /// Takes a lost socket out; what is kept for it is yet there.
    fn forget_events_later(&mut self, pid: &str) -> Option<LostSocket<D>> {
        match self.sockets.remove(pid)?.state {
            LinkState::Lost(_, socket) => {
                self.lost_count -= 1;
                Some(socket)
            }
            LinkState::Connected(_) => None,
        }
    }

    /// Takes out the one that was lost first, if it has not come back.
    fn take_first_lost(&mut self) -> Option<LostSocket<D>> {
        let (lost_at, pid) = self.lost.pop_front()?;
        let is_it = match self.sockets.get(&pid)?.state {
            LinkState::Lost(at, _) => at == lost_at,
            LinkState::Connected(_) => false,
        };
        if is_it { self.forget_events_later(&pid) } else { None }
    }

    /// Where nobody is left, nothing is.
    fn tidy(&mut self) {
        if self.sockets.is_empty() {
            self.events.give_up(self.last);
            self.sockets = HashMap::new();
            self.lost = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests;
