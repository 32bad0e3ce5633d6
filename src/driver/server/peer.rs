//! One client: its session, its WebSocket, and the sockets that it has.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mio::Token;

use super::answers::disconnected;
use super::directory::Listed;
use super::handshake::FirstRequest;
use super::leaving::CountsLeaving;
use super::parts::{Due, Hub, IoCommand, Peer, PeerState};
use super::saying::{Saying, saying};
use super::timers::Alarm;
use super::wire::{PeerWire, Written};
use crate::core::server::session::{NotQueued, Session, SessionEnding, SessionOrder};
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result, Rounded};
use crate::event::status::DisconnectReason;
use crate::net::server::frames::{write_close, write_frame};
use crate::options::Transport;
use crate::proto::dialect::Frame;
use crate::proto::packet::Packet;
use crate::proto::parser::Parser;
use crate::sync::lock::{Locked, lock};
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, role};

/// How a broadcast to many, or one message, gets to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// At once, unless the same turn has just written to this client, or the thread says it in a row with something else.
    Now,
    /// At the end of the turn, if there is one; else as what is for one.
    Gathered,
}

thread_local! {
    /// Memory for what is written and ordered, kept by each thread.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    orders: Vec<SessionOrder>,
    frames: Vec<Frame>,
    bytes: Vec<u8>,
}

/// The code of a close frame behind what breaks the rules of the protocol above (RFC 6455 §7.4.1).
const BROKEN_RULE: u16 = 1002;

/// What of the memory for writing a thread keeps.
const KEPT: usize = 64 * 1024;

impl Peer {
    pub(super) fn new(
        hub: &Arc<Hub>,
        sid: &str,
        session: Session,
        parser: Box<dyn Parser>,
        request: FirstRequest,
        wire: Option<PeerWire>,
    ) -> Arc<Self> {
        let join_deadline = Some(now() + hub.options.connect_timeout);
        let state = PeerState {
            session,
            parser,
            wire,
            candidate: None,
            poll: None,
            post_waits: None,
            sockets: Vec::new(),
            joining: Vec::new(),
            join_deadline,
            holds: false,
            stall: None,
            half: None,
            fault: None,
            alarm: Alarm::default(),
            is_deferred: false,
            last_turn: 0,
        };
        Arc::new_cyclic(|this| Self {
            hub: Arc::clone(hub),
            sid: sid.into(),
            request: Arc::new(request),
            state: Mutex::new(state),
            leaving: AtomicUsize::new(0),
            this: Arc::new(this.clone()),
        })
    }

