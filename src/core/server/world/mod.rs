//! A session with a client and a network of its own, in virtual time, and an account of what goes in and
//! comes out.
//!
//! After each input it holds: the client has the messages that were accepted, in order, each once, up to
//! some place; what it does not have waits, or the session is over and counts it; there is one transport;
//! a request is answered once; nothing follows the end; and there is a next deadline, unless it is over.
//!
//! For unit tests, and for the fuzzer. What fails here is the test, by a panic: no program has it.
#![cfg_attr(not(test), allow(dead_code, reason = "the fuzzer needs less than the tests"))]

pub(crate) mod script;

use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::session::{
    NotQueued, PollFate, Session, SessionEnding, SessionOptions, SessionOrder, UpgradeRefusal,
};
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::packet::Packet;

/// More than any body that is read here.
const MAX: usize = 1 << 24;

/// A session, and all that it is connected to.
pub(crate) struct SessionWorld {
    pub(crate) session: Session,
    pub(crate) now: Timestamp,
    options: Arc<SessionOptions>,
    dialect: &'static dyn Dialect,
    /// The GET that the server has, as the client sees it.
    get: Option<Get>,
    /// There is a WebSocket.
    pub(crate) has_websocket: bool,
    /// What is being written to it.
    wire: VecDeque<Frame>,
    pub(crate) is_posting: bool,
    /// The numbers of the next message in each direction.
    accepted: u32,
    delivered: u32,
    uttered: u32,
    heard: u32,
    /// All packets that the client has, but for messages.
    got: Vec<Packet>,
    orders: Vec<SessionOrder>,
    pub(crate) ending: Option<SessionEnding>,
    pub(crate) upgraded: bool,
}

/// How far a GET has come.
#[derive(Debug, PartialEq, Eq)]
enum Get {
    Waiting,
    /// What the client will have when the answer is written.
    Answering(Vec<Packet>),
}

impl SessionWorld {
    /// A session that was opened by this transport, and whose handshake is read.
    pub(crate) fn open(
        dialect: &'static dyn Dialect,
        transport: Transport,
        base64: bool,
        options: SessionOptions,
    ) -> Self {
        let mut world = Self::opening(dialect, transport, base64, options);
        world.deliver();
        world
    }

    /// A session whose first request waits for its answer.
    pub(crate) fn opening(
        dialect: &'static dyn Dialect,
        transport: Transport,
        base64: bool,
        options: SessionOptions,
    ) -> Self {
        let (options, now) = (Arc::new(options), Timestamp(Duration::from_secs(1000)));
        let sid = "OZ__L5bHSyWuRkPBAAAC".to_owned();
        let session = Session::open(sid, dialect, transport, base64, &options, now);
        let mut world = Self {
            session,
            now,
            options,
            dialect,
            get: None,
            has_websocket: transport == Transport::WebSocket,
            wire: VecDeque::new(),
            is_posting: false,
            accepted: 0,
            delivered: 0,
            uttered: 0,
            heard: 0,
            got: Vec::new(),
            orders: Vec::new(),
            ending: None,
            upgraded: false,
        };
        match transport {
            Transport::Polling => world.answer(),
            Transport::WebSocket => world.take_frames(),
        }
        world.check();
        world
    }

    /// The client asks for what there is.
    pub(crate) fn get(&mut self) -> PollFate {
        let fate = self.session.poll(self.now, &mut self.orders);
        match fate {
            PollFate::Wait => self.set_waiting(),
            PollFate::Answer => self.answer(),
            PollFate::Refuse => {}
        }
        self.obey();
        fate
    }

    /// The connection of the GET breaks.
    pub(crate) fn lose_get(&mut self) {
        if self.get.take().is_some() {
            self.session.poll_lost(None, &mut self.orders);
            self.obey();
        }
    }

    /// All that is being written is.
    pub(crate) fn deliver(&mut self) {
        if let Some(Get::Answering(packets)) = self.get.take_if(|get| *get != Get::Waiting) {
            for packet in packets {
                self.reach_client(packet);
            }
            self.session.written(Transport::Polling, self.now, &mut self.orders);
        }
        while let Some(frame) = self.wire.pop_front() {
            self.reach_client_by_websocket(frame);
        }
        if self.has_websocket {
            self.session.written(Transport::WebSocket, self.now, &mut self.orders);
        }
        self.obey();
    }

    /// A frame of what is being written is, or some bytes of an answer.
    pub(crate) fn progress(&mut self) {
        if let Some(frame) = self.wire.pop_front() {
            self.reach_client_by_websocket(frame);
        }
        if self.wire.is_empty() && self.has_websocket {
            self.session.written(Transport::WebSocket, self.now, &mut self.orders);
        } else {
            self.session.progressed(self.now);
        }
        self.obey();
    }

