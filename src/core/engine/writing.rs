//! What goes out by a session: what is queued, what a writer takes, and what the peer has dealt with.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;

use super::Engine;
use super::confirmation::{Confirmation, Freight};
use super::messages::{Notice, SessionState, Work};
use super::shipment::Parcel;
use crate::core::ids::LinkId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::Waiting;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::packet::{Packet, Probe};
use crate::proto::socket_packet::{Header, Kind};

impl Engine {
    /// Whether the server takes messages of this size: it closes the connection of a client that
    /// sends a larger one.
    pub(crate) fn check_size(&self, packets: &VecDeque<Packet>, of: Header<'_>) -> Result<()> {
        let limit = self.handshake.as_ref().and_then(|handshake| handshake.max_payload);
        let largest = packets.iter().map(|packet| self.size_on_the_way(packet)).max().unwrap_or(0);
        match limit {
            Some(limit) if largest > limit => Err(too_large(of, largest, limit)),
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

    /// Queues an event or an answer for the writer, who asks for work or is yet to be woken. Its position is the next
    /// one in the order of all that were ever handed to a session.
    pub(crate) fn append(&mut self, namespace: Arc<str>, event: Waiting, position: u64) {
        self.queue.push_event(namespace, event, position);
    }

    /// So many events are about to be queued.
    pub(crate) fn reserve(&mut self, events: usize) {
        self.queue.reserve(events);
    }

    /// The events that are to be written or being written.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Waiting> {
        let in_flight = self.in_flight.iter().flat_map(|shipment| &shipment.parcels);
        self.queue.events().chain(in_flight.filter_map(Parcel::event))
    }

    /// The events that no writer has taken and that ask for an acknowledgement, but for those that this gave
    /// before; each with its position.
    pub(crate) fn note_awaited(&mut self) -> impl Iterator<Item = (u64, &mut Waiting)> {
        self.queue.note_awaited()
    }

    /// Takes out the events that no writer has taken.
    pub(crate) fn take_untaken(&mut self) -> Vec<Waiting> {
        self.queue.take_events()
    }

    /// Whether the writer of this link, which asks for work, takes events.
    pub(crate) fn wants_batch(&self, link: LinkId) -> bool {
        self.main.id == link
            && !self.main.writing
            && !self.is_leaving_main()
            && self.takes_events()
            && !self.is_held()
    }

    /// The writer of a link lets events accumulate, if there is nothing else to write.
    pub(crate) fn accumulate(&mut self, link: LinkId) -> bool {
        let has_heartbeat = self.pong_due || self.ping_due;
        self.main.accumulating = self.wants_batch(link) && self.queue.is_empty() && !has_heartbeat;
        self.main.accumulating
    }

    /// Whether the writer lets events accumulate.
    pub(crate) fn is_accumulating(&self) -> bool {
        self.main.accumulating
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

    /// The writer of a link asks for work.
    pub(crate) fn take(&mut self, link: LinkId, now: Timestamp) -> Work {
        if self.upgrade.link() == Some(link) {
            return self.upgrade.take();
        }
        if self.main.id != link || self.state == SessionState::Closed {
            return Work::Stop;
        }
        self.main.accumulating = false;
        if self.main.writing || self.is_leaving_main() || !self.may_write() {
            return Work::Wait;
        }
        let answers_heartbeat = take(&mut self.pong_due);
        if answers_heartbeat {
            self.queue.push_front(Packet::Pong(Probe::Heartbeat));
        }
        if take(&mut self.ping_due) {
            self.queue.push_front(Packet::Ping(Probe::Heartbeat));
            self.unconfirmed.note_heartbeat();
        }
        if self.confirmation.is_complete() {
            self.queue.open();
        }
        let taken = if self.is_held() { self.queue.take_heartbeats() } else { self.queue.take() };
        let Some(segment) = taken else { return self.nothing_to_write(now) };
        self.main.writing = true;
        self.traffic.note_spoke(now);
        self.batches += 1;
        self.delivery.begin(now);
        self.confirmation.note_written(segment.freight);
        let shipment = Arc::new(self.ship(segment, answers_heartbeat));
        self.in_flight = Some(Arc::clone(&shipment));
        Work::Write(shipment)
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
        let written = self.in_flight.take();
        if written.as_ref().is_some_and(|shipment| shipment.load != Load::default()) {
            self.notices.push_back(Notice::Room);
        }
        if self.main.transport == Transport::Polling {
            // The request is answered.
            self.note_confirmation(Confirmation::complete);
        } else if let Some(shipment) = written {
            self.keep(&shipment);
        }
        self.move_over();
    }

    /// The peer will not be known to have dealt with what was written, and the session has no more time:
    /// it ends without what waits for that, which would cost the events before it.
    pub(crate) fn unconfirmed(&mut self) {
        self.confirmation.complete();
        self.queue.withdraw_barriers();
        self.wake_writer();
    }

    pub(super) fn may_write(&self) -> bool {
        match self.state {
            SessionState::Open => true,
            SessionState::Closing => self.handshake.is_some(),
            SessionState::Opening | SessionState::Closed => false,
        }
    }

    pub(super) fn note_confirmation(&mut self, note: impl FnOnce(&mut Confirmation)) {
        let was_parting = self.is_parting();
        note(&mut self.confirmation);
        if was_parting && !self.is_parting() {
            self.notices.push_back(Notice::Parted);
        }
    }

    pub(super) fn nothing_to_write(&mut self, now: Timestamp) -> Work {
        let is_closing = self.state == SessionState::Closing;
        let is_held_up = self.queue.has_barrier();
        let wants_confirmation = is_held_up || (self.confirmation.lacks_farewell() && !is_closing);
        // Of what was written before the first answer came there may be too much, of which nobody has asked yet.
        let is_full = self.is_held() && !self.unconfirmed.is_asked();
        if (wants_confirmation && self.confirmation.ask()) || is_full {
            self.unconfirmed.note_asked();
            self.main.writing = true;
            self.delivery.begin(now);
            return Work::Confirm;
        }
        if self.is_held() && !self.hold.is_under_way() {
            self.hold.begin(now);
        }
        self.unconfirmed.rest();
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

    /// There is something for the writer to ask for.
    pub(crate) fn wake_writer(&mut self) {
        if !self.main.writing && !self.is_leaving_main() {
            self.main.accumulating = false;
            self.notices.push_back(Notice::Wake(self.main.id));
        }
    }

    /// What a packet counts for the server, in bytes.
    pub(super) fn size_on_the_way(&self, packet: &Packet) -> usize {
        match self.main.transport {
            Transport::WebSocket => self.dialect.frame_len(packet, self.base64),
            Transport::Polling => self.dialect.body_len(packet),
        }
    }
}

#[cold]
fn too_large(of: Header<'_>, bytes: usize, limit: usize) -> Error {
    // Without its query, in which old servers look for credentials.
    let namespace = of.namespace.split('?').next().unwrap_or_default();
    let (what, hint) = match of.kind {
        Kind::Connect => {
            ("a CONNECT", "the credentials (`auth`) travel in it: are they meant to be so long?")
        }
        Kind::Ack => ("an answer", "send less, or let the server take more"),
        _ => ("a message", "send less, or let the server take more"),
    };
    let what = format!(
        "{what} of {bytes} bytes for {namespace:?}; the server takes {limit} (its \
         maxHttpBufferSize)"
    );
    Error::new(ErrorKind::TooLarge, what).with_hint(hint)
}
