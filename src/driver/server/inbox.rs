//! What waits for the handlers of one socket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::leaving::Leaving;
use crate::driver::ack_slot::AckCallback;
use crate::error::Result;
use crate::event::status::DisconnectReason;
use crate::event::{AckReply, Event};
use crate::sync::deliver::Deliver;
use crate::sync::lock::lock;

/// One call of handlers.
pub(super) enum InboxItem {
    /// The socket is connected: always the first.
    Connected,
    Event(Event),
    /// An event that went out, for those who watch that.
    Sent(Event),
    /// An answer, or the error in its place, for a callback.
    Answer(AckCallback, Result<AckReply>),
    /// The socket is disconnected: always the last, but for answers that are lost.
    Disconnected(DisconnectReason, Leaving),
}

/// Who attends to an inbox. `A` is how the program does.
#[derive(Clone, Default)]
pub(super) enum Attendant<A> {
    /// A thread of the pool, which calls handlers.
    #[default]
    Pool,
    /// The program itself.
    Program(A),
    /// Nobody yet: the program has the socket, and may say what it wants of it.
    Nobody,
}

/// How much may wait before the reader holds still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboxBounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// The most that a thread of the pool takes at a time: items, and bytes of them unless it is one.
const BATCH: usize = 32;
const BATCH_BYTES: usize = 16 * 1024;

/// The queue of a socket. Its handlers run one after the other, in this order. `A` is who attends to it for the program,
/// if that ever does.
pub(super) struct Inbox<A = Infallible> {
    waiting: Mutex<InboxState<A>>,
    /// How many items have ever begun to be handled.
    begun: AtomicU64,
}

struct InboxState<A> {
    items: VecDeque<InboxItem>,
    /// How many there are, with those that were taken and are not yet handled.
    count: usize,
    bytes: usize,
    attendant: Attendant<A>,
    /// Its attendant has it, or will.
    is_scheduled: bool,
    /// The reader was told that it is full.
    is_full: bool,
    /// How many items were ever taken.
    taken: u64,
    /// There where somebody watches what goes out.
    sent: Option<Box<SentEvents>>,
}

/// Events that went out, for those who watch that. They hold up nothing: the oldest give way.
#[derive(Default)]
struct SentEvents {
    /// Each with the number of items that were put in before it, and stand in front of it.
    events: VecDeque<(u64, Event)>,
    bytes: usize,
    lost: usize,
}

/// What putting something into it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Put {
    /// Its attendant has to be asked for a turn.
    pub(super) schedule: bool,
    /// It is full: the reader is to hold still.
    pub(super) is_full: bool,
}

/// What is taken out of it.
pub(super) struct Taken {
    pub(super) item: InboxItem,
    /// Half of it is free again, and the reader waits for that.
    pub(super) reopens: bool,
}

/// What callbacks wait for.
pub(super) struct TakenAnswers {
    pub(super) answers: VecDeque<InboxItem>,
    /// As in [`Taken`].
    pub(super) reopens: bool,
}

/// What is taken out of it at a time, and has to be handled: it counts as waiting until then.
#[derive(Default)]
pub(super) struct InboxBatch {
    pub(super) items: VecDeque<InboxItem>,
    count: usize,
    bytes: usize,
}

/// How it stands when what was taken is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandledBatch {
    /// There is more. Otherwise whoever puts something in asks for a turn.
    pub(super) has_more: bool,
    /// Half of it is free again, and the reader waits for that.
    pub(super) reopens: bool,
}

impl<A> Default for Inbox<A> {
    fn default() -> Self {
        let waiting = InboxState {
            items: VecDeque::new(),
            count: 0,
            bytes: 0,
            attendant: Attendant::Pool,
            is_scheduled: false,
            is_full: false,
            taken: 0,
            sent: None,
        };
        Self { waiting: Mutex::new(waiting), begun: AtomicU64::new(0) }
    }
}

