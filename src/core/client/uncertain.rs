//! What was written in a session that was lost, and may have arrived.

use std::collections::VecDeque;

use super::Client;
use crate::core::ids::NamespaceId;
use crate::event::undelivered::UndeliveredEvent;

/// The events of lost sessions of which nobody knows whether the server has them, the oldest first. They are not sent
/// again by themselves: whoever sends them again takes them out.
#[derive(Debug, Default)]
pub(super) struct Uncertain {
    events: VecDeque<UndeliveredEvent>,
    /// What they count for, in bytes.
    bytes: usize,
}

impl Uncertain {
    fn push(&mut self, event: UndeliveredEvent) {
        self.bytes += event.weight();
        self.events.push_back(event);
    }

    /// Lets the oldest go until they count for no more than this; gives how many those were.
    fn trim(&mut self, most: usize) -> usize {
        let before = self.events.len();
        while self.bytes > most {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.weight();
        }
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        before - self.events.len()
    }

    /// Takes out those that are as described.
    fn take(&mut self, is_it: impl Fn(&UndeliveredEvent) -> bool) -> Vec<UndeliveredEvent> {
        let (taken, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.events).into_iter().partition(is_it);
        self.events = kept;
        self.bytes -= taken.iter().map(UndeliveredEvent::weight).sum::<usize>();
        taken.into()
    }
}

impl<A> Client<A> {
    /// A session has ended, and left this. Where there is too much, what earlier ones have left gives way.
    pub(super) fn keep_uncertain(&mut self, events: Vec<UndeliveredEvent>) {
        let before = self.uncertain.bytes;
        for event in events {
            self.uncertain.push(event);
        }
        self.trim_uncertain(self.uncertain.bytes - before);
    }

    /// Lets go what there is too much of, but for so much of the newest.
    pub(super) fn trim_uncertain(&mut self, least: usize) {
        let most = self.options.limits.unconfirmed_bytes.max(least);
        self.tally.unconfirmed += self.uncertain.trim(most);
    }

    /// Takes out what was written in this namespace, in sessions that were lost, and may have arrived.
    pub(crate) fn take_unconfirmed(&mut self, id: NamespaceId) -> Vec<UndeliveredEvent> {
        let name = &self.namespaces.get(id).name;
        self.uncertain.take(|event| event.namespace() == &**name)
    }

    /// Takes out all of these.
    pub(super) fn take_uncertain(&mut self) -> Vec<UndeliveredEvent> {
        self.uncertain.take(|_| true)
    }
}
