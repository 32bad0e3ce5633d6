//! What waits for handlers, in which order and up to which bounds.

use std::sync::Arc;

use super::*;
use crate::driver::server::leaving::CountsLeaving;
use crate::payload::Payload;

const BOUNDS: InboxBounds = InboxBounds { events: 4, bytes: 1000 };

fn event(text: &str) -> InboxItem {
    InboxItem::Event(Event::outgoing("/", Payload::event("e", &text).unwrap()))
}

/// Handles what is taken at a time: how many items, and how it stands then.
fn handle(inbox: &Inbox, bounds: InboxBounds) -> (usize, HandledBatch) {
    let batch = inbox.take_batch(bounds);
    (batch.items.len(), inbox.handled(&batch, bounds))
}

#[test]
fn whoever_finds_it_unattended_asks_for_a_turn_once() {
    let inbox = Inbox::<Infallible>::default();
    assert!(inbox.put(InboxItem::Connected, BOUNDS).schedule);
    assert!(!inbox.put(event("a"), BOUNDS).schedule);
    let batch = inbox.take_batch(BOUNDS);
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
    let inbox = Inbox::<Infallible>::default();
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
    let inbox = Inbox::<Infallible>::default();
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
    let inbox = Inbox::<Infallible>::default();
    let bounds = InboxBounds { events: 1000, bytes: 100_000 };
    for _ in 0..40 {
        inbox.put(event("x"), bounds);
    }
    let batch = inbox.take_batch(bounds);
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

fn name_of(item: InboxItem) -> String {
    match item {
        InboxItem::Sent(event) => event.name().to_owned(),
        InboxItem::Connected => "connected".to_owned(),
        InboxItem::Event(_) => "received".to_owned(),
        InboxItem::Answer(..) => "answer".to_owned(),
        InboxItem::Disconnected(..) => "disconnected".to_owned(),
    }
}

/// The program takes one at a time, a thread of the pool a batch.
#[test]
fn what_went_out_is_shown_where_it_went_out() {
    shows_what_went_out(|inbox| Some(vec![name_of(inbox.take(BOUNDS)?.item)]));
    shows_what_went_out(|inbox| {
        let mut batch = inbox.take_batch(InboxBounds { events: 1000, ..BOUNDS });
        let names: Vec<_> = batch.items.drain(..).map(name_of).collect();
        let has_more = inbox.handled(&batch, BOUNDS).has_more;
        assert_eq!(names.last().is_none_or(|last| last == "received"), !has_more);
        (!names.is_empty()).then_some(names)
    });
}

fn shows_what_went_out(take: impl Fn(&Inbox) -> Option<Vec<String>>) {
    let inbox = Inbox::<Infallible>::default();
    let sent = |name: &str| Event::outgoing("/", Payload::event(name, &()).unwrap());
    assert!(inbox.show(sent("first"), BOUNDS));
    assert!(!inbox.put(InboxItem::Connected, BOUNDS).schedule);
    assert!(!inbox.show(sent("second"), BOUNDS));
    inbox.put(event("x"), BOUNDS);
    let items: Vec<_> = std::iter::from_fn(|| take(&inbox)).flatten().collect();
    assert_eq!(items, ["first", "connected", "second", "received"]);
    assert!(inbox.show(sent("third"), BOUNDS));
    for _ in 0..BOUNDS.events {
        inbox.show(sent(&"x".repeat(100)), BOUNDS);
    }
    assert_eq!((inbox.unshown(), inbox.is_full()), (1, false));
}

/// An item of just this size.
fn sized(bytes: usize) -> InboxItem {
    let empty = event("").size();
    let item = event(&"x".repeat(bytes - empty));
    assert_eq!(item.size(), bytes);
    item
}

#[test]
fn a_batch_has_16_kibibytes_and_not_a_byte_more() {
    let inbox = Inbox::<Infallible>::default();
    let bounds = InboxBounds { events: 1000, bytes: 100_000 };
    for bytes in [8192, 8192, 8192, 8193] {
        inbox.put(sized(bytes), bounds);
    }
    let counts: Vec<_> = (0..3).map(|_| handle(&inbox, bounds).0).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn one_that_is_full_by_bytes_reopens_when_half_of_them_are_free() {
    let inbox = Inbox::<Infallible>::default();
    let bounds = InboxBounds { events: 4, bytes: 1000 };
    let full = [501, 499].map(|bytes| inbox.put(sized(bytes), bounds).is_full);
    assert_eq!((full, inbox.is_full()), ([false, true], true));
    assert!(handle(&inbox, bounds).1.reopens);
    assert_eq!(handle(&inbox, bounds).0, 1);
    for bytes in [500, 501] {
        inbox.put(sized(bytes), bounds);
    }
    let reopens = [(); 2].map(|()| handle(&inbox, bounds).1.reopens);
    assert_eq!((reopens, inbox.is_full()), ([false, true], false));
}

#[test]
fn what_begins_to_be_handled_is_counted() {
    let inbox = Inbox::<Infallible>::default();
    for _ in 0..3 {
        inbox.put(event("x"), BOUNDS);
    }
    assert_eq!(inbox.begun(), 0);
    assert!(inbox.take(BOUNDS).is_some());
    inbox.note_begun();
    assert_eq!(inbox.begun(), 2);
}

/// Counts nothing.
struct Uncounted;

impl CountsLeaving for Uncounted {
    fn has_left(&self) {}
}

fn answer() -> InboxItem {
    InboxItem::Answer(Arc::default(), Ok(AckReply::of(Payload::event("", &()).unwrap())))
}

fn end() -> InboxItem {
    let leaving = Leaving::of(Arc::new(Uncounted));
    InboxItem::Disconnected(DisconnectReason::TransportClose, leaving)
}

#[test]
fn answers_and_the_end_wait_for_nobody_to_claim_it_and_events_do() {
    let inbox = Inbox::<u8>::default();
    inbox.put(event("x"), BOUNDS);
    assert!(!inbox.put(answer(), BOUNDS).schedule, "the pool has it");
    assert!(inbox.park());
    let asks = [event("y"), answer(), end(), answer()].map(|item| inbox.put(item, BOUNDS).schedule);
    assert_eq!(asks, [false, true, true, true]);
    let taken = inbox.take_answers(BOUNDS);
    assert_eq!(taken.answers.len(), 3);
    assert!(taken.answers.into_iter().all(|item| name_of(item) == "answer"));
    assert_eq!(inbox.load().0, 3);
    assert!(inbox.claim(7) && !inbox.claim(8));
    assert!(matches!(inbox.attendant(), Attendant::Program(7)));
    let names: Vec<_> =
        std::iter::from_fn(|| inbox.take(BOUNDS)).map(|it| name_of(it.item)).collect();
    assert_eq!(names, ["received", "received", "disconnected"]);
    assert!(!inbox.park(), "there is nothing");
}

#[test]
fn answers_that_are_taken_make_room_and_nothing_waits_for_them() {
    let inbox = Inbox::<u8>::default();
    inbox.park();
    let full: Vec<_> = (0..4).map(|_| inbox.put(answer(), BOUNDS).is_full).collect();
    assert_eq!(full, [false, false, false, true]);
    inbox.show(Event::outgoing("/", Payload::event("sent", &()).unwrap()), BOUNDS);
    let taken = inbox.take_answers(BOUNDS);
    assert_eq!((taken.answers.len(), taken.reopens, inbox.load()), (4, true, (0, 0)));
    assert_eq!(inbox.take(BOUNDS).map(|it| name_of(it.item)).as_deref(), Some("sent"));
}

#[test]
fn what_went_out_is_bounded_by_bytes_and_one_event_is_always_kept() {
    let inbox = Inbox::<Infallible>::default();
    let sent = |length| Event::outgoing("/", Payload::event("e", &"x".repeat(length)).unwrap());
    let bounds = InboxBounds { events: 8, bytes: 2 * sent(100).size() };
    let show = |count| {
        (0..count).for_each(|_| _ = inbox.show(sent(100), bounds));
        inbox.unshown()
    };
    assert_eq!([show(2), show(1), show(1)], [0, 1, 2]);
    for _ in 0..2 {
        assert!(inbox.take(bounds).is_some());
    }
    assert!(inbox.take(bounds).is_none());
    assert_eq!([show(2), show(1)], [2, 3]);
    inbox.show(sent(10_000), bounds);
    assert_eq!(inbox.unshown(), 5);
    assert_eq!(inbox.take(bounds).map(|it| name_of(it.item)).as_deref(), Some("e"));
}

#[test]
fn what_is_taken_of_what_went_out_makes_room_for_as_much() {
    let inbox = Inbox::<Infallible>::default();
    let sent = || Event::outgoing("/", Payload::event("e", &"x".repeat(100)).unwrap());
    let bounds = InboxBounds { events: 8, bytes: 3 * sent().size() };
    for _ in 0..3 {
        inbox.show(sent(), bounds);
    }
    assert!(inbox.take(bounds).is_some());
    let lost = [(); 2].map(|()| {
        inbox.show(sent(), bounds);
        inbox.unshown()
    });
    assert_eq!(lost, [0, 1]);
}

#[test]
fn what_stands_in_front_of_an_event_that_went_out_is_taken_together() {
    let inbox = Inbox::<Infallible>::default();
    let bounds = InboxBounds { events: 1000, bytes: 100_000 };
    for _ in 0..3 {
        inbox.put(event("x"), bounds);
    }
    inbox.show(Event::outgoing("/", Payload::event("sent", &()).unwrap()), bounds);
    inbox.put(event("x"), bounds);
    let counts: Vec<_> = (0..4).map(|_| handle(&inbox, bounds).0).collect();
    assert_eq!(counts, [3, 1, 1, 0]);
}