    pub(crate) fn begin_post(&mut self) -> bool {
        let is_taken = self.session.begin_post(&mut self.orders);
        self.is_posting |= is_taken;
        self.obey();
        is_taken
    }

    pub(crate) fn end_post(&mut self) {
        if std::mem::take(&mut self.is_posting) {
            self.session.end_post();
        }
        self.obey();
    }

    pub(crate) fn lose_post(&mut self) {
        if std::mem::take(&mut self.is_posting) {
            self.session.post_lost(None, &mut self.orders);
        }
        self.obey();
    }

    /// The client posts a packet.
    pub(crate) fn post(&mut self, packet: Packet) -> bool {
        let is_taken = self.begin_post();
        if is_taken {
            self.say(Transport::Polling, packet);
            self.end_post();
        }
        is_taken
    }

    pub(crate) fn begin_upgrade(&mut self) -> Result<(), UpgradeRefusal> {
        let result = self.session.begin_upgrade(self.dialect, false, self.now);
        if result.is_ok() {
            assert!(!self.has_websocket, "a second WebSocket");
            self.has_websocket = true;
        }
        self.obey();
        result
    }

    /// A packet comes from the client, if there is the way.
    pub(crate) fn say(&mut self, by: Transport, packet: Packet) {
        let is_way = match by {
            Transport::Polling => self.is_posting,
            Transport::WebSocket => self.has_websocket,
        };
        if is_way {
            self.session.received(by, packet, self.now, &mut self.orders);
        }
        self.obey();
    }

    /// The next message comes from the client, if there is the way.
    pub(crate) fn utter(&mut self, by: Transport) {
        let counts = self.heard;
        self.say(by, message(self.uttered));
        // What comes by a WebSocket under test, or after the end, is no message.
        self.uttered = self.uttered.max(self.heard);
        assert!(self.heard - counts <= 1);
    }

    pub(crate) fn garble(&mut self, by: Transport) {
        let is_way = match by {
            Transport::Polling => self.is_posting,
            Transport::WebSocket => self.has_websocket,
        };
        if is_way {
            let error = Error::new(ErrorKind::Protocol, "garbage");
            self.session.malformed(by, error, &mut self.orders);
        }
        self.obey();
    }

    pub(crate) fn lose_websocket(&mut self, cause: Option<Error>) {
        if std::mem::take(&mut self.has_websocket) {
            self.wire.clear();
            self.session.websocket_lost(cause, &mut self.orders);
        }
        self.obey();
    }

    /// The server sends so many messages together.
    pub(crate) fn send(&mut self, count: u32) -> Result<(), NotQueued> {
        let messages: Vec<Packet> = (self.accepted..self.accepted + count).map(message).collect();
        let result = self.session.send(&messages, &mut self.orders);
        if result.is_ok() {
            self.accepted += count;
        }
        self.obey();
        result
    }

    pub(crate) fn close(&mut self) {
        self.session.close(DisconnectReason::ForcedClose, self.now, &mut self.orders);
        self.obey();
    }

    pub(crate) fn end(&mut self) {
        self.session.end(DisconnectReason::ServerShuttingDown, None, &mut self.orders);
        self.obey();
    }

    /// The reader holds still.
    pub(crate) fn hold(&mut self) {
        self.session.hold(self.now);
    }

    pub(crate) fn resume(&mut self) {
        self.session.resume(self.now);
    }

