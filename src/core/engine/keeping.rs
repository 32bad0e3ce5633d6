//! The session's part in keeping what it has written until the peer is known to have read it.

use super::confirmation::Confirmation;
use super::queue::Segment;
use super::shipment::Shipment;
use super::{Engine, Notice, SessionState};
use crate::core::ids::LinkId;
use crate::event::undelivered::UndeliveredEvent;
use crate::options::Transport;

impl Engine {
    /// Whether no event is written before the peer confirms some of those that were.
    pub(crate) fn is_held(&self) -> bool {
        // A session that is being closed writes what it has.
        self.state == SessionState::Open && self.unconfirmed.is_full()
    }

    /// Whether the writer knows of that, and is woken when it is over.
    pub(crate) fn is_holding(&self) -> bool {
        self.hold.is_under_way()
    }

    /// Whether the event of this position is with a writer, or was: else no answer to it is one.
    pub(crate) fn may_be_read(&self, position: u64) -> bool {
        self.unconfirmed.is_given(position)
    }

    /// The peer answers behind what it has read, up to this position.
    pub(crate) fn has_read(&mut self, position: u64) {
        self.unconfirmed.confirm(position);
        self.end_hold();
    }

    /// The pong has come for the last ping of the WebSocket.
    pub(crate) fn confirmed(&mut self, link: LinkId) {
        if self.main.id == link {
            self.unconfirmed.note_pong();
            self.hold.end();
            self.stop_confirming(link);
        }
    }

    /// The answer to [`Work::Confirm`](super::Work::Confirm) has come, or is not waited for any longer.
    pub(crate) fn stop_confirming(&mut self, link: LinkId) {
        if self.main.id == link {
            self.note_confirmation(Confirmation::note_answer);
            self.wake_writer();
        }
    }

    /// Takes out the events that a writer has taken and of which nobody knows whether the peer has them.
    pub(crate) fn take_unconfirmed(&mut self) -> Vec<UndeliveredEvent> {
        let in_flight = self.in_flight.take();
        self.unconfirmed.take_events(in_flight.as_deref())
    }

    /// What the writer is given to write.
    pub(super) fn ship(&mut self, segment: Segment, answers_heartbeat: bool) -> Shipment {
        let Segment { parcels, load, events, last, plain, .. } = segment;
        self.unconfirmed.note_given(last);
        let asks = self.main.transport == Transport::WebSocket
            && self.unconfirmed.give(plain, answers_heartbeat);
        Shipment { parcels, load, events, last, plain, asks }
    }

    /// What the writer was given is written.
    pub(super) fn keep(&mut self, shipment: &Shipment) {
        let let_go = self.unconfirmed.keep(shipment);
        if let_go > 0 {
            self.notices.push_back(Notice::LetGo(let_go));
        }
    }

    /// The peer may have confirmed something for which writing was held.
    pub(super) fn end_hold(&mut self) {
        if self.hold.is_under_way() {
            self.hold.end();
            self.wake_writer();
        }
    }
}
