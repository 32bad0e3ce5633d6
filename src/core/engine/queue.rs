//! What waits to be written, and the barriers in it: what stands behind one is not written before the
//! peer is known to have dealt with all that was written before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::confirmation::Freight;
use super::shipment::Parcel;
use crate::core::load::Load;
use crate::core::waiting::Waiting;
use crate::proto::packet::Packet;

/// What waits to be written, in the order in which it was sent.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    front: Segment,
    /// Each stands behind a barrier.
    behind: VecDeque<Segment>,
    load: Load,
    /// How many of them have a farewell in them.
    farewells: usize,
    /// The position of the event that was appended last.
    last: u64,
    /// How many of the events at the back ask for an acknowledgement that nobody waits for yet.
    unawaited: usize,
}

/// What is written together.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) parcels: VecDeque<Parcel>,
    /// Of the messages alone.
    pub(super) load: Load,
    /// How many of them are events and answers, and their bytes.
    pub(super) events: Load,
    /// The position of the last of these.
    pub(super) last: u64,
    /// Those among them of which nobody else keeps track.
    pub(super) plain: Load,
    pub(super) freight: Freight,
    /// There is nothing but farewells in it, and it stands, or stood, behind a barrier.
    is_farewell: bool,
}

impl WriteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.front.parcels.is_empty() && self.behind.is_empty()
    }

    /// How much waits, in messages.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// Whether a barrier holds something up, or the end of the session.
    pub(super) fn has_barrier(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether events are to be written.
    pub(super) fn has_events(&self) -> bool {
        let mut segments = self.behind.iter().chain([&self.front]);
        segments.any(|segment| segment.freight != Freight::Nothing && !segment.is_farewell)
    }

    /// Whether a farewell is to be written.
    pub(super) fn has_farewell(&self) -> bool {
        self.farewells > 0
    }

    /// Appends messages; a farewell behind a barrier, since servers drop the events that they read
    /// together with one. Several farewells need none between them.
    pub(super) fn push(&mut self, messages: &mut VecDeque<Packet>, freight: Freight) {
        if freight.has_farewell() && !self.back().is_farewell {
            self.behind.push_back(Segment::default());
        }
        while let Some(message) = messages.pop_front() {
            self.append(Parcel::Packet(message));
        }
        self.note(freight);
    }

    /// Makes room for so many messages.
    pub(super) fn reserve(&mut self, messages: usize) {
        self.back().parcels.reserve(messages);
    }

    /// Appends an event, whose position is the next one.
    pub(super) fn push_event(&mut self, namespace: Arc<str>, event: Waiting, position: u64) {
        self.unawaited += usize::from(event.ack().is_some());
        let is_plain = event.plain().is_some();
        let bytes = self.append(Parcel::Event(namespace, event)).bytes;
        let back = self.back();
        back.events = back.events + Load { packets: 1, bytes };
        back.last = position;
        if is_plain {
            back.plain = back.plain + Load { packets: 1, bytes };
        }
        self.last = position;
        self.note(Freight::Events);
    }

    fn append(&mut self, parcel: Parcel) -> Load {
        let load = parcel.load();
        self.load = self.load + load;
        let back = self.back();
        back.load = back.load + load;
        back.parcels.push_back(parcel);
        load
    }

    /// What was appended last is this.
    fn note(&mut self, freight: Freight) {
        let back = self.back();
        let has_another = !back.freight.has_farewell() && freight.has_farewell();
        back.is_farewell = freight.has_farewell();
        back.freight = back.freight.max(freight);
        self.farewells += usize::from(has_another);
    }

    /// Appends the packet that closes the session, behind a barrier: servers act upon it before they
    /// act upon events and farewells that they read together with it. They do so with no close frame.
    pub(super) fn push_close(&mut self) {
        let parcels = VecDeque::from([Parcel::Packet(Packet::Close)]);
        self.behind.push_back(Segment { parcels, ..Segment::default() });
    }

    /// Takes back the packet that closes the session, which nothing follows.
    pub(super) fn withdraw_close(&mut self) {
        let close = Parcel::Packet(Packet::Close);
        if self.behind.back().is_some_and(|segment| segment.parcels.back() == Some(&close)) {
            self.behind.pop_back();
        }
    }

    /// Takes back all that stands behind a barrier.
    pub(super) fn withdraw_barriers(&mut self) {
        for segment in std::mem::take(&mut self.behind) {
            self.farewells -= usize::from(segment.freight.has_farewell());
            self.load = self.load - segment.load;
        }
    }

    /// Puts in front of everything what no barrier holds up.
    pub(super) fn push_front(&mut self, heartbeat: Packet) {
        self.front.parcels.push_front(Parcel::Packet(heartbeat));
    }

    /// Takes all that stands before the first barrier; `None`: there is nothing.
    pub(super) fn take(&mut self) -> Option<Segment> {
        if self.front.parcels.is_empty() {
            return None;
        }
        let segment = std::mem::take(&mut self.front);
        self.farewells -= usize::from(segment.freight.has_farewell());
        self.load.packets -= segment.load.packets;
        self.load.bytes -= segment.load.bytes;
        Some(segment)
    }

    /// Takes the heartbeats that were put in front; `None`: there are none.
    pub(super) fn take_heartbeats(&mut self) -> Option<Segment> {
        let mut parcels = VecDeque::new();
        let waiting = &mut self.front.parcels;
        while let Some(Parcel::Packet(Packet::Ping(_) | Packet::Pong(_))) = waiting.front() {
            parcels.extend(waiting.pop_front());
        }
        (!parcels.is_empty()).then(|| Segment { parcels, ..Segment::default() })
    }

    /// Opens the barriers that nothing stands before.
    pub(super) fn open(&mut self) {
        while self.front.parcels.is_empty() {
            let Some(segment) = self.behind.pop_front() else { return };
            self.front = segment;
        }
    }

    /// The events, in their order.
    pub(super) fn events(&self) -> impl Iterator<Item = &Waiting> {
        let segments = [&self.front].into_iter().chain(&self.behind);
        segments.flat_map(|segment| &segment.parcels).filter_map(Parcel::event)
    }

    /// The events that ask for an acknowledgement, and that were appended since this was asked last; in their
    /// order, each with its position. Nothing else is looked at: a queue may be long, and this is asked for each packet.
    pub(super) fn note_awaited(&mut self) -> impl Iterator<Item = (u64, &mut Waiting)> {
        let positions = (0..=self.last).rev();
        let segments = [&mut self.front].into_iter().chain(&mut self.behind).rev();
        let newest = segments.flat_map(|segment| segment.parcels.iter_mut().rev());
        let events = positions.zip(newest.filter_map(Parcel::event_mut));
        let asking = events.filter(|(_, event)| event.ack().is_some());
        let events: Vec<_> = asking.take(std::mem::take(&mut self.unawaited)).collect();
        events.into_iter().rev()
    }

    /// Takes out the events.
    pub(super) fn take_events(&mut self) -> Vec<Waiting> {
        let mut taken = Vec::new();
        self.unawaited = 0;
        for segment in [&mut self.front].into_iter().chain(&mut self.behind) {
            for parcel in std::mem::take(&mut segment.parcels) {
                let load = parcel.load();
                match parcel {
                    Parcel::Packet(_) => segment.parcels.push_back(parcel),
                    Parcel::Event(_, event) => {
                        segment.load = segment.load - load;
                        self.load = self.load - load;
                        taken.push(event);
                    }
                }
            }
            (segment.events, segment.plain) = (Load::default(), Load::default());
            if segment.freight == Freight::Events {
                segment.freight = Freight::Nothing;
            }
        }
        taken
    }

    fn back(&mut self) -> &mut Segment {
        self.behind.back_mut().unwrap_or(&mut self.front)
    }
}
