//! One client in one namespace, as its server has it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use super::answers::{AnswerSink, Answers, disconnected};
use super::belongings::{Belongings, SocketData};
use super::handshake::SocketHandshake;
use super::inbox::{Attendant, Inbox, InboxItem};
use super::leaving::Leaving;
use super::parts::{Due, Peer, ServedNamespace, ServedSocket};
use super::peer::Urgency;
use super::saying::say;
use super::tasks::Task;
use super::timers::Alarm;
use crate::core::server::cluster::SocketDetails;
use crate::core::server::rooms::Selection;
use crate::core::time::Timestamp;
use crate::driver::ack_slot::AckHandle;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::DisconnectReason;
use crate::event::{AckReply, Event, Reply};
use crate::options::Transport;
use crate::payload::Payload;
use crate::proto::packet::Packet;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::lock::lock;

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
            attaching_end: OnceLock::new(),
            is_watched: AtomicBool::new(false),
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
        if let Some(taker) = self.namespace.taker() {
            self.inbox.leave_to(taker);
        }
        self.put(InboxItem::Connected);
    }

    /// What came before is handled first.
    fn disconnected(&self, reason: DisconnectReason) {
        let before = self.standing.swap(Standing::Gone as u8, Ordering::AcqRel);
        let _ = self.last_rooms.set(self.namespace.exit(self, reason));
        if before == Standing::Connected as u8 {
            self.peer.leaves(1);
            self.put(InboxItem::Disconnected(reason, Leaving::of(Arc::clone(&self.peer) as _)));
        }
    }

    /// It has left, under the lock of its peer; its handlers hear of that behind what waits, and whoever waits for an
    /// answer at once.
    pub(super) fn part(self: Arc<Self>, reason: DisconnectReason) {
        self.disconnected(reason);
        for answered in self.answers.end() {
            self.resolve(answered, Err(disconnected()));
        }
        self.let_go();
    }

    /// Puts something in front of its handlers; `true`: the reader is to hold still.
    pub(super) fn put(&self, item: InboxItem) -> bool {
        let put = self.inbox.put(item, self.namespace.hub.options.inbox);
        if put.schedule {
            self.ask_for_turn();
        }
        put.is_full
    }

    fn ask_for_turn(&self) {
        let Some(this) = self.this.upgrade() else { return };
        let task = match self.inbox.attendant() {
            Attendant::Pool => Task::Turn(this),
            Attendant::Program(taker) => Task::AtOnce(Box::new(move || taker.offer(this))),
            Attendant::Nobody => Task::Once(Box::new(move || this.attend_unclaimed())),
        };
        self.namespace.hub.pool.submit(task);
    }

    /// Nobody has subscribed to it yet: what does not wait for that.
    fn attend_unclaimed(self: &Arc<Self>) {
        let taken = self.inbox.take_answers(self.namespace.hub.options.inbox);
        if taken.reopens {
            self.peer.ask_to_go_on();
        }
        taken.answers.into_iter().for_each(|answer| self.handle(answer));
        if self.standing.load(Ordering::Acquire) == Standing::Gone as u8 {
            self.forget_handlers();
        }
    }

    /// The program has it, and may subscribe to it.
    pub(super) fn park(&self) {
        if self.inbox.park() {
            self.ask_for_turn();
        }
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

    /// What the program has attached to it: values.
    pub(super) fn data(&self) -> SocketData {
        self.attached.get().map_or_else(Vec::new, |attached| lock(attached).data.clone())
    }

    /// What other servers of a cluster are told of it.
    pub(super) fn details(&self) -> SocketDetails {
        let shared = self.attached.get().and_then(|attached| lock(attached).shared.clone());
        SocketDetails {
            id: Arc::clone(&self.id),
            rooms: self.rooms(),
            handshake: self.handshake.shared().into(),
            data: shared.unwrap_or_else(|| "{}".into()),
        }
    }

    /// Emits to this socket alone.
    pub(crate) fn emit(&self, payload: Payload, volatile: bool) -> Result<()> {
        self.check_connected()?;
        self.namespace.hub.check_attachments(&payload)?;
        let header = self.header(Kind::Event, None);
        if self.pid.is_none() {
            let messages = self.namespace.hub.encode(header, &payload);
            return self.send_alone(&messages, volatile, Some(&payload)).map(drop);
        }
        // What its client may miss is kept for it, as what is for many.
        let own = Selection { rooms: vec![Arc::clone(&self.id)], except: Vec::new() };
        let shown = self.is_watched().then(|| payload.clone());
        let _in_order = lock(&self.namespace.order);
        let (messages, _) = self.namespace.prepare(header, payload, &own, volatile);
        self.send_alone(&messages, volatile, shown.as_ref()).map(drop)
    }

    /// The same, with a number by which the client answers.
    pub(crate) fn emit_with_ack(
        &self,
        payload: &Payload,
        volatile: bool,
        answered: AnswerSink,
        limit: Option<Duration>,
    ) -> Result<()> {
        let may_emit = self.check_connected().and(self.namespace.hub.check_attachments(payload));
        if let Err(error) = may_emit {
            drop(answered);
            return Err(error);
        }
        let number = self.namespace.next_ack();
        let messages = self.namespace.hub.encode(self.header(Kind::Event, Some(number)), payload);
        self.expect(number, answered, limit)?;
        match self.send_alone(&messages, volatile, Some(payload)) {
            Ok(true) => {}
            Ok(false) => {
                if let Some(answered) = self.answers.take(number) {
                    let what = "the volatile event was dropped";
                    self.resolve(answered, Err(Error::new(ErrorKind::Disconnected, what)));
                }
            }
            Err(error) => {
                drop(self.answers.take(number));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sends the messages of an event that is for this client alone.
    fn send_alone(
        &self,
        messages: &[Packet],
        volatile: bool,
        event: Option<&Payload>,
    ) -> Result<bool> {
        say(|| self.send(messages, volatile, Urgency::Now, event))
    }

    /// Sends the messages of an event to its client, and shows it to whoever watches what goes out. `false`: it was
    /// volatile, and dropped.
    pub(super) fn send(
        &self,
        messages: &[Packet],
        volatile: bool,
        urgency: Urgency,
        event: Option<&Payload>,
    ) -> Result<bool> {
        match event.filter(|_| self.is_watched()) {
            None => self.peer.send_with(messages, volatile, urgency),
            Some(event) => {
                self.peer.send_and(messages, volatile, urgency, || self.show(event.clone()))
            }
        }
    }

    /// Whether somebody watches what goes out.
    fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    fn show(&self, event: Payload) {
        let event = Event::outgoing(&self.namespace.name, event);
        if self.inbox.show(event, self.namespace.hub.options.inbox) {
            self.ask_for_turn();
        }
    }

    /// Brings an answer to whoever waits for it. A callback is called by the handlers' thread, in its turn; `true`: the reader
    /// is to hold still for it.
    pub(super) fn resolve(&self, answered: AnswerSink, result: Result<AckReply>) -> bool {
        match answered {
            AnswerSink::Handle(AckHandle::Callback(callback)) => {
                self.put(InboxItem::Answer(callback, result))
            }
            quick => {
                quick.resolve(result);
                false
            }
        }
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
            self.resolve(late, Err(error));
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
        socket.namespace.hub.check_attachments(&payload)?;
        let number = lock(&self.number).take().ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, "the client has its acknowledgement already")
        })?;
        let messages =
            socket.namespace.hub.encode(socket.header(Kind::Ack, Some(number)), &payload);
        let sent = say(|| socket.peer.send(&messages));
        if sent.is_err() {
            // It may be tried again.
            *lock(&self.number) = Some(number);
        }
        sent
    }
}
