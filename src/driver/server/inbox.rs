//! What waits for the handlers of one socket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Mutex;

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

/// The queue of a socket. Its handlers run one after the other, in this order. `A` is who attends to it for the program,
/// if that ever does.
pub(super) struct Inbox<A = Infallible>(Mutex<InboxState<A>>);

struct InboxState<A> {
    items: VecDeque<InboxItem>,
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

impl<A> Default for Inbox<A> {
    fn default() -> Self {
        Self(Mutex::new(InboxState {
            items: VecDeque::new(),
            bytes: 0,
            attendant: Attendant::Pool,
            is_scheduled: false,
            is_full: false,
            taken: 0,
            sent: None,
        }))
    }
}

impl<A: Clone> Inbox<A> {
    pub(super) fn put(&self, item: InboxItem, bounds: InboxBounds) -> Put {
        let mut waiting = lock(&self.0);
        waiting.bytes += item.size();
        waiting.items.push_back(item);
        // Once full, it is so until it reopens: the reader waits for that.
        waiting.is_full |= waiting.items.len() >= bounds.events || waiting.bytes >= bounds.bytes;
        let schedule = !std::mem::replace(&mut waiting.is_scheduled, true);
        Put { schedule, is_full: waiting.is_full }
    }

    /// Puts in an event that went out; `true`: its attendant has to be asked for a turn.
    pub(super) fn show(&self, event: Event, bounds: InboxBounds) -> bool {
        let mut waiting = lock(&self.0);
        let in_front = waiting.taken + waiting.items.len() as u64;
        waiting.sent.get_or_insert_default().push(in_front, event, bounds);
        !std::mem::replace(&mut waiting.is_scheduled, true)
    }

    /// Who attends to it.
    pub(super) fn attendant(&self) -> Attendant<A> {
        lock(&self.0).attendant.clone()
    }

    /// Before anything is in it: the program attends to it.
    pub(super) fn leave_to(&self, taker: A) {
        lock(&self.0).attendant = Attendant::Program(taker);
    }

    /// Its attendant, who has it, leaves it alone until somebody [claims](Self::claim) it.
    pub(super) fn park(&self) {
        let mut waiting = lock(&self.0);
        waiting.attendant = Attendant::Nobody;
        waiting.is_scheduled = true;
    }

    /// Gets an attendant, if it has none: that one is to be told of it. `false`: it has one.
    pub(super) fn claim(&self, taker: A) -> bool {
        let mut waiting = lock(&self.0);
        let is_free = matches!(waiting.attendant, Attendant::Nobody);
        if is_free {
            waiting.attendant = Attendant::Program(taker);
        }
        is_free
    }

    /// How many events that went out were not shown, for want of room.
    pub(super) fn unshown(&self) -> usize {
        lock(&self.0).sent.as_ref().map_or(0, |sent| sent.lost)
    }

    /// Takes the oldest. `None`: there is nothing, and whoever puts something in asks for a turn.
    pub(super) fn take(&self, bounds: InboxBounds) -> Option<Taken> {
        let mut waiting = lock(&self.0);
        let taken = waiting.taken;
        if let Some(event) = waiting.sent.as_mut().and_then(|sent| sent.pop(taken)) {
            return Some(Taken { item: InboxItem::Sent(event), reopens: false });
        }
        let Some(item) = waiting.items.pop_front() else {
            waiting.is_scheduled = false;
            // A socket that is idle takes no memory for what may come.
            waiting.items = VecDeque::new();
            return None;
        };
        waiting.taken += 1;
        waiting.bytes -= item.size();
        let is_low = waiting.items.len() <= bounds.events / 2 && waiting.bytes <= bounds.bytes / 2;
        let reopens = waiting.is_full && is_low;
        waiting.is_full &= !is_low;
        Some(Taken { item, reopens })
    }

    /// Whether the reader is to hold still for it.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.0).is_full
    }

    /// How many items were ever taken.
    pub(super) fn taken(&self) -> u64 {
        lock(&self.0).taken
    }

