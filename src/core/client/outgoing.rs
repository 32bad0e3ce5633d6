//! Queues of what waits to be sent.

use std::collections::VecDeque;

use crate::core::load::Load;
use crate::core::waiting::Waiting;

/// What waits to be sent. What is urgent goes out before the rest, and within each class the order is
/// kept.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    urgent: VecDeque<Waiting>,
    normal: VecDeque<Waiting>,
    load: Load,
}

/// For so many there is room without asking for memory.
const ROOM: usize = 32;

impl Outgoing {
    /// Appends to its class.
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.load = self.load + waiting.load();
        self.class(waiting.urgent).push_back(waiting);
    }

    /// Puts before all others of its class what was taken out.
    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.load = self.load + waiting.load();
        self.class(waiting.urgent).push_front(waiting);
    }

    /// Takes out what goes out next.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let class = if self.urgent.is_empty() { &mut self.normal } else { &mut self.urgent };
        let waiting = class.pop_front()?;
        self.load = self.load - waiting.load();
        Some(waiting)
    }

    /// Gives back the memory that a burst has taken, once that is over.
    pub(crate) fn rest(&mut self) {
        for class in [&mut self.urgent, &mut self.normal] {
            if class.is_empty() && class.capacity() > ROOM {
                *class = VecDeque::new();
            }
        }
    }

    /// The event that is the first to give way: the oldest of those that are not urgent, or else of
    /// the others.
    pub(crate) fn oldest(&self) -> Option<&Waiting> {
        let is_event = |waiting: &&Waiting| waiting.is_event();
        self.normal.iter().find(is_event).or_else(|| self.urgent.iter().find(is_event))
    }

    /// Takes out the event that is the first to give way.
    pub(crate) fn take_oldest(&mut self) -> Option<Waiting> {
        let order = self.oldest()?.order;
        self.take_first(|waiting| waiting.order == order)
    }

    /// Takes out the first one that is as described.
    pub(crate) fn take_first(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        for class in [&mut self.urgent, &mut self.normal] {
            if let Some(index) = class.iter().position(&is_it) {
                let waiting = class.remove(index)?;
                self.load = self.load - waiting.load();
                return Some(waiting);
            }
        }
        None
    }

    /// Takes out all that is as described, in the order in which it would have gone out.
    pub(crate) fn take_all(&mut self, is_it: impl Fn(&Waiting) -> bool) -> VecDeque<Waiting> {
        let mut taken = VecDeque::new();
        for class in [&mut self.urgent, &mut self.normal] {
            let (out, kept) = class.drain(..).partition(&is_it);
            *class = kept;
            taken.extend::<VecDeque<_>>(out);
        }
        self.load = taken.iter().fold(self.load, |load, waiting| load - waiting.load());
        taken
    }

    /// What waits, in the order in which it will go out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.urgent.iter().chain(&self.normal)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.normal.is_empty()
    }

    /// How much waits.
    pub(crate) fn load(&self) -> Load {
        self.load
    }

    fn class(&mut self, urgent: bool) -> &mut VecDeque<Waiting> {
        if urgent { &mut self.urgent } else { &mut self.normal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::NamespaceId;
    use crate::core::waiting::Sendable;
    use crate::payload::Payload;

    fn push(outgoing: &mut Outgoing, count: u64, urgent: bool) {
        for order in 0..count {
            let content = Sendable::Event(Payload::default(), None);
            outgoing.push(Waiting { urgent, ..Waiting::new(NamespaceId(0), content, order) });
        }
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back_and_that_of_a_few_kept() {
        let mut outgoing = Outgoing::default();
        push(&mut outgoing, ROOM as u64, false);
        while outgoing.pop().is_some() {}
        outgoing.rest();
        assert_eq!(outgoing.normal.capacity(), ROOM);
        push(&mut outgoing, 1000, false);
        while outgoing.pop().is_some() {
            outgoing.rest();
        }
        assert_eq!(outgoing.normal.capacity(), 0);
    }

    #[test]
    fn it_is_empty_when_nothing_of_either_class_waits() {
        let mut outgoing = Outgoing::default();
        assert!(outgoing.is_empty());
        for urgent in [true, false] {
            push(&mut outgoing, 1, urgent);
            assert!(!outgoing.is_empty(), "{urgent}");
            outgoing.pop();
        }
        assert!(outgoing.is_empty());
    }
}