impl<A: Clone> Inbox<A> {
    pub(super) fn put(&self, item: InboxItem, bounds: InboxBounds) -> Put {
        let mut waiting = lock(&self.waiting);
        let is_urgent = waiting.does_not_wait(&item);
        waiting.count += 1;
        waiting.bytes += item.size();
        waiting.items.push_back(item);
        // Once full, it is so until it reopens: the reader waits for that.
        waiting.is_full |= waiting.count >= bounds.events || waiting.bytes >= bounds.bytes;
        let schedule = !std::mem::replace(&mut waiting.is_scheduled, true) || is_urgent;
        Put { schedule, is_full: waiting.is_full }
    }

    /// Puts in an event that went out; `true`: its attendant has to be asked for a turn.
    pub(super) fn show(&self, event: Event, bounds: InboxBounds) -> bool {
        let mut waiting = lock(&self.waiting);
        let in_front = waiting.taken + waiting.items.len() as u64;
        waiting.sent.get_or_insert_default().push(in_front, event, bounds);
        !std::mem::replace(&mut waiting.is_scheduled, true)
    }

    /// Who attends to it.
    pub(super) fn attendant(&self) -> Attendant<A> {
        lock(&self.waiting).attendant.clone()
    }

    /// Before anything is in it: the program attends to it.
    pub(super) fn leave_to(&self, taker: A) {
        lock(&self.waiting).attendant = Attendant::Program(taker);
    }

    /// Its attendant, who has it, leaves it alone until somebody [claims](Self::claim) it. `true`: there is something
    /// that does not wait for that.
    pub(super) fn park(&self) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.attendant = Attendant::Nobody;
        waiting.is_scheduled = true;
        waiting.items.iter().any(|item| waiting.does_not_wait(item))
    }

    /// Takes out what callbacks wait for, whatever else there is.
    pub(super) fn take_answers(&self, bounds: InboxBounds) -> TakenAnswers {
        let mut waiting = lock(&self.waiting);
        let is_answer = |item: &InboxItem| matches!(item, InboxItem::Answer(..));
        let (answers, items): (VecDeque<_>, _) =
            std::mem::take(&mut waiting.items).into_iter().partition(is_answer);
        waiting.items = items;
        let bytes = answers.iter().map(InboxItem::size).sum();
        waiting.taken += answers.len() as u64;
        let batch = InboxBatch { count: answers.len(), bytes, items: answers };
        let reopens = waiting.release(&batch, bounds);
        TakenAnswers { answers: batch.items, reopens }
    }

    /// Gets an attendant, if it has none: that one is to be told of it. `false`: it has one.
    pub(super) fn claim(&self, taker: A) -> bool {
        let mut waiting = lock(&self.waiting);
        let is_free = matches!(waiting.attendant, Attendant::Nobody);
        if is_free {
            waiting.attendant = Attendant::Program(taker);
        }
        is_free
    }

    /// How many events that went out were not shown, for want of room.
    pub(super) fn unshown(&self) -> usize {
        lock(&self.waiting).sent.as_ref().map_or(0, |sent| sent.lost)
    }

    /// Takes the oldest. `None`: there is nothing, and whoever puts something in asks for a turn.
    pub(super) fn take(&self, bounds: InboxBounds) -> Option<Taken> {
        let mut waiting = lock(&self.waiting);
        let mut batch = waiting.take(1);
        let Some(item) = batch.items.pop_front() else {
            waiting.is_scheduled = false;
            return None;
        };
        self.note_begun();
        Some(Taken { item, reopens: waiting.release(&batch, bounds) })
    }

    /// Takes the oldest few, so that reader and handlers seldom wait for each other here.
    pub(super) fn take_batch(&self, bounds: InboxBounds) -> InboxBatch {
        lock(&self.waiting).take((bounds.events / 4).clamp(1, BATCH))
    }

    /// An item of a batch begins to be handled.
    pub(super) fn note_begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// What was taken is handled.
    pub(super) fn handled(&self, batch: &InboxBatch, bounds: InboxBounds) -> HandledBatch {
        let mut waiting = lock(&self.waiting);
        let reopens = waiting.release(batch, bounds);
        waiting.is_scheduled = waiting.has_more();
        HandledBatch { has_more: waiting.is_scheduled, reopens }
    }

    /// How many items have ever begun to be handled.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether the reader is to hold still for it.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.waiting).is_full
    }

    /// How many items wait, and of how many bytes.
    pub(super) fn load(&self) -> (usize, usize) {
        let waiting = lock(&self.waiting);
        (waiting.count, waiting.bytes)
    }
}

