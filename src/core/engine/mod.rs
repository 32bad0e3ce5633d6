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
mod keeping;
mod messages;
#[cfg(any(feature = "polling", test))]
mod pacing;
mod queue;
mod shipment;
mod silence;
mod unconfirmed;
mod upgrade;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;

use self::confirmation::Confirmation;
pub(crate) use self::confirmation::Freight;
use self::heartbeat::{Beat, Heartbeat};
#[cfg(any(feature = "polling", test))]
pub(crate) use self::messages::PollTurn;
pub(crate) use self::messages::{Loss, Notice, SessionState, Work};
#[cfg(any(feature = "polling", test))]
use self::pacing::Pacing;
use self::queue::WriteQueue;
pub(crate) use self::shipment::Shipment;
use self::silence::Traffic;
use self::unconfirmed::Unconfirmed;
use self::upgrade::{Upgrade, UpgradeStep};
use crate::core::delivery::Delivery;
use crate::core::ids::LinkId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::reached::Reached;
use crate::error::{Error, ErrorKind, Stage};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::Dialect;
use crate::proto::handshake::Handshake;
use crate::proto::packet::Packet;

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
    traffic: Traffic,
    upgrade: Upgrade,
    /// How far the attempt to open the link of the upgrade has come.
    upgrade_reached: Reached,
    may_upgrade: bool,
    handshake: Option<Handshake>,
    heartbeat: Option<Heartbeat>,
    queue: WriteQueue,
    /// What the writer has taken and not yet written.
    in_flight: Option<Arc<Shipment>>,
    confirmation: Confirmation,
    unconfirmed: Unconfirmed,
    /// How many batches a writer has taken.
    batches: u64,
    delivery: Delivery,
    /// Nothing is written before the peer confirms some of what was.
    hold: Delivery,
    /// A ping waits for its pong. One pong answers any number of pings.
    pong_due: bool,
    /// A ping of this side's heartbeat is to be written.
    ping_due: bool,
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
    /// The writer lets events accumulate before it asks for work.
    accumulating: bool,
    /// The reader of long-polling is inside a request, or entitled to one.
    polling: bool,
}

impl Engine {
    /// A session that is to be opened by this link. What it keeps unconfirmed counts for no more than so many bytes.
    pub(crate) fn new(
        id: LinkId,
        transport: Transport,
        may_upgrade: bool,
        dialect: &'static dyn Dialect,
        base64: bool,
        unconfirmed: usize,
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
                accumulating: false,
                polling: transport == Transport::Polling,
            },
            traffic: Traffic::default(),
            upgrade: Upgrade::None,
            upgrade_reached: Stage::Dns.into(),
            may_upgrade: may_upgrade && transport == Transport::Polling,
            handshake: None,
            heartbeat: None,
            queue: WriteQueue::default(),
            in_flight: None,
            confirmation: Confirmation::default(),
            unconfirmed: Unconfirmed::new(unconfirmed),
            batches: 0,
            delivery: Delivery::default(),
            hold: Delivery::default(),
            pong_due: false,
            ping_due: false,
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
            self.reached.stage = Stage::Engine;
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
    pub(crate) fn note_reached(&mut self, link: LinkId, reached: Reached) {
        if self.main.id == link && reached.stage >= self.reached.stage {
            self.reached = reached;
        } else if self.upgrade.link() == Some(link) {
            self.upgrade_reached = reached;
        }
    }

    /// How far the attempt to open the link of the upgrade has come.
    pub(crate) fn upgrade_so_far(&self) -> &Reached {
        &self.upgrade_reached
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
        self.queue.load() + self.in_flight_load()
    }

    fn in_flight_load(&self) -> Load {
        self.in_flight.as_ref().map(|shipment| shipment.load()).unwrap_or_default()
    }

    /// Whether a message that is sent now goes out at once.
    pub(crate) fn is_writable(&self) -> bool {
        self.state == SessionState::Open
            && self.queue.is_empty()
            && !self.main.writing
            && !self.is_leaving_main()
            && !self.is_held()
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

    /// Whether that has passed.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
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
            self.traffic.note_heard(&packet, now);
            #[cfg(any(feature = "polling", test))]
            self.pacing.received(&packet);
            self.received_on_main(packet, now);
        }
    }

    /// A link ended.
    pub(crate) fn lost(&mut self, link: LinkId, loss: Loss) {
        if self.upgrade.link() == Some(link) {
            let (Loss::Closed(error) | Loss::Failed(error)) = loss;
            self.abandon_upgrade(error);
        } else if self.main.id == link && self.state != SessionState::Closed {
            let (reason, error) = match loss {
                Loss::Closed(error) => (DisconnectReason::TransportClose, error),
                Loss::Failed(error) => (DisconnectReason::TransportError, error),
            };
            self.end(reason, Some(error));
        }
    }

    /// The reader of long-polling asks whether to send the next request.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn request_poll(&mut self, link: LinkId, now: Timestamp) -> PollTurn {
        if self.main.id != link {
            return PollTurn::Wait;
        }
        let moves = self.upgrade.link().is_some();
        self.main.polling = !self.upgrade.ends_polling() && self.pacing.request(now, moves);
        self.move_over();
        if self.main.polling { PollTurn::Now } else { PollTurn::Wait }
    }

    /// Until when the reader of long-polling rests before it polls again: then it is to be woken.
    #[cfg(any(feature = "polling", test))]
    pub(crate) fn rests_until(&self) -> Option<Timestamp> {
        self.pacing.rests_until().filter(|_| !self.upgrade.ends_polling())
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
                self.hold.end();
                if !self.upgrade.ends_polling() {
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
                let error = error.map(Error::of_session);
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
        let is_attempt = self.state == SessionState::Opening;
        let error = error.map(|error| {
            if is_attempt { error.of_attempt(self.reached.stage) } else { error.of_session() }
        });
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
            Beat::Lost => {
                let error = self.silent(now);
                self.end(DisconnectReason::PingTimeout, Some(error));
            }
            Beat::Ping => {
                self.ping_due = true;
                self.wake_writer();
            }
        }
    }

    fn say_goodbye(&mut self) {
        // A WebSocket ends by a close frame. Only long-polling has a close packet.
        if self.main.transport == Transport::Polling {
            self.queue.push_close();
        }
        self.wake_writer();
    }
}
