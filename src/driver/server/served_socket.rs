//! One client in one namespace, as its server has it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use super::answers::{AnswerSink, Answers, disconnected};
use super::belongings::{Belongings, OwnHandler, SocketData};
use super::handshake::SocketHandshake;
use super::inbox::{Inbox, InboxItem};
use super::parts::{Due, Peer, ServedNamespace, ServedSocket};
use super::pool::{TakesTurns, Task};
use super::timers::Alarm;
use crate::core::server::rooms::Selection;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::DisconnectReason;
use crate::event::{Event, Reply};
use crate::options::Transport;
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::lock::{lock, lock_callback};
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// Where a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Standing {
    /// It may not yet send.
    Joining,
    Connected,
    Gone,
}

/// How much memory an event takes beside what it says, in bytes: about.
const PER_EVENT: usize = 512;

/// What a socket begins with.
pub(super) struct Origin {
    pub(super) id: Arc<str>,
    /// By what its client may claim it again.
    pub(super) pid: Option<Box<str>>,
    /// Its client has claimed it.
    pub(super) is_recovered: bool,
    /// What the program has attached to it before.
    pub(super) data: SocketData,
}

impl ServedSocket {
    pub(super) fn new(
        origin: Origin,
        namespace: &Arc<ServedNamespace>,
        handshake: SocketHandshake,
        peer: &Arc<Peer>,
    ) -> Arc<Self> {
        let Origin { id, pid, is_recovered, data } = origin;
        let attached = OnceLock::new();
        if !data.is_empty() {
            let belongings = Belongings { data, ..Belongings::default() };
            attached.get_or_init(|| Box::new(Mutex::new(belongings)));
        }
        Arc::new_cyclic(|this| Self {
            id,
            pid,
            is_recovered,
            key: namespace.next_key(),
            namespace: Arc::clone(namespace),
            handshake,
            peer: Arc::clone(peer),
            standing: AtomicU8::new(Standing::Joining as u8),
            inbox: Inbox::default(),
            answers: Answers::default(),
            alarm: Alarm::default(),
            attached,
            last_rooms: OnceLock::new(),
            this: this.clone(),
        })
    }

    pub(crate) fn transport(&self) -> Transport {
        self.peer.lock().session.transport()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.standing.load(Ordering::Acquire) == Standing::Connected as u8
    }

    /// The answer to its CONNECT is queued, under the lock of its peer.
    pub(super) fn connected(&self) {
        self.standing.store(Standing::Connected as u8, Ordering::Release);
        self.put(InboxItem::Connected);
    }

    /// It has left, under the lock of its peer. What came before is handled first.
    pub(super) fn disconnected(&self, reason: DisconnectReason) {
        let before = self.standing.swap(Standing::Gone as u8, Ordering::AcqRel);
        let _ = self.last_rooms.set(self.namespace.exit(self, reason));
        if before == Standing::Connected as u8 {
            self.peer.leaves(1);
            self.put(InboxItem::Disconnected(reason));
        }
    }

    /// Puts something in front of its handlers; `true`: the reader is to hold still.
    pub(super) fn put(&self, item: InboxItem) -> bool {
        let put = self.inbox.put(item, self.namespace.hub.options.inbox);
        if put.schedule {
            if let Some(this) = self.this.upgrade() {
                self.namespace.hub.pool.submit(Task::Turn(this));
            }
        }
        put.is_full
    }

    /// Its handlers have too much in front of them.
    pub(super) fn is_behind(&self) -> bool {
        self.inbox.is_full()
    }

    /// How much memory what waits in front of its handlers takes, in bytes.
    pub(super) fn waiting_memory(&self) -> usize {
        let (events, bytes) = self.inbox.load();
        bytes + events * PER_EVENT
    }

