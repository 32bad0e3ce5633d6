//! What was written by WebSocket, and may yet lie somewhere on the way: it is kept until the peer is known to have read
//! it.
//!
//! A peer reads in order. So it has read all that was written before something that it answers: before an event that
//! it acknowledges, before a ping of this side's heartbeat, and before a ping of the WebSocket, which is sent for this
//! alone where the others do not come soon enough. Not every peer answers such a ping. One that has done so once is
//! waited for when too much is unconfirmed; of one that never did, the oldest is let go.
//!
//! Texts are copied, into a few large buffers. To keep the strings of the emits cost as much as to write them: they
//! were freed much later, by another thread than had allocated them, and new ones were no longer in the processor's
//! cache.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;

use bytes::Bytes;

use super::shipment::Shipment;
use crate::core::load::Load;
use crate::event::undelivered::UndeliveredEvent;
use crate::payload::Payload;

/// What is written by itself shares a buffer with what was before, up to this many bytes.
const SHARED: usize = 16 * 1024;

/// A buffer that is larger than this, for one large event, is not used again.
const LARGE: usize = 256 * 1024;

/// What an event counts beside its text and its attachments, in bytes.
const OVERHEAD: usize = size_of::<UnconfirmedEvent>();

/// What was written and is unconfirmed, in the order in which it was written.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    chunks: VecDeque<Chunk>,
    /// Empty ones, to be used again until the writer rests: in a burst the system would be asked for memory again and
    /// again.
    spare: Vec<Chunk>,
    /// What they count for, in bytes.
    bytes: usize,
    /// The most of that. 0: nothing is kept, and nothing asked.
    most: usize,
    /// The position of the last event that the writer was given.
    given: u64,
    /// The peer has read all up to this position.
    confirmed: u64,
    /// Up to where it has when the pong comes for the last ping of the WebSocket.
    asked: Option<u64>,
    /// Up to where it has when it answers the heartbeat of this side.
    heartbeat: u64,
    /// The peer has answered a ping of the WebSocket.
    answers: bool,
}

/// Some of the events, with all their texts in one.
#[derive(Debug, Default)]
struct Chunk {
    events: Vec<UnconfirmedEvent>,
    text: String,
    attachments: Vec<Bytes>,
    /// Those of their namespaces, each once where it does not change.
    names: Vec<Arc<str>>,
    /// What they count for.
    bytes: usize,
}

/// An event, and where what it is made of ends.
#[derive(Clone, Copy, Debug)]
struct UnconfirmedEvent {
    position: u64,
    /// Its place in the order in which the events of all namespaces came.
    order: u64,
    text: usize,
    attachments: u32,
    names: u32,
}

