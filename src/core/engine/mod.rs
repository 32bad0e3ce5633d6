//! One Engine.IO session: from the first packet on the first transport to the end.
//!
//! ```text
//!             OPEN                    close()              all is written
//!  Opening ─────────────▶ Open ───────────────▶ Closing ──────────────────▶ Closed
//!     │                    │                       │                          ▲
//!     └────────────────────┴── transport lost, heartbeat missed, deadline ────┘
//! ```
//!
//! The session runs on one main link. While it is upgraded there is a second one; see
//! [`upgrade`](self::upgrade).

mod confirmation;
mod delivery;
mod handover;
mod heartbeat;
mod incoming;
mod messages;
#[cfg(any(feature = "polling", test))]
mod pacing;
mod queue;
mod upgrade;

use std::collections::VecDeque;

use self::confirmation::Confirmation;
pub(crate) use self::confirmation::Freight;
use self::delivery::Delivery;
use self::heartbeat::{Beat, Heartbeat};
#[cfg(any(feature = "polling", test))]
pub(crate) use self::messages::PollTurn;
pub(crate) use self::messages::{Loss, Notice, SessionState, Work};
#[cfg(any(feature = "polling", test))]
use self::pacing::Pacing;
use self::queue::WriteQueue;
use self::upgrade::{Upgrade, UpgradeStep};
use crate::core::ids::LinkId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Reached, Result, Stage};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::Dialect;
use crate::proto::handshake::Handshake;
use crate::proto::packet::{Packet, Probe};

/// A session.
#[derive(Debug)]
pub(crate) struct Engine {
    state: SessionState,
    dialect: &'static dyn Dialect,
    /// Binary is sent as base64, by WebSocket too.
    base64: bool,
    /// How far the attempt to connect has come.
    reached: Reached,
    /// The server has answered, and its answer did not tell which revision it speaks.
    doubtful: bool,
    main: MainLink,
    upgrade: Upgrade,
    may_upgrade: bool,
    handshake: Option<Handshake>,
    heartbeat: Option<Heartbeat>,
    queue: WriteQueue,
    in_flight: Load,
    confirmation: Confirmation,
    /// How many batches a writer has taken.
    batches: u64,
    delivery: Delivery,
    /// A ping waits for its pong. One pong answers any number of pings.
    pong_due: bool,
    notices: VecDeque<Notice>,
    #[cfg(any(feature = "polling", test))]
    pacing: Pacing,
}

/// The link that carries the session.
#[derive(Clone, Copy, Debug)]
struct MainLink {
    id: LinkId,
    transport: Transport,
    /// A batch is with the writer.
    writing: bool,
    /// The reader of long-polling is inside a request, or entitled to one.
    polling: bool,
}

impl Engine {
    pub(crate) fn new(
        id: LinkId,
        transport: Transport,
        may_upgrade: bool,
        dialect: &'static dyn Dialect,
        base64: bool,
    ) -> Self {
        Self {
            state: SessionState::Opening,
            dialect,
            base64,
            reached: Stage::Dns.into(),
            doubtful: false,
            main: MainLink {
                id,
                transport,
                writing: false,
                polling: transport == Transport::Polling,
            },
            upgrade: Upgrade::None,
            may_upgrade: may_upgrade && transport == Transport::Polling,
            handshake: None,
            heartbeat: None,
            queue: WriteQueue::default(),
            in_flight: Load::default(),
            confirmation: Confirmation::default(),
            batches: 0,
            delivery: Delivery::default(),
            pong_due: false,
            notices: VecDeque::new(),
            #[cfg(any(feature = "polling", test))]
            pacing: Pacing::default(),
        }
    }

    /// What the session is written in.
    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// The server's first answer did not tell which revision it speaks.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Whether the server may speak another revision than the session is written in: a handshake
    /// without `maxPayload`, as servers before 4.5 send it, does not tell.
    pub(crate) fn may_be_mistaken(&self) -> bool {
        self.handshake.as_ref().is_some_and(|handshake| handshake.max_payload.is_none())
    }

    /// The server's first answer tells what the session is written in.
    pub(crate) fn settle(&mut self, dialect: &'static dyn Dialect) {
        if self.handshake.is_none() {
            self.dialect = dialect;
            self.doubtful = false;
        }
    }

    pub(crate) fn state(&self) -> SessionState {
        self.state
    }

    /// How far the attempt to connect has come.
    pub(crate) fn so_far(&self) -> &Reached {
        &self.reached
    }