    /// Time passes, with all deadlines in it.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= end) {
            steps += 1;
            assert!(steps < 10_000, "the session keeps on waking up");
            self.now = self.now.max(deadline);
            self.session.expire(self.now, &mut self.orders);
            self.obey();
        }
        self.now = end;
    }

    /// Without any deadline between: the process did not run.
    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// A well-behaved client goes on until there is nothing that it lacks, or the session is over.
    pub(crate) fn drain(&mut self) {
        for _ in 0..1000 {
            self.deliver();
            self.end_post();
            let is_polling = self.session.transport() == Transport::Polling;
            if is_polling && self.get.is_none() && !self.session.is_over() {
                assert_ne!(self.get(), PollFate::Refuse);
                continue;
            }
            if self.session.queued().packets == 0 {
                break;
            }
        }
        self.check();
        if !self.session.is_over() {
            assert_eq!(self.delivered, self.accepted, "what was accepted has to arrive");
        }
    }

    /// How many messages the server has sent, and the client has.
    pub(crate) fn messages(&self) -> (u32, u32) {
        (self.accepted, self.delivered)
    }

    /// Whether a GET has not got its whole answer.
    pub(crate) fn has_get(&self) -> bool {
        self.get.is_some()
    }

    /// Why the session has ended.
    pub(crate) fn reason(&self) -> Option<DisconnectReason> {
        self.ending.as_ref().map(|ending| ending.reason)
    }

    /// What the client got, but for messages, since it was asked the last time.
    pub(crate) fn take_got(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.got)
    }

    fn set_waiting(&mut self) {
        assert_eq!(self.get, None, "two GETs");
        self.get = Some(Get::Waiting);
    }

    /// Does what the orders say, and sees whether they may say so.
    fn obey(&mut self) {
        let mut orders: VecDeque<SessionOrder> = std::mem::take(&mut self.orders).into();
        while let Some(order) = orders.pop_front() {
            assert!(self.ending.is_none(), "{order:?} after the end");
            match order {
                SessionOrder::Message(packet) => {
                    assert_eq!(packet, message(self.heard), "a message of the client's");
                    self.heard += 1;
                }
                SessionOrder::Write => {
                    assert!(self.has_websocket, "nothing to write to");
                    self.take_frames();
                }
                SessionOrder::AnswerPoll => {
                    assert_eq!(self.get.take(), Some(Get::Waiting), "no GET waits");
                    self.answer();
                }
                SessionOrder::Upgraded => {
                    assert!(self.has_websocket && !self.upgraded);
                    self.upgraded = true;
                }
                SessionOrder::CloseWebSocket => {
                    assert!(self.has_websocket, "no WebSocket to close");
                    self.has_websocket = false;
                    self.wire.clear();
                }
                SessionOrder::Over(ending) => self.ending = Some(ending),
            }
        }
        self.check();
    }

    /// What holds between any two inputs.
    fn check(&self) {
        assert_eq!(self.session.is_over(), self.ending.is_some());
        assert_eq!(self.session.deadline().is_none(), self.session.is_over());
        let lacking = self.accepted - self.delivered;
        if let Some(ending) = &self.ending {
            assert!(!self.has_websocket, "a WebSocket is left open");
            assert_ne!(self.get, Some(Get::Waiting), "a GET is left waiting");
            assert!(ending.unsent.packets >= lacking as usize, "{ending:?} of {lacking}");
            assert!(!self.session.has_frames());
            return;
        }
        let queued = self.session.queued();
        assert!(queued.packets >= lacking as usize, "{queued:?} of {lacking}");
        assert!(queued.packets <= self.options.send_packets.max(3));
        let is_websocket = self.session.transport() == Transport::WebSocket;
        assert!(self.has_websocket || !is_websocket);
        assert!(self.wire.is_empty() || self.has_websocket);
        if self.get == Some(Get::Waiting) {
            assert!(!is_websocket, "a GET waits behind an upgrade");
            assert_eq!(queued.packets, 0, "a GET waits though there is something");
        }
        assert!(!self.session.has_frames(), "nobody was told to write");
    }

    fn answer(&mut self) {
        let body = self.session.take_body(self.now);
        let reader = Box::new(Cursor::new(body.bytes));
        let packets = self.dialect.decode_payload(body.binary, reader, MAX);
        self.get = Some(Get::Answering(packets.map(|packet| packet.unwrap()).collect()));
    }

    fn take_frames(&mut self) {
        let mut frames = Vec::new();
        self.session.take_frames(self.now, &mut frames);
        self.wire.extend(frames);
    }

    fn reach_client_by_websocket(&mut self, frame: Frame) {
        let packet = self.dialect.decode_frame(frame).unwrap();
        self.reach_client(packet);
    }

    fn reach_client(&mut self, packet: Packet) {
        if matches!(packet, Packet::Text(_) | Packet::Binary(_)) {
            assert_eq!(packet, message(self.delivered), "in order, each once");
            self.delivered += 1;
        } else {
            self.got.push(packet);
        }
    }
}

/// The message of this number: each third is a binary one.
pub(crate) fn message(number: u32) -> Packet {
    if number % 3 == 2 {
        Packet::Binary(Bytes::copy_from_slice(&number.to_be_bytes()))
    } else {
        Packet::Text(format!("2[\"é\",{number}]").as_str().into())
    }
}

/// Times as servers have them, and room for ten messages.
pub(crate) fn usual_options() -> SessionOptions {
    SessionOptions {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 1_000_000,
        announce_max_payload: true,
        allow_upgrades: true,
        send_bytes: 1_000_000,
        send_packets: 10,
    }
}
