//! The acknowledgements that a namespace waits for.

use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::core::numbers::NumberMap;
use crate::core::time::Timestamp;
use crate::payload::Payload;

/// The pending acknowledgements of one namespace. `A` is what the caller wants back.
#[derive(Debug)]
pub(crate) struct Acks<A> {
    pending: NumberMap<u64, Pending<A>>,
    /// How much of what was sent is kept, in bytes.
    kept: usize,
    next: u64,
}

/// Who waits for an acknowledgement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waiter<A> {
    /// The caller of an emit.
    Caller(A),
    /// The queue of events that are sent again until they are acknowledged.
    Retry,
}

#[derive(Debug)]
struct Pending<A> {
    ack: A,
    /// The event was handed to a session, so that the end of the session is the end of the wait.
    sent: bool,
    /// When that was, if it was once: else nobody can tell which of them is answered.
    sent_at: Option<Timestamp>,
    /// Its position among all that were handed to a session, the first time.
    position: u64,
    /// The event that was sent, to be handed back, and its place in the order of all.
    event: Option<(Arc<Payload>, u64)>,
}

impl<A> Pending<A> {
    fn kept(&self) -> usize {
        self.event.as_ref().map_or(0, |(event, _)| event.size())
    }
}

impl<A> Acks<A> {
    /// None yet; the first will have this id.
    pub(crate) fn new(first: u64) -> Self {
        Self { pending: NumberMap::default(), kept: 0, next: first }
    }

    /// The id of the next one.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Registers an acknowledgement under a new id.
    pub(crate) fn register(&mut self, ack: A) -> u64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let pending = Pending { ack, sent: false, sent_at: None, position: 0, event: None };
        self.pending.insert(id, pending);
        id
    }

    /// The event of this id was handed to a writer, in this position and at this time. It is kept while it and others
    /// have no more bytes than this.
    pub(crate) fn mark_sent(
        &mut self,
        id: u64,
        event: Option<(Arc<Payload>, u64)>,
        most: usize,
        (position, now): (u64, Timestamp),
    ) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.sent_at = (!pending.sent).then_some(now);
            pending.position = if pending.sent { pending.position } else { position };
            pending.sent = true;
            pending.event = event.filter(|(event, _)| self.kept + event.size() <= most);
            self.kept += pending.kept();
        }
    }

    /// Whether it is still awaited.
    pub(crate) fn is_pending(&self, id: u64) -> bool {
        self.pending.contains_key(&id)
    }

    /// Takes out the events that were sent and are kept, with their places. Their answers are awaited on.
    pub(crate) fn take_events(&mut self) -> Vec<(Payload, u64)> {
        self.kept = 0;
        let taken = self.pending.values_mut().filter_map(|pending| pending.event.take());
        taken.map(|(event, order)| (Arc::unwrap_or_clone(event), order)).collect()
    }

    /// Takes one out whose event was sent, in a position of which this holds: the server answered it. Gives that
    /// position, and when it was sent, where that is known.
    pub(crate) fn answer(
        &mut self,
        id: u64,
        may_be_read: impl FnOnce(u64) -> bool,
    ) -> Option<(A, u64, Option<Timestamp>)> {
        let pending = self.pending.get(&id)?;
        if !pending.sent || !may_be_read(pending.position) {
            return None;
        }
        let (position, sent_at) = (pending.position, pending.sent_at);
        Some((self.remove(id)?, position, sent_at))
    }

    /// Takes one out: it is given up.
    pub(crate) fn remove(&mut self, id: u64) -> Option<A> {
        let pending = self.pending.remove(&id)?;
        self.kept -= pending.kept();
        Some(pending.ack)
    }

    /// Takes out all of them, in order.
    pub(crate) fn remove_all(&mut self) -> Vec<(u64, A)> {
        self.remove_where(|_| true)
    }

    /// Whether the event of this id was handed to a session.
    pub(crate) fn is_sent(&self, id: u64) -> bool {
        self.pending.get(&id).is_some_and(|pending| pending.sent)
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    fn remove_where(&mut self, choose: impl Fn(&Pending<A>) -> bool) -> Vec<(u64, A)> {
        // A heap sorts with a fraction of the code.
        let ids: BinaryHeap<u64> = self
            .pending
            .iter()
            .filter_map(|(id, pending)| choose(pending).then_some(*id))
            .collect();
        ids.into_sorted_vec().into_iter().filter_map(|id| Some((id, self.remove(id)?))).collect()
    }
}