    /// How many events wait, and of how many bytes.
    pub(super) fn load(&self) -> (usize, usize) {
        let waiting = lock(&self.0);
        (waiting.items.len(), waiting.bytes)
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
mod tests {
    use super::*;
    use crate::payload::Payload;

    const BOUNDS: InboxBounds = InboxBounds { events: 4, bytes: 1000 };

    fn event(text: &str) -> InboxItem {
        InboxItem::Event(Event::outgoing("/", Payload::event("e", &text).unwrap()))
    }

    #[test]
    fn whoever_finds_it_unattended_asks_for_a_turn_once() {
        let inbox = Inbox::<Infallible>::default();
        assert!(inbox.put(InboxItem::Connected, BOUNDS).schedule);
        assert!(!inbox.put(event("a"), BOUNDS).schedule);
        assert!(matches!(inbox.take(BOUNDS).unwrap().item, InboxItem::Connected));
        assert!(!inbox.put(event("b"), BOUNDS).schedule);
        for _ in 0..2 {
            assert!(matches!(inbox.take(BOUNDS).unwrap().item, InboxItem::Event(_)));
        }
        assert!(inbox.take(BOUNDS).is_none());
        assert!(inbox.put(event("c"), BOUNDS).schedule);
    }

    #[test]
    fn a_full_one_reopens_though_more_came_when_it_was_not_quite_so_full() {
        let inbox = Inbox::<Infallible>::default();
        let bounds = InboxBounds { events: 8, ..BOUNDS };
        for _ in 0..8 {
            inbox.put(event("x"), bounds);
        }
        for _ in 0..2 {
            assert!(!inbox.take(bounds).unwrap().reopens);
        }
        inbox.put(event("x"), bounds);
        let reopens = std::iter::from_fn(|| inbox.take(bounds)).filter(|taken| taken.reopens);
        assert_eq!(reopens.count(), 1);
    }

    #[test]
    fn a_full_one_reopens_once_when_half_of_it_is_free() {
        let inbox = Inbox::<Infallible>::default();
        let full: Vec<_> = (0..5).map(|_| inbox.put(event("x"), BOUNDS).is_full).collect();
        assert_eq!(full, [false, false, false, true, true]);
        let reopens: Vec<_> =
            std::iter::from_fn(|| inbox.take(BOUNDS)).map(|taken| taken.reopens).collect();
        assert_eq!(reopens, [false, false, true, false, false]);
        assert!(inbox.put(event(&"x".repeat(1000)), BOUNDS).is_full, "by bytes");
        assert!(inbox.take(BOUNDS).unwrap().reopens);
        assert_eq!(inbox.load(), (0, 0));
    }

    #[test]
    fn what_went_out_is_shown_where_it_went_out() {
        let inbox = Inbox::<Infallible>::default();
        let sent = |name: &str| Event::outgoing("/", Payload::event(name, &()).unwrap());
        assert!(inbox.show(sent("first"), BOUNDS));
        assert!(!inbox.put(InboxItem::Connected, BOUNDS).schedule);
        assert!(!inbox.show(sent("second"), BOUNDS));
        inbox.put(event("x"), BOUNDS);
        let items: Vec<_> = std::iter::from_fn(|| inbox.take(BOUNDS))
            .map(|taken| match taken.item {
                InboxItem::Sent(event) => event.name().to_owned(),
                InboxItem::Connected => "connected".to_owned(),
                InboxItem::Event(_) => "received".to_owned(),
                InboxItem::Answer(..) => "answer".to_owned(),
                InboxItem::Disconnected(..) => "disconnected".to_owned(),
            })
            .collect();
        assert_eq!(items, ["first", "connected", "second", "received"]);
        assert!(inbox.show(sent("third"), BOUNDS));
        for _ in 0..BOUNDS.events {
            inbox.show(sent(&"x".repeat(100)), BOUNDS);
        }
        assert_eq!((inbox.unshown(), inbox.is_full()), (1, false));
    }
}