impl Unconfirmed {
    /// Nothing yet, and never more than this, but for the last that was written at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            spare: Vec::new(),
            bytes: 0,
            most,
            given: 0,
            confirmed: 0,
            asked: None,
            heartbeat: 0,
            answers: false,
        }
    }

    /// The writer is given events up to this position.
    pub(super) fn note_given(&mut self, last: u64) {
        self.given = self.given.max(last);
    }

    /// Whether the writer was given the event of this position: else nobody can have read it.
    pub(super) fn is_given(&self, position: u64) -> bool {
        position <= self.given
    }

    /// Among what the writer is given are events of so many bytes that are to be kept. `true`: a ping of the WebSocket
    /// is to be written behind them, since half of what may be is unconfirmed, or (with `at_once`) anything.
    pub(super) fn give(&mut self, plain: Load, at_once: bool) -> bool {
        let bytes = self.bytes + plain.bytes + plain.packets * OVERHEAD;
        let is_much = bytes >= self.most / 2 || at_once;
        let asks = self.most > 0 && self.asked.is_none() && bytes > 0 && is_much;
        if asks {
            self.note_asked();
        }
        asks
    }

    /// A ping of the WebSocket is written behind all that the writer was given.
    pub(super) fn note_asked(&mut self) {
        self.asked = Some(self.given);
    }

    /// A ping of this side's heartbeat is written behind all that the writer was given.
    pub(super) fn note_heartbeat(&mut self) {
        self.heartbeat = self.given;
    }

    /// Whether there is no answer yet to the last ping of the WebSocket.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether nothing more is to be written before the peer confirms some of it.
    pub(super) fn is_full(&self) -> bool {
        self.answers && self.bytes >= self.most && self.bytes > 0
    }

    /// How many events they are, and what these count for.
    pub(super) fn load(&self) -> Load {
        let packets = self.chunks.iter().map(|chunk| chunk.events.len()).sum();
        Load { packets, bytes: self.bytes }
    }

    /// What the writer was given last is written. Gives how many events were let go for it.
    pub(super) fn keep(&mut self, shipment: &Shipment) -> usize {
        if self.most == 0 || shipment.plain.packets == 0 || shipment.last <= self.confirmed {
            return 0;
        }
        let answered = self.asked.unwrap_or_default().max(self.heartbeat);
        let newest = self.chunks.back();
        if !newest.is_some_and(|chunk| chunk.takes(shipment, self.most, answered)) {
            self.chunks.push_back(self.spare.pop().unwrap_or_default());
        }
        self.bytes += self.chunks.back_mut().map_or(0, |chunk| chunk.add(shipment, self.confirmed));
        let mut let_go = 0;
        while self.bytes > self.most && !self.answers {
            let_go += self.chunks.front().map_or(0, |oldest| oldest.count_behind(self.confirmed));
            self.free_oldest();
        }
        let_go
    }

    /// The writer has nothing to write: memory is given back that nothing is in.
    pub(super) fn rest(&mut self) {
        if self.chunks.is_empty() {
            (self.chunks, self.spare) = (VecDeque::new(), Vec::new());
        }
    }

    /// The pong to the last ping of the WebSocket has come.
    pub(super) fn note_pong(&mut self) {
        self.answers = true;
        if let Some(position) = self.asked.take() {
            self.confirm(position);
        }
    }

    /// The answer to the last heartbeat of this side has come.
    pub(super) fn note_heartbeat_answer(&mut self) {
        self.confirm(self.heartbeat);
    }

    /// The peer has read all up to this position.
    pub(super) fn confirm(&mut self, position: u64) {
        self.confirmed = self.confirmed.max(position);
        while self.chunks.front().is_some_and(|oldest| oldest.last() <= self.confirmed) {
            self.free_oldest();
        }
    }

    /// Takes out the events, and those of what the writer has yet.
    pub(super) fn take_events(&mut self, in_flight: Option<&Shipment>) -> Vec<UndeliveredEvent> {
        let mut taken = Vec::new();
        self.bytes = 0;
        let mut chunks = take(&mut self.chunks);
        if let Some(shipment) = in_flight {
            let mut chunk = Chunk::default();
            chunk.add(shipment, self.confirmed);
            chunks.push_back(chunk);
        }
        for chunk in chunks {
            chunk.give_back(self.confirmed, &mut taken);
        }
        taken
    }

    fn free_oldest(&mut self) {
        let Some(mut oldest) = self.chunks.pop_front() else { return };
        self.bytes -= oldest.bytes;
        if oldest.text.capacity() <= LARGE {
            oldest.clear();
            self.spare.push(oldest);
        }
    }
}

impl Chunk {
    /// Empties it, but for its memory.
    fn clear(&mut self) {
        self.events.clear();
        self.text.clear();
        self.attachments.clear();
        self.names.clear();
        self.bytes = 0;
    }

    /// Whether this is to be kept in here as well: not where an answer that is awaited is to this alone.
    fn takes(&self, shipment: &Shipment, most: usize, answered: u64) -> bool {
        let is_small = self.bytes + shipment.plain.bytes <= SHARED.min(most / 8);
        is_small && (self.last() > answered || shipment.last <= answered)
    }

    /// Keeps the events of this behind that position; gives what they count for.
    fn add(&mut self, shipment: &Shipment, position: u64) -> usize {
        let before = self.bytes;
        self.events.reserve(shipment.plain.packets);
        self.text.reserve(shipment.plain.bytes);
        for (position, name, order, payload) in shipment.plain_behind(position) {
            self.text.push_str(&payload.json);
            self.attachments.extend(payload.attachments.iter().cloned());
            if self.names.last().is_none_or(|last| !Arc::ptr_eq(last, name)) {
                self.names.push(Arc::clone(name));
            }
            self.bytes += payload.size() + OVERHEAD;
            let (attachments, names) = (self.attachments.len(), self.names.len());
            self.events.push(UnconfirmedEvent {
                position,
                order,
                text: self.text.len(),
                attachments: u32::try_from(attachments).unwrap_or(u32::MAX),
                names: u32::try_from(names).unwrap_or(u32::MAX),
            });
        }
        self.bytes - before
    }

    /// The position of the last one.
    fn last(&self) -> u64 {
        self.events.last().map_or(0, |event| event.position)
    }

    fn count_behind(&self, position: u64) -> usize {
        self.events.iter().filter(|event| event.position > position).count()
    }

    /// Gives back the events behind this position.
    fn give_back(self, position: u64, taken: &mut Vec<UndeliveredEvent>) {
        let (mut text, mut attachments) = (0, 0);
        for event in &self.events {
            let texts = text..event.text;
            let ours = attachments..event.attachments as usize;
            (text, attachments) = (texts.end, ours.end);
            if event.position <= position {
                continue;
            }
            let payload = Payload {
                json: self.text.get(texts).unwrap_or_default().to_owned(),
                attachments: self.attachments.get(ours).unwrap_or_default().to_vec(),
            };
            let name = self.names.get(event.names as usize - 1).cloned().unwrap_or_default();
            taken.push(UndeliveredEvent::new(name, payload, true, event.order));
        }
    }
}