impl<A> Acks<Waiter<A>> {
    /// How many are those of callers.
    pub(crate) fn len_of_callers(&self) -> usize {
        let of_callers = |pending: &&Pending<_>| matches!(pending.ack, Waiter::Caller(_));
        self.pending.values().filter(of_callers).count()
    }

    /// Takes out, in order, those of callers whose events were sent.
    pub(crate) fn remove_sent_of_callers(&mut self) -> Vec<(u64, Waiter<A>)> {
        self.remove_where(|pending| pending.sent && matches!(pending.ack, Waiter::Caller(_)))
    }

    /// Takes out, in order, those of callers.
    pub(crate) fn remove_of_callers(&mut self) -> Vec<(u64, Waiter<A>)> {
        self.remove_where(|pending| matches!(pending.ack, Waiter::Caller(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_are_not_used_again() {
        let mut acks = Acks::new(0);
        assert_eq!(acks.register("a"), 0);
        assert_eq!(acks.remove(0), Some("a"));
        assert_eq!(acks.register("b"), 1);
        assert_eq!(acks.remove(0), None);
    }

    #[test]
    fn what_is_sent_again_keeps_the_position_of_the_first_time() {
        let mut acks = Acks::new(0);
        let id = acks.register("a");
        let now = Timestamp(std::time::Duration::ZERO);
        acks.mark_sent(id, None, 0, (3, now));
        assert_eq!(acks.pending[&id].sent_at, Some(now));
        acks.mark_sent(id, None, 0, (8, now));
        assert_eq!(acks.answer(id, |_| true), Some(("a", 3, None)));
    }

    #[test]
    fn those_of_callers_are_counted_and_taken_out_apart_from_those_of_retries() {
        let mut acks = Acks::new(3);
        acks.register(Waiter::Caller("a"));
        acks.register(Waiter::Retry);
        acks.register(Waiter::Caller("b"));
        assert_eq!((acks.next(), acks.len(), acks.len_of_callers()), (6, 3, 2));
        assert_eq!(acks.remove_of_callers(), [(3, Waiter::Caller("a")), (5, Waiter::Caller("b"))]);
        assert!(acks.is_pending(4) && !acks.is_pending(3));
    }

    #[test]
    fn an_answer_makes_room_for_the_next_event_that_is_kept() {
        let now = Timestamp(std::time::Duration::ZERO);
        let event = Arc::new(Payload { json: "[1234]".into(), attachments: Vec::new() });
        let mut acks = Acks::new(0);
        for number in 0..3 {
            acks.register("a");
            acks.mark_sent(number, Some((Arc::clone(&event), number)), 10, (number, now));
            assert!(acks.answer(number, |_| true).is_some());
        }
        for number in 3..5 {
            acks.register("a");
            acks.mark_sent(number, Some((Arc::clone(&event), number)), 10, (number, now));
        }
        let kept: Vec<u64> = acks.take_events().into_iter().map(|(_, order)| order).collect();
        assert_eq!(kept, [3], "for both there is no room");
    }

    #[test]
    fn only_sent_ones_end_with_the_session() {
        let mut acks = Acks::new(0);
        let sent = acks.register(Waiter::Caller("sent"));
        let tried = acks.register(Waiter::Retry);
        let buffered = acks.register(Waiter::Caller("buffered"));
        let now = Timestamp(std::time::Duration::ZERO);
        acks.mark_sent(sent, None, 0, (1, now));
        acks.mark_sent(tried, None, 0, (2, now));
        assert!(acks.is_sent(tried) && !acks.is_sent(buffered));
        assert_eq!(acks.remove_sent_of_callers(), [(0, Waiter::Caller("sent"))]);
        assert_eq!(acks.len(), 2);
    }
}
