//! The events that are kept for those who may have missed them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::core::load::Load;
use crate::core::server::rooms::Selection;
use crate::core::time::Timestamp;
use crate::proto::packet::Packet;

/// The place of an event in the order of those of its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventOffset(pub(super) u64);

/// What an event counts beside its messages and the names of rooms, in bytes.
const OVERHEAD: usize = 128;

/// Events in their order, the oldest first.
#[derive(Debug, Default)]
pub(super) struct KeptEvents {
    events: VecDeque<KeptEvent>,
    bytes: usize,
    /// The last one that is not here any more. Those before it are not either.
    gone: EventOffset,
}

#[derive(Debug)]
struct KeptEvent {
    offset: EventOffset,
    at: Timestamp,
    selection: Selection,
    messages: Arc<[Packet]>,
}

impl KeptEvents {
    /// Keeps an event, and gives up the oldest ones that do not fit into so many bytes with it.
    pub(super) fn keep(
        &mut self,
        offset: EventOffset,
        selection: &Selection,
        messages: &Arc<[Packet]>,
        now: Timestamp,
        most: usize,
    ) {
        let (selection, messages) = (selection.clone(), Arc::clone(messages));
        let event = KeptEvent { offset, at: now, selection, messages };
        self.bytes += event.bytes();
        self.events.push_back(event);
        while self.bytes > most && self.drop_first() {}
    }

    /// Gives up those that are older than that.
    pub(super) fn expire(&mut self, now: Timestamp, retention: Duration) {
        while self.events.front().is_some_and(|event| event.at + retention <= now) {
            self.drop_first();
        }
    }

    /// Gives up all, and what was not kept up to this one.
    pub(super) fn give_up(&mut self, last: EventOffset) {
        *self = Self { gone: last, ..Self::default() };
    }

    /// Who has everything up to this one, or up to a later one, can be told all that is missing.
    pub(super) fn gone(&self) -> EventOffset {
        self.gone
    }

    /// When the newest one came.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.events.back().map(|event| event.at)
    }

    pub(super) fn load(&self) -> Load {
        Load { packets: self.events.len(), bytes: self.bytes }
    }

    /// The events behind this one that were for somebody in these rooms, and what they count where messages
    /// wait.
    pub(super) fn missed(
        &self,
        since: EventOffset,
        rooms: &[Arc<str>],
    ) -> (Vec<Arc<[Packet]>>, Load) {
        let first = self.events.partition_point(|event| event.offset <= since);
        let events = self.events.range(first..).filter(|event| event.is_for(rooms));
        let missed: Vec<_> = events.map(|event| Arc::clone(&event.messages)).collect();
        let packets = missed.iter().flat_map(|messages| messages.iter());
        let load = packets
            .fold(Load::default(), |sum, packet| sum + Load { packets: 1, bytes: packet.size() });
        (missed, load)
    }

    fn drop_first(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        self.bytes -= event.bytes();
        self.gone = event.offset;
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        true
    }
}

impl KeptEvent {
    fn bytes(&self) -> usize {
        let names = self.selection.rooms.iter().chain(&self.selection.except);
        let names: usize = names.map(|name| name.len() + size_of::<Arc<str>>()).sum();
        let messages = self.messages.iter().map(|packet| packet.size() + size_of::<Packet>());
        OVERHEAD + names + messages.sum::<usize>()
    }

    fn is_for(&self, rooms: &[Arc<str>]) -> bool {
        let names = |selected: &[Arc<str>]| selected.iter().any(|name| rooms.contains(name));
        let Selection { rooms: wanted, except } = &self.selection;
        (wanted.is_empty() || names(wanted)) && !names(except)
    }
}
