//! What waits for the handlers of one socket.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::sync::deliver::Deliver;
use crate::sync::lock::lock;

/// One call of handlers.
pub(super) enum InboxItem {
    /// The socket is connected: always the first.
    Connected,
    Event(Event),
    /// The socket is disconnected: always the last.
    Disconnected(DisconnectReason),
}

/// How much may wait before the reader holds still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboxBounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// The most that a thread takes at a time: items, and bytes of them unless it is one.
const BATCH: usize = 32;
const BATCH_BYTES: usize = 16 * 1024;

/// The queue of a socket. Its handlers run one after the other, in this order.
#[derive(Default)]
pub(super) struct Inbox(Mutex<InboxState>);

#[derive(Default)]
struct InboxState {
    items: VecDeque<InboxItem>,
    /// How many there are, with those that were taken and are not yet handled.
    count: usize,
    bytes: usize,
    /// A thread of the pool has it, or will.
    is_scheduled: bool,
    /// The reader was told that it is full.
    is_full: bool,
}

/// What putting something into it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Put {
    /// The pool has to be asked for a turn.
    pub(super) schedule: bool,
    /// It is full: the reader is to hold still.
    pub(super) is_full: bool,
}

/// What is taken out of it at a time, and has to be handled: it counts until then.
#[derive(Default)]
pub(super) struct InboxBatch {
    pub(super) items: VecDeque<InboxItem>,
    count: usize,
    bytes: usize,
}

/// How it stands when what was taken is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handled {
    /// There is more. Otherwise whoever puts something in asks for a turn.
    pub(super) has_more: bool,
    /// Half of it is free again, and the reader waits for that.
    pub(super) reopens: bool,
}

impl Inbox {
    pub(super) fn put(&self, item: InboxItem, bounds: InboxBounds) -> Put {
        let mut waiting = lock(&self.0);
        waiting.count += 1;
        waiting.bytes += item.size();
        waiting.items.push_back(item);
        // Once full, it is so until it reopens: the reader waits for that.
        waiting.is_full |= waiting.count >= bounds.events || waiting.bytes >= bounds.bytes;
        let schedule = !std::mem::replace(&mut waiting.is_scheduled, true);
        Put { schedule, is_full: waiting.is_full }
    }

    /// Takes the oldest: a few at a time, so that reader and handlers seldom wait for each other here.
    pub(super) fn take(&self, bounds: InboxBounds) -> InboxBatch {
        let most = (bounds.events / 4).clamp(1, BATCH);
        let mut waiting = lock(&self.0);
        let (mut count, mut bytes) = (0, 0);
        for item in waiting.items.iter().take(most) {
            if count > 0 && bytes + item.size() > BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += item.size();
        }
        let is_all = count == waiting.items.len();
        let items = if is_all {
            std::mem::take(&mut waiting.items)
        } else {
            waiting.items.drain(..count).collect()
        };
        InboxBatch { items, count, bytes }
    }

    /// What was taken is handled.
    pub(super) fn handled(&self, batch: &InboxBatch, bounds: InboxBounds) -> Handled {
        let mut waiting = lock(&self.0);
        waiting.count -= batch.count;
        waiting.bytes -= batch.bytes;
        let has_more = !waiting.items.is_empty();
        waiting.is_scheduled = has_more;
        let is_low = waiting.count <= bounds.events / 2 && waiting.bytes <= bounds.bytes / 2;
        let reopens = waiting.is_full && is_low;
        waiting.is_full &= !is_low;
        Handled { has_more, reopens }
    }

    /// Whether the reader is to hold still for it.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.0).is_full
    }

    /// How many events wait, and of how many bytes.
    pub(super) fn load(&self) -> (usize, usize) {
        let waiting = lock(&self.0);
        (waiting.count, waiting.bytes)
    }
}

impl InboxItem {
    fn size(&self) -> usize {
        match self {
            Self::Event(event) => event.size(),
            Self::Connected | Self::Disconnected(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    const BOUNDS: InboxBounds = InboxBounds { events: 4, bytes: 1000 };

    fn event(text: &str) -> InboxItem {
        InboxItem::Event(Event::outgoing("/", Payload::event("e", &text).unwrap()))
    }

    /// Handles what is taken at a time: how many items, and how it stands then.
    fn handle(inbox: &Inbox, bounds: InboxBounds) -> (usize, Handled) {
        let batch = inbox.take(bounds);
        (batch.items.len(), inbox.handled(&batch, bounds))
    }

    #[test]
    fn whoever_finds_it_unattended_asks_for_a_turn_once() {
        let inbox = Inbox::default();
        assert!(inbox.put(InboxItem::Connected, BOUNDS).schedule);
        assert!(!inbox.put(event("a"), BOUNDS).schedule);
        let batch = inbox.take(BOUNDS);
        assert!(matches!(batch.items[0], InboxItem::Connected));
        assert!(!inbox.put(event("b"), BOUNDS).schedule);
        assert!(inbox.handled(&batch, BOUNDS).has_more);
        for has_more in [true, false] {
            assert_eq!(handle(&inbox, BOUNDS).1.has_more, has_more);
        }
        assert!(inbox.put(event("c"), BOUNDS).schedule);
    }

    #[test]
    fn a_full_one_reopens_though_more_came_when_it_was_not_quite_so_full() {
        let inbox = Inbox::default();
        let bounds = InboxBounds { events: 8, ..BOUNDS };
        for _ in 0..8 {
            inbox.put(event("x"), bounds);
        }
        assert!(!handle(&inbox, bounds).1.reopens);
        inbox.put(event("x"), bounds);
        let handled: Vec<_> = (0..4).map(|_| handle(&inbox, bounds)).collect();
        assert_eq!(handled.iter().filter(|(_, handled)| handled.reopens).count(), 1);
        assert_eq!(inbox.load(), (0, 0));
    }

    #[test]
    fn a_full_one_reopens_once_when_half_of_it_is_free() {
        let inbox = Inbox::default();
        let full: Vec<_> = (0..5).map(|_| inbox.put(event("x"), BOUNDS).is_full).collect();
        assert_eq!(full, [false, false, false, true, true]);
        let reopens: Vec<_> = (0..5).map(|_| handle(&inbox, BOUNDS).1.reopens).collect();
        assert_eq!(reopens, [false, false, true, false, false]);
        assert!(inbox.put(event(&"x".repeat(1000)), BOUNDS).is_full, "by bytes");
        assert!(handle(&inbox, BOUNDS).1.reopens);
        assert_eq!(inbox.load(), (0, 0));
    }

    #[test]
    fn a_few_are_taken_at_a_time_which_count_until_they_are_handled() {
        let inbox = Inbox::default();
        let bounds = InboxBounds { events: 1000, bytes: 100_000 };
        for _ in 0..40 {
            inbox.put(event("x"), bounds);
        }
        let batch = inbox.take(bounds);
        assert_eq!((batch.items.len(), inbox.load().0), (BATCH, 40));
        assert!(inbox.handled(&batch, bounds).has_more);
        assert_eq!(inbox.load().0, 8);
        for length in [BATCH_BYTES, 10, 10] {
            inbox.put(event(&"x".repeat(length)), bounds);
        }
        let counts: Vec<_> = (0..3).map(|_| handle(&inbox, bounds).0).collect();
        assert_eq!(counts, [8, 1, 2]);
        assert_eq!(inbox.load(), (0, 0));
    }
}