    /// Notes how far the attempt to connect has come.
    pub(crate) fn reached(&mut self, link: LinkId, reached: Reached) {
        if self.main.id == link && reached.stage >= self.reached.stage {
            self.reached = reached;
        }
    }

    /// The session's id, once it is open.
    pub(crate) fn sid(&self) -> Option<&str> {
        self.handshake.as_ref().map(|handshake| handshake.sid.as_str())
    }

    pub(crate) fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.main.transport
    }

    pub(crate) fn main_link(&self) -> LinkId {
        self.main.id
    }

    /// Whether the link belongs to this session.
    pub(crate) fn owns(&self, link: LinkId) -> bool {
        self.main.id == link || self.upgrade.link() == Some(link)
    }

    /// What waits to be written, and what is being written.
    pub(crate) fn load(&self) -> Load {
        self.queue.load() + self.in_flight
    }

    /// Whether a message that is sent now goes out at once.
    pub(crate) fn is_writable(&self) -> bool {
        self.state == SessionState::Open
            && self.queue.is_empty()
            && !self.main.writing
            && !self.upgrade.holds_old_link()
    }

    /// When to call [`Engine::expire`].
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            SessionState::Open | SessionState::Closing => {
                let heartbeat = self.heartbeat.as_ref().map(Heartbeat::deadline);
                heartbeat.into_iter().chain(self.delivery_deadline()).min()
            }
            SessionState::Opening | SessionState::Closed => None,
        }
    }

    /// From when on the peer's part in the heartbeat is due.
    pub(crate) fn heartbeat_due(&self) -> Option<Timestamp> {
        self.heartbeat.as_ref().and_then(Heartbeat::due)
    }

    /// Whether the session is on its way to another link.
    pub(crate) fn is_upgrading(&self) -> bool {
        self.upgrade.link().is_some()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The connection of a link is made; a WebSocket can now be written to.
    pub(crate) fn connected(&mut self, link: LinkId) {
        if self.main.id == link {
            self.reached.stage = Stage::Engine;
        }
        if self.upgrade.connected(link) {
            self.notices.push_back(Notice::Wake(link));
        }
    }

    /// Whether the server takes messages of this size: it closes the connection of a client that
    /// sends a larger one.
    pub(crate) fn check_size(&self, packets: &VecDeque<Packet>) -> Result<()> {
        let limit = self.handshake.as_ref().and_then(|handshake| handshake.max_payload);
        let largest = packets.iter().map(|packet| self.size_on_the_way(packet)).max().unwrap_or(0);
        match limit {
            Some(limit) if largest > limit => Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a message of {largest} bytes; the server takes {limit} (its maxHttpBufferSize)"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Queues messages. A farewell is written when the peer has dealt with all that was sent before, and
    /// is then confirmed itself.
    pub(crate) fn send(&mut self, messages: &mut VecDeque<Packet>, freight: Freight) {
        if matches!(self.state, SessionState::Opening | SessionState::Open) {
            self.queue.push(messages, freight);
            self.wake_writer();
        }
        messages.clear();
    }

    /// Queues the messages of events or answers for the writer, who is about to ask for work.
    pub(crate) fn append(&mut self, messages: &mut VecDeque<Packet>) {
        self.queue.push(messages, Freight::Events);
    }

    /// Whether the writer of this link, which asks for work, takes events.
    pub(crate) fn wants_batch(&self, link: LinkId) -> bool {
        self.main.id == link
            && !self.main.writing
            && !self.upgrade.holds_old_link()
            && self.takes_events()
    }

    /// Whether events can be queued, and nothing holds them up there.
    pub(crate) fn takes_events(&self) -> bool {
        self.state == SessionState::Open && !self.queue.has_barrier()
    }

    /// Whether the server takes messages of this many bytes, whatever they are.
    pub(crate) fn takes(&self, size: usize) -> bool {
        let limit = self.handshake.as_ref().and_then(|handshake| handshake.max_payload);
        limit.is_none_or(|limit| size <= limit)
    }

    /// The number of the batch in which what is queued now will be written, at the earliest.
    pub(crate) fn next_batch(&self) -> u64 {
        self.batches + 1
    }

    /// Whether the writer has written the batch of this number.
    pub(crate) fn is_written(&self, batch: u64) -> bool {
        self.batches > batch || (self.batches == batch && !self.main.writing)
    }

    /// How much the writer will take when it asks for work.
    pub(crate) fn queued(&self) -> Load {
        self.queue.load()
    }

    /// Whether the peer may yet have to deal with a farewell.
    pub(crate) fn is_parting(&self) -> bool {
        self.queue.has_farewell() || self.confirmation.lacks_farewell()
    }

    /// Whether the peer may yet have to deal with events that were sent before a farewell.
    pub(crate) fn has_events(&self) -> bool {
        let is_over = self.state == SessionState::Closed;
        let is_written = match self.confirmation.freight() {
            Freight::Nothing => false,
            Freight::Events => true,
            // There may have been events of another namespace behind it.
            Freight::Farewell => self.queue.has_farewell(),
        };
        !is_over && (is_written || self.queue.has_events())
    }

    /// Whether an answer is awaited to [`Work::Confirm`].
    pub(crate) fn is_confirming(&self) -> bool {
        self.confirmation.is_asked()
    }

    /// A packet came in.
    pub(crate) fn received(&mut self, link: LinkId, packet: Packet, now: Timestamp) {
        if self.upgrade.link() == Some(link) {
            match self.upgrade.received(&packet) {
                UpgradeStep::Done => {
                    self.finish_upgrade();
                    // The writer has not yet reported what told the server of the move.
                    self.main.writing = true;
                    self.delivery.begin(now);
                    self.received_on_main(packet, now);
                }
                step => self.step(&step),
            }
        } else if self.main.id == link {
            #[cfg(any(feature = "polling", test))]
            self.pacing.received(&packet);
            self.received_on_main(packet, now);
        }
    }

    /// A link ended.
    pub(crate) fn lost(&mut self, link: LinkId, loss: Loss) {
        if self.upgrade.link() == Some(link) {
            let error = match loss {
                Loss::Closed(words) => Error::new(ErrorKind::Transport, words),
                Loss::Failed(error) => error,
            };
            self.abandon_upgrade(error);
        } else if self.main.id == link && self.state != SessionState::Closed {
            let (reason, error) = match loss {
                Loss::Closed(words) => (
                    DisconnectReason::TransportClose,
                    Error::new(self.failure_kind(ErrorKind::Transport), words),
                ),
                Loss::Failed(error) => (DisconnectReason::TransportError, error),
            };
            self.end(reason, Some(error));
        }
    }

    /// The writer of a link asks for work.
    pub(crate) fn take(&mut self, link: LinkId, now: Timestamp) -> Work {
        if self.upgrade.link() == Some(link) {
            return self.upgrade.take();
        }
        if self.main.id != link || self.state == SessionState::Closed {
            return Work::Stop;
        }
        if self.main.writing || self.upgrade.holds_old_link() || !self.may_write() {
            return Work::Wait;
        }
        if self.pong_due {
            self.pong_due = false;
            self.queue.push_front(Packet::Pong(Probe::Heartbeat));
        }
        if self.confirmation.is_complete() {
            self.queue.open();
        }
        let Some(segment) = self.queue.take() else { return self.nothing_to_write(now) };
        self.main.writing = true;
        self.batches += 1;
        self.delivery.begin(now);
        self.in_flight = segment.load;
        self.confirmation.note_written(segment.freight);
        Work::Write(segment.packets)
    }

    /// The writer of a link has written all that it took.
    pub(crate) fn written(&mut self, link: LinkId) {
        if self.upgrade.link() == Some(link) {
            let step = self.upgrade.written();
            self.step(&step);
            return;
        }
        if self.main.id != link {
            return;
        }
        self.main.writing = false;
        self.delivery.end();
        if self.in_flight != Load::default() {
            self.in_flight = Load::default();
            self.notices.push_back(Notice::Room);
        }
        if self.main.transport == Transport::Polling {
            // The request is answered.
            self.note_confirmation(Confirmation::complete);
        }
        self.move_over();
    }

    /// What was written before [`Work::Confirm`] is dealt with, or that is not waited for any longer.
    pub(crate) fn confirmed(&mut self, link: LinkId) {
        if self.main.id == link {
            self.note_confirmation(Confirmation::note_answer);
            self.wake_writer();
        }
    }

    /// The peer will not be known to have dealt with what was written, and the session has no more time:
    /// it ends without what waits for that, which would cost the events before it.
    pub(crate) fn unconfirmed(&mut self) {
        self.confirmation.complete();
        self.queue.withdraw_barriers();
        self.wake_writer();
    }

    /// The reader of long-polling asks whether to send the next request.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn request_poll(&mut self, link: LinkId, now: Timestamp) -> PollTurn {
        if self.main.id != link {
            return PollTurn::Wait;
        }
        self.main.polling = !self.upgrade.holds_old_link() && self.pacing.request(now);
        self.move_over();
        if self.main.polling { PollTurn::Now } else { PollTurn::Wait }
    }

    /// Until when the reader of long-polling rests, after answers that brought nothing: then it is
    /// to be woken.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn rests_until(&self) -> Option<Timestamp> {
        self.pacing.rests_until()
    }

    /// Closes in good order: first all that is queued is written.
    pub(crate) fn close(&mut self) {
        match self.state {
            SessionState::Closing | SessionState::Closed => {}
            // A WebSocket without a session needs no farewell.
            SessionState::Opening if self.main.transport == Transport::WebSocket => {
                self.end(DisconnectReason::ForcedClose, None);
            }
            // The server may have made the session already: it is closed once its id is known.
            SessionState::Opening => self.state = SessionState::Closing,
            SessionState::Open => {
                self.state = SessionState::Closing;
                if !self.upgrade.holds_old_link() {
                    self.abandon_upgrade(Error::new(ErrorKind::Disconnected, "session closed"));
                }
                self.say_goodbye();
            }
        }
    }

    /// For its owner the session has ended, for this reason. It is closed in good order where the server
    /// knows of it; it has not ended before its state says so.
    pub(crate) fn give_up(&mut self, reason: DisconnectReason, error: Option<Error>) {
        match self.state {
            SessionState::Opening => self.end(reason, error),
            SessionState::Open => {
                self.close();
                self.notices.push_back(Notice::Closed(reason, error));
            }
            SessionState::Closing | SessionState::Closed => {}
        }
    }

    /// Ends at once.
    pub(crate) fn end(&mut self, reason: DisconnectReason, error: Option<Error>) {
        if self.state == SessionState::Closed {
            return;
        }
        self.state = SessionState::Closed;
        if let Some(link) = self.upgrade.take_link() {
            self.notices.push_back(Notice::Stop(link));
        }
        self.notices.push_back(Notice::Stop(self.main.id));
        self.notices.push_back(Notice::Closed(reason, error));
    }

    /// The deadline passed.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.check_heartbeat(now);
        self.check_delivery(now);
    }

    fn check_heartbeat(&mut self, now: Timestamp) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        if heartbeat.deadline() > now {
            return;
        }
        match heartbeat.expire(now) {
            Beat::Lost => self.end(DisconnectReason::PingTimeout, None),
            Beat::Ping => {
                self.queue.push_front(Packet::Ping(Probe::Heartbeat));
                self.wake_writer();
            }
        }
    }

    fn may_write(&self) -> bool {
        match self.state {
            SessionState::Open => true,
            SessionState::Closing => self.handshake.is_some(),
            SessionState::Opening | SessionState::Closed => false,
        }
    }

    fn note_confirmation(&mut self, note: impl FnOnce(&mut Confirmation)) {
        let was_parting = self.is_parting();
        note(&mut self.confirmation);
        if was_parting && !self.is_parting() {
            self.notices.push_back(Notice::Parted);
        }
    }

    fn nothing_to_write(&mut self, now: Timestamp) -> Work {
        let is_closing = self.state == SessionState::Closing;
        let is_held_up = self.queue.has_barrier();
        let wants_confirmation = is_held_up || (self.confirmation.lacks_farewell() && !is_closing);
        if wants_confirmation && self.confirmation.ask() {
            self.main.writing = true;
            self.delivery.begin(now);
            return Work::Confirm;
        }
        if is_held_up || !is_closing {
            return Work::Wait;
        }
        self.state = SessionState::Closed;
        if self.main.transport == Transport::Polling {
            // The close packet is written. The poll under way is cut short: its answer is not needed.
            self.notices.push_back(Notice::Stop(self.main.id));
        }
        self.notices.push_back(Notice::Closed(DisconnectReason::ForcedClose, None));
        Work::Finish
    }

    fn say_goodbye(&mut self) {
        // A WebSocket ends by a close frame. Only long-polling has a close packet.
        if self.main.transport == Transport::Polling {
            self.queue.push_close();
        }
        self.wake_writer();
    }

    /// There is something for the writer to ask for.
    pub(crate) fn wake_writer(&mut self) {
        if !self.main.writing && !self.upgrade.holds_old_link() {
            self.notices.push_back(Notice::Wake(self.main.id));
        }
    }

    /// What a packet counts for the server, in bytes.
    fn size_on_the_way(&self, packet: &Packet) -> usize {
        match self.main.transport {
            Transport::WebSocket => self.dialect.frame_len(packet, self.base64),
            Transport::Polling => self.dialect.body_len(packet),
        }
    }

    fn failure_kind(&self, otherwise: ErrorKind) -> ErrorKind {
        if self.state == SessionState::Opening {
            ErrorKind::Connect(Stage::Engine)
        } else {
            otherwise
        }
    }
}