    pub(super) fn lock(&self) -> Locked<'_, PeerState> {
        lock(&self.state)
    }

    /// Does something with the session, and what it orders then.
    pub(super) fn run<R>(
        &self,
        state: &mut PeerState,
        step: impl FnOnce(&mut PeerState, &mut Vec<SessionOrder>) -> R,
    ) -> R {
        self.run_with(state, Urgency::Now, step)
    }

    fn run_with<R>(
        &self,
        state: &mut PeerState,
        urgency: Urgency,
        step: impl FnOnce(&mut PeerState, &mut Vec<SessionOrder>) -> R,
    ) -> R {
        let mut orders = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.orders));
        let result = step(state, &mut orders);
        self.carry_out(state, &mut orders, urgency);
        orders.clear();
        SCRATCH.with_borrow_mut(|scratch| scratch.orders = orders);
        self.arm(state);
        result
    }

    /// Carries out what has been ordered so far, before anything else happens to the session.
    pub(super) fn carry_out_now(&self, state: &mut PeerState, orders: &mut Vec<SessionOrder>) {
        self.carry_out(state, orders, Urgency::Now);
        orders.clear();
    }

    /// Carries out orders, and those that follow from them.
    fn carry_out(&self, state: &mut PeerState, orders: &mut Vec<SessionOrder>, urgency: Urgency) {
        let mut next = 0;
        while let Some(order) = orders.get_mut(next) {
            next += 1;
            match std::mem::replace(order, SessionOrder::Write) {
                SessionOrder::Message(message) => self.take_message(state, message, orders),
                SessionOrder::Write if state.defers(urgency) => self.defer(state),
                SessionOrder::Write => self.write(state, orders),
                SessionOrder::AnswerPoll => self.answer_poll(state, orders),
                SessionOrder::Upgraded => {
                    state.wire = state.candidate.take().map(|wire| *wire);
                }
                SessionOrder::CloseWebSocket => self.close_websocket(state),
                SessionOrder::Over(ending) => self.end(state, &ending),
            }
        }
    }

    fn defer(&self, state: &mut PeerState) {
        if !std::mem::replace(&mut state.is_deferred, true) {
            if let Some(this) = self.this.upgrade() {
                self.hub.defer(this);
            }
        }
    }

    /// Writes what was gathered for it.
    pub(super) fn write_now(&self) {
        let mut state = self.lock();
        state.is_deferred = false;
        self.run(&mut state, |state, orders| {
            if state.session.has_frames() {
                self.write(state, orders);
            }
        });
    }

    /// Writes what there is to the WebSocket, as far as the system takes it.
    fn write(&self, state: &mut PeerState, orders: &mut Vec<SessionOrder>) {
        match &state.candidate {
            // One answer to its probes is enough, and follows when there is room.
            Some(candidate) if candidate.is_blocked() => return,
            // A session is there a moment before its first connection, which takes what waits. The server may close it meanwhile.
            None if state.wire.is_none() => return,
            _ => {}
        }
        if let Saying::InTurn(turn) = saying() {
            state.last_turn = turn;
        }
        let mut frames = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.frames));
        let mut bytes = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.bytes));
        state.session.take_frames(now(), &mut frames);
        for frame in frames.drain(..) {
            write_frame(&frame, &mut bytes);
        }
        if !bytes.is_empty() {
            // What goes to the WebSocket under test is no more than the answer to its probe.
            let wire = state.candidate.as_deref_mut().or(state.wire.as_mut());
            let written = wire.map(|wire| wire.write(&bytes));
            self.note_written(state, written, orders);
        }
        bytes.clear();
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.frames = frames;
            if bytes.capacity() <= KEPT {
                scratch.bytes = bytes;
            }
        });
    }

    /// The system may take more of what waits for the WebSocket.
    pub(super) fn write_on(&self, state: &mut PeerState, token: Token) {
        self.run(state, |state, orders| {
            let Some(wire) = state.wire_of(token) else { return };
            let was_blocked = wire.is_blocked();
            let written = wire.write_on();
            if was_blocked || written.is_err() {
                self.note_written(state, Some(written), orders);
            }
            if state.session.has_frames() {
                orders.push(SessionOrder::Write);
            }
        });
    }

    fn note_written(
        &self,
        state: &mut PeerState,
        written: Option<std::io::Result<Written>>,
        orders: &mut Vec<SessionOrder>,
    ) {
        match written {
            Some(Ok(Written::All)) => state.session.written(Transport::WebSocket, now(), orders),
            Some(Ok(Written::Some)) => state.session.progressed(now()),
            Some(Ok(Written::None)) | None => {}
            Some(Err(error)) => self.wire_lost(state, Some(error), orders),
        }
    }

    /// The WebSocket (the one under test, or the session's) has ended; without an error, by the client.
    pub(super) fn wire_lost(
        &self,
        state: &mut PeerState,
        error: Option<std::io::Error>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let wire = state.take_wire();
        if let Some(wire) = wire {
            self.hub.command(IoCommand::Close(wire.token));
        }
        let cause = error.map(|error| {
            Error::new(ErrorKind::Transport, "the connection of the client failed")
                .with_source(error)
        });
        state.session.websocket_lost(cause, orders);
    }

    fn close_websocket(&self, state: &mut PeerState) {
        let Some(mut wire) = state.take_wire() else { return };
        // The answers to its requests tell it too.
        let fault = if state.session.is_over() { state.fault.clone() } else { state.fault.take() };
        let mut bytes = Vec::new();
        write_close(fault.is_some().then_some(BROKEN_RULE), &fault.unwrap_or_default(), &mut bytes);
        // That it cannot be written changes nothing.
        let _ = wire.write(&bytes);
        self.hub.command(IoCommand::Linger(Box::new(wire)));
    }

    /// The client closes the WebSocket, or breaks its rules, and was told so.
    pub(super) fn wire_closed(
        &self,
        state: &mut PeerState,
        cause: Option<Error>,
        orders: &mut Vec<SessionOrder>,
    ) {
        if let Some(wire) = state.take_wire() {
            self.hub.command(IoCommand::Linger(Box::new(wire)));
        }
        state.session.websocket_lost(cause, orders);
    }

    /// Sends the messages of one packet.
    pub(super) fn send(&self, messages: &[Packet]) -> Result<()> {
        self.send_with(messages, false, Urgency::Now).map(drop)
    }

    /// The same; `false`: it was volatile, and dropped.
    pub(super) fn send_with(
        &self,
        messages: &[Packet],
        volatile: bool,
        urgency: Urgency,
    ) -> Result<bool> {
        self.send_and(messages, volatile, urgency, || ())
    }

    /// The same, and does this in the order in which things are sent.
    pub(super) fn send_and(
        &self,
        messages: &[Packet],
        volatile: bool,
        urgency: Urgency,
        and: impl FnOnce(),
    ) -> Result<bool> {
        let mut state = self.lock();
        if volatile && !state.session.is_writable() {
            return Ok(false);
        }
        let mut sent = self.queue(&mut state, messages, urgency);
        if sent == Err(NotQueued::Full) && state.session.has_frames() {
            // What waits only for what is said next takes no room from that.
            self.run(&mut state, |state, orders| self.write(state, orders));
            if volatile && !state.session.is_writable() {
                return Ok(false);
            }
            sent = self.queue(&mut state, messages, urgency);
        }
        match sent {
            Ok(()) => {
                and();
                Ok(true)
            }
            Err(NotQueued::Over) => Err(disconnected()),
            Err(NotQueued::Full) => {
                let waiting = state.session.queued();
                let what = format!(
                    "the client is behind: {} packets of {} bytes wait for it",
                    waiting.packets, waiting.bytes
                );
                Err(Error::new(ErrorKind::BufferFull, what))
            }
        }
    }

    fn queue(
        &self,
        state: &mut PeerState,
        messages: &[Packet],
        urgency: Urgency,
    ) -> Result<(), NotQueued> {
        self.run_with(state, urgency, |state, orders| state.session.send(messages, orders))
    }

    /// Has the timer look at it in time.
    fn arm(&self, state: &mut PeerState) {
        let own = state.session.deadline();
        let join = state.join_deadline.filter(|_| !state.session.is_over());
        let stall = state.stall.map(|stall| stall.until).filter(|_| !state.session.is_over());
        let half = state.half.as_ref().map(|half| half.until);
        let Some(at) = own.into_iter().chain(join).chain(stall).chain(half).min() else { return };
        if state.alarm.set(at) {
            self.hub.timers.arm(at, Due::Peer(Arc::downgrade(&self.this)));
        }
    }

    /// A deadline of it may have come, which was to be looked at then.
    pub(super) fn expire(&self, at: Timestamp) {
        let now = now();
        let mut state = self.lock();
        if !state.alarm.rings(at) {
            return;
        }
        self.run(&mut state, |state, orders| {
            state.session.expire(now, orders);
            if state.join_deadline.is_some_and(|at| at <= now) {
                state.join_deadline = None;
                log_later!(Debug, "a client joined no namespace in time");
                state.session.close(DisconnectReason::ForcedServerClose, now, orders);
            }
            self.expire_stall(state, now, orders);
            self.expire_half(state, now, orders);
        });
    }

    /// A client is held up by its handlers for no longer than they may do nothing.
    fn expire_stall(&self, state: &mut PeerState, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let (done, limit) = (state.handled(), self.hub.options.stall_timeout);
        if state.stall.as_mut().is_some_and(|stall| stall.is_over(done, now, limit)) {
            state.stall = None;
            let what =
                format!("the handlers of the client have done nothing for {}", Rounded(limit));
            log_later!(Warn, "a client is disconnected: {what}");
            let cause = Error::new(ErrorKind::Timeout, what);
            state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
        }
    }

    /// Who holds still for this client reads on, if that is what it takes.
    pub(super) fn go_on(&self) {
        // Under the lock it is looked at whether it still holds; here it is only a hint.
        let Some(this) = self.this.upgrade() else { return };
        if role() != Some(Role::Server) && self.lock().holds {
            self.hub.command(IoCommand::GoOn(this));
        }
    }

    /// The same where locks may be held.
    pub(super) fn ask_to_go_on(&self) {
        if let Some(this) = self.this.upgrade() {
            self.hub.command(IoCommand::GoOn(this));
        }
    }

    /// The server ends this client's session.
    pub(super) fn close(&self, reason: DisconnectReason) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| state.session.close(reason, now(), orders));
    }

    /// And without any delay.
    pub(super) fn cut(&self, reason: DisconnectReason, cause: Option<Error>) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| state.session.end(reason, cause, orders));
    }

    /// The session is over: its sockets are, and whoever waits for their answers hears of it.
    fn end(&self, state: &mut PeerState, ending: &SessionEnding) {
        let reason = ending.reason;
        match &ending.cause {
            Some(cause) => {
                let hint = cause.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                log_later!(Debug, "a session ended, {reason}: {}{hint}", cause.words());
            }
            None => log_later!(Debug, "a session ended, {reason}"),
        }
        if ending.unsent.packets > 0 {
            log_later!(Debug, "{} packets were left to be written", ending.unsent.packets);
        }
        for socket in std::mem::take(&mut state.sockets) {
            socket.part(reason);
        }
        self.leaves(std::mem::take(&mut state.joining).len());
        state.join_deadline = None;
        state.parser.reset();
        state.half = None;
        while let Some(wire) = state.take_wire() {
            self.hub.command(IoCommand::Close(wire.token));
        }
        self.hub.remove_peer(&self.sid);
    }

    /// So many of its sockets are gone, of which the program has yet to hear.
    pub(super) fn leaves(&self, count: usize) {
        self.leaving.fetch_add(count, Ordering::AcqRel);
        self.hub.leaving.fetch_add(count, Ordering::AcqRel);
    }
}

impl Listed for Peer {
    fn sid(&self) -> &str {
        &self.sid
    }

    fn address(&self) -> Option<IpAddr> {
        self.request.address.map(|address| address.ip())
    }
}

impl CountsLeaving for Peer {
    fn has_left(&self) {
        self.leaving.fetch_sub(1, Ordering::AcqRel);
        self.hub.leaving.fetch_sub(1, Ordering::AcqRel);
    }
}

impl PeerState {
    /// How much its handlers have done.
    pub(super) fn handled(&self) -> u64 {
        self.sockets.iter().map(|socket| socket.inbox.begun()).sum()
    }

    /// Takes out the WebSocket: the one under test, if there is one.
    fn take_wire(&mut self) -> Option<PeerWire> {
        self.candidate.take().map(|wire| *wire).or_else(|| self.wire.take())
    }

    /// Whether what is to be written waits, for what is said next or for whoever serves the connections.
    fn defers(&self, urgency: Urgency) -> bool {
        let may_have_more = match saying() {
            Saying::Alone => false,
            Saying::InARow => true,
            Saying::InTurn(turn) => {
                urgency == Urgency::Gathered || self.is_deferred || self.last_turn == turn
            }
        };
        may_have_more && self.session.may_gather()
    }
}
