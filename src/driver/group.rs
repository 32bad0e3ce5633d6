//! Events that are brought to a subscription together: with one lock instead of one for each, for which
//! the thread that brings them and the one that takes them would contend.

use std::sync::Arc;

use crate::event::Event;
use crate::sync::account::{ONLY, Room};
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::{Brought, Mailbox};

/// How many are brought together. More would save little, and keep the consumer waiting.
const MOST: usize = 32;

/// Events that are brought together, within one hold of the monitor. All are for one mailbox, and
/// there is room for them: bringing them one by one would come to the same.
#[derive(Default)]
pub(super) struct Group {
    mailbox: Option<Arc<Mailbox<Event>>>,
    events: Vec<Event>,
    /// What the mailbox has room for beside the events.
    room: Room,
}

impl Group {
    /// Makes a mailbox the one that events wait for. It had this room after the last was brought.
    pub(super) fn open(&mut self, mailbox: &Arc<Mailbox<Event>>, room: Room) {
        if !self.is_of(mailbox) {
            self.mailbox = Some(Arc::clone(mailbox));
        }
        self.room = room;
    }

    /// Adds an event, or gives it back: then what waits has to be brought, and the event after it.
    pub(super) fn add(&mut self, mailbox: &Arc<Mailbox<Event>>, event: Event) -> Option<Event> {
        if !self.is_of(mailbox) || self.events.len() >= MOST || !self.room.take(event.size()) {
            return Some(event);
        }
        if self.events.capacity() == 0 {
            self.events.reserve_exact(MOST);
        }
        self.events.push(event);
        None
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Brings what waits.
    pub(super) fn bring(&mut self) -> Option<Brought<Event>> {
        let mailbox = self.mailbox.as_ref().filter(|_| !self.events.is_empty())?;
        Some(mailbox.bring_all(ONLY, &mut self.events.drain(..)))
    }

    fn is_of(&self, mailbox: &Arc<Mailbox<Event>>) -> bool {
        self.mailbox.as_ref().is_some_and(|own| Arc::ptr_eq(own, mailbox))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::WhenFull;
    use crate::payload::Payload;
    use crate::sync::account::Bounds;
    use crate::sync::gate::Gate;

    fn event(number: usize) -> Event {
        Event::outgoing("/", Payload::event("e", &number).unwrap())
    }

    fn mailbox(events: usize, bytes: usize) -> Arc<Mailbox<Event>> {
        let bounds = Bounds { events, bytes, when_full: WhenFull::Wait };
        Mailbox::with_account(bounds, &Arc::new(Gate::new(2000, 2000, || ())))
    }

    fn taken(mailbox: &Mailbox<Event>) -> Vec<usize> {
        std::iter::from_fn(|| mailbox.try_take()).map(|event| event.args().unwrap()).collect()
    }

    /// Brings an event as a listener does; `true`: the mailbox pushes back.
    fn bring(group: &mut Group, mailbox: &Arc<Mailbox<Event>>, event: Event) -> bool {
        let Some(event) = group.add(mailbox, event) else { return false };
        drop(group.bring());
        let brought = mailbox.bring(ONLY, event);
        group.open(mailbox, brought.room);
        brought.pushes_back
    }

    #[test]
    fn what_is_brought_together_comes_to_the_same_as_one_by_one() {
        for (events, bytes) in [(1, 1000), (2, 1000), (40, 1000), (100, 300), (100, 9000)] {
            let (mut group, together) = (Group::default(), mailbox(events, bytes));
            let one_by_one = mailbox(events, bytes);
            for number in 0..150 {
                let is_full = one_by_one.bring(ONLY, event(number)).pushes_back;
                assert_eq!(bring(&mut group, &together, event(number)), is_full, "{number}");
            }
            drop(group.bring());
            assert_eq!(taken(&together), taken(&one_by_one));
        }
    }

    #[test]
    fn the_events_of_two_mailboxes_stay_apart_and_in_order() {
        let (mut group, one, two) = (Group::default(), mailbox(50, 1000), mailbox(50, 1000));
        for number in 0..30 {
            let mailbox = if number % 5 < 3 { &one } else { &two };
            assert!(!bring(&mut group, mailbox, event(number)));
        }
        drop(group.bring());
        let (of_one, of_two): (Vec<_>, Vec<_>) = (0..30).partition(|number| number % 5 < 3);
        assert_eq!((taken(&one), taken(&two)), (of_one, of_two));
    }

    #[test]
    fn few_wait_at_a_time_and_only_until_they_are_brought() {
        let (mut group, mailbox) = (Group::default(), mailbox(1000, 100_000));
        for number in 0..=MOST {
            assert!(!bring(&mut group, &mailbox, event(number)));
        }
        assert_eq!(mailbox.len(), 1);
        bring(&mut group, &mailbox, event(MOST + 1));
        assert_eq!(mailbox.len(), MOST + 2);
        assert!(group.bring().is_none());
    }
}