impl<A> InboxState<A> {
    /// Takes so many of the oldest, unless they are large, or less: an event that went out is taken by itself.
    fn take(&mut self, most: usize) -> InboxBatch {
        let mut most = most.min(self.items.len());
        if let Some(sent) = &mut self.sent {
            if let Some(event) = sent.pop(self.taken) {
                return InboxBatch { items: [InboxItem::Sent(event)].into(), count: 0, bytes: 0 };
            }
            most = sent.in_front(self.taken).map_or(most, |in_front| most.min(in_front));
        }
        let (mut count, mut bytes) = (0, 0);
        for item in self.items.iter().take(most) {
            if count > 0 && bytes + item.size() > BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += item.size();
        }
        self.taken += count as u64;
        // A socket that is idle takes no memory for what may come.
        let items = if count == self.items.len() {
            std::mem::take(&mut self.items)
        } else {
            self.items.drain(..count).collect()
        };
        InboxBatch { items, count, bytes }
    }

    /// What was taken counts no more: whether that makes the room that the reader waits for.
    fn release(&mut self, batch: &InboxBatch, bounds: InboxBounds) -> bool {
        self.count -= batch.count;
        self.bytes -= batch.bytes;
        let is_low = self.count <= bounds.events / 2 && self.bytes <= bounds.bytes / 2;
        let reopens = self.is_full && is_low;
        self.is_full &= !is_low;
        reopens
    }

    /// Whether an item is looked at though nobody has claimed the inbox.
    fn does_not_wait(&self, item: &InboxItem) -> bool {
        let is_unclaimed = matches!(self.attendant, Attendant::Nobody);
        is_unclaimed && matches!(item, InboxItem::Answer(..) | InboxItem::Disconnected(..))
    }

    fn has_more(&self) -> bool {
        !self.items.is_empty() || self.sent.as_ref().is_some_and(|sent| !sent.events.is_empty())
    }
}

impl InboxItem {
    fn size(&self) -> usize {
        match self {
            Self::Event(event) | Self::Sent(event) => event.size(),
            Self::Answer(_, Ok(reply)) => reply.size(),
            Self::Connected | Self::Answer(_, Err(_)) | Self::Disconnected(..) => 0,
        }
    }
}

impl SentEvents {
    fn push(&mut self, in_front: u64, event: Event, bounds: InboxBounds) {
        self.bytes += event.size();
        self.events.push_back((in_front, event));
        while self.events.len() > 1
            && (self.events.len() > bounds.events || self.bytes > bounds.bytes)
        {
            let Some((_, oldest)) = self.events.pop_front() else { break };
            self.bytes -= oldest.size();
            self.lost += 1;
        }
    }

    /// How many items stand in front of the oldest, when so many were taken.
    fn in_front(&self, taken: u64) -> Option<usize> {
        let (in_front, _) = self.events.front()?;
        Some(usize::try_from(in_front.saturating_sub(taken)).unwrap_or(usize::MAX))
    }

    /// The oldest, if it is its turn when so many items were taken.
    fn pop(&mut self, taken: u64) -> Option<Event> {
        self.events.front().filter(|(in_front, _)| *in_front <= taken)?;
        let (_, event) = self.events.pop_front()?;
        self.bytes -= event.size();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests;