    /// The rooms that it is in, or was in at its end.
    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        match self.last_rooms.get() {
            Some(rooms) => rooms.clone(),
            None => self.namespace.rooms_of(self.key),
        }
    }

    pub(crate) fn join(&self, room: &str) -> bool {
        self.namespace.join(self.key, room)
    }

    pub(crate) fn leave(&self, room: &str) {
        self.namespace.leave(self.key, room);
    }

    /// What the program has attached to it, which is locked: no user's code may run meanwhile.
    pub(crate) fn attached(&self) -> crate::sync::lock::Locked<'_, Belongings> {
        lock(self.attached.get_or_init(Box::default))
    }

    /// It never joins. What the program has attached to it may hold the socket itself: here that ends.
    pub(super) fn forget_belongings(&self) {
        let attached = self.attached.get().map(|attached| std::mem::take(&mut *lock(attached)));
        drop(attached);
    }

    /// What the program has attached to it: values.
    pub(super) fn data(&self) -> SocketData {
        self.attached.get().map_or_else(Vec::new, |attached| lock(attached).data.clone())
    }

    /// Emits to this socket alone.
    pub(crate) fn emit(&self, payload: Payload, volatile: bool) -> Result<()> {
        self.check_connected()?;
        let header = self.header(Kind::Event, None);
        if self.pid.is_none() {
            return self.peer.send(&self.namespace.hub.encode(header, &payload), volatile);
        }
        // What its client may miss is kept for it, as what is for many.
        let own = Selection { rooms: vec![Arc::clone(&self.id)], except: Vec::new() };
        let _in_order = lock(&self.namespace.order);
        let (messages, _) = self.namespace.prepare(header, payload, &own, volatile);
        self.peer.send(&messages, volatile)
    }

    /// The same, with a number by which the client answers.
    pub(crate) fn emit_with_ack(
        &self,
        payload: &Payload,
        answered: AnswerSink,
        limit: Option<Duration>,
    ) -> Result<()> {
        if let Err(error) = self.check_connected() {
            drop(answered);
            return Err(error);
        }
        let number = self.namespace.next_ack();
        let messages = self.namespace.hub.encode(self.header(Kind::Event, Some(number)), payload);
        self.expect(number, answered, limit)?;
        self.peer.send(&messages, false).inspect_err(|_| drop(self.answers.take(number)))
    }

    /// Takes on the answer to a question that is about to be sent.
    pub(super) fn expect(
        &self,
        number: u64,
        answered: AnswerSink,
        limit: Option<Duration>,
    ) -> Result<()> {
        let deadline = limit.map(|limit| now() + limit);
        let most = self.namespace.hub.options.acks;
        self.answers.expect(number, answered, deadline, most).map_err(|(_, error)| error)?;
        if let Some(at) = deadline {
            self.arm(at);
        }
        // A reader that holds still reads on, where somebody waits for what lies behind.
        self.peer.go_on();
        Ok(())
    }

    fn arm(&self, at: Timestamp) {
        if self.alarm.set(at) {
            self.namespace.hub.timers.arm(at, Due::Answers(self.this.clone()));
        }
    }

    /// The deadline of an answer may have passed, which was to be looked at then.
    pub(super) fn expire_answers(&self, at: Timestamp) {
        if !self.alarm.rings(at) {
            return;
        }
        for late in self.answers.expire(now()) {
            let error = Error::new(ErrorKind::Timeout, "no acknowledgement in time");
            self.namespace.hub.resolve(late, Err(error));
        }
        if let Some(at) = self.answers.deadline() {
            self.arm(at);
        }
    }

    /// The program disconnects it, and with `close` all that its client has here.
    pub(crate) fn leave_server(&self, close: bool) {
        if let Some(this) = self.this.upgrade() {
            self.peer.disconnect(&this, close);
        }
    }

    pub(super) fn header(&self, kind: Kind, id: Option<u64>) -> Header<'_> {
        Header { kind, namespace: &self.namespace.name, id }
    }

    fn check_connected(&self) -> Result<()> {
        if self.is_connected() { Ok(()) } else { Err(disconnected()) }
    }

    fn handle(self: &Arc<Self>, item: InboxItem) {
        match item {
            InboxItem::Connected => {
                let handlers = self.namespace.handlers().connection.clone();
                for handler in handlers {
                    self.guard("connection", || handler(self));
                }
            }
            InboxItem::Event(event) => self.handle_event(event),
            InboxItem::Disconnected(reason) => {
                self.handle_end(reason);
                self.peer.has_left();
            }
        }
    }

    fn handle_event(self: &Arc<Self>, event: Event) {
        let own = self.own_handlers(event.name());
        let handlers = self.namespace.handlers_of(event.name());
        if own.is_empty() && handlers.is_empty() {
            log_later!(Debug, in &*self.namespace.name, "nobody listens to {:?}", event.name());
            return;
        }
        // Mostly there is one, which gets the event itself and no clone.
        let mut left = handlers.len() + own.len();
        let mut event = Some(event);
        let mut next = || {
            left -= 1;
            if left == 0 { event.take() } else { event.clone() }
        };
        for handler in handlers {
            let Some(event) = next() else { return };
            self.guard("event", || handler(self, event));
        }
        for handler in own {
            let Some(event) = next() else { return };
            self.guard("event", || lock_callback(&handler)(event));
        }
    }

    fn own_handlers(&self, event: &str) -> Vec<OwnHandler> {
        let Some(attached) = self.attached.get() else { return Vec::new() };
        let attached = lock(attached);
        let named = attached.events.get(event).into_iter().flatten();
        attached.any.iter().chain(named).cloned().collect()
    }

    fn handle_end(self: &Arc<Self>, reason: DisconnectReason) {
        let (disconnecting, disconnect) = {
            let handlers = self.namespace.handlers();
            (handlers.disconnecting.clone(), handlers.disconnect.clone())
        };
        // What a socket has attached may hold the socket itself: here that ends, but for its data.
        let attached = self.attached.get().map(|attached| {
            let mut attached = lock(attached);
            let data = std::mem::take(&mut attached.data);
            std::mem::replace(&mut *attached, Belongings { data, ..Belongings::default() })
        });
        let Belongings { disconnecting: own_disconnecting, disconnect: own_disconnect, .. } =
            attached.unwrap_or_default();
        for handler in disconnecting {
            self.guard("disconnecting", || handler(self, reason));
        }
        for handler in own_disconnecting {
            self.guard("disconnecting", || handler(reason));
        }
        for handler in disconnect {
            self.guard("disconnect", || handler(self, reason));
        }
        for handler in own_disconnect {
            self.guard("disconnect", || handler(reason));
        }
    }

    /// Runs a handler, which may panic.
    fn guard(&self, what: &str, handler: impl FnOnce()) {
        if survive(handler).is_none() {
            log_later!(Error, in &*self.namespace.name, "a handler ({what}) panicked; the server goes on");
        }
    }
}

impl TakesTurns for ServedSocket {
    fn take_turn(&self) -> bool {
        let Some(this) = self.this.upgrade() else { return false };
        let hub = &self.namespace.hub;
        let mut batch = self.inbox.take(hub.options.inbox);
        for item in batch.items.drain(..) {
            hub.in_turn(|| this.handle(item));
        }
        let handled = self.inbox.handled(&batch, hub.options.inbox);
        if handled.reopens {
            self.peer.go_on();
        }
        handled.has_more
    }
}

/// The way of an acknowledgement back to a client.
pub(super) struct WayToClient {
    pub(super) socket: Weak<ServedSocket>,
    /// `None` once it was used.
    pub(super) number: Mutex<Option<u64>>,
}

impl Reply for WayToClient {
    fn reply(&self, payload: Payload) -> Result<()> {
        let socket = self.socket.upgrade().ok_or_else(disconnected)?;
        socket.check_connected()?;
        let number = lock(&self.number).take().ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, "the client has its acknowledgement already")
        })?;
        let messages =
            socket.namespace.hub.encode(socket.header(Kind::Ack, Some(number)), &payload);
        let sent = socket.peer.send(&messages, false);
        if sent.is_err() {
            // It may be tried again.
            *lock(&self.number) = Some(number);
        }
        sent
    }
}
