//! Events that wait for their acknowledgement.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::load::Load;
use crate::payload::Payload;

/// The events of one namespace that are sent again until they are acknowledged: in order, one at a
/// time.
#[derive(Debug)]
pub(crate) struct RetryQueue<A> {
    /// How often an event is sent again after its first try.
    retries: u32,
    events: VecDeque<QueuedEvent<A>>,
    bytes: usize,
    /// The acknowledgement that the first event waits for, while a try is under way.
    under_way: Option<u64>,
}

/// The order in which the events that are kept give way: the least is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age {
    /// It was handed to the session, and its acknowledgement is awaited.
    pub(super) under_way: bool,
    /// Its place in the order in which the events of all namespaces came.
    pub(super) order: u64,
    /// It waits in a queue of retries.
    pub(super) is_retried: bool,
}

/// An event of such a queue.
#[derive(Debug)]
pub(super) struct QueuedEvent<A> {
    pub(super) payload: Payload,
    /// The caller who wants the acknowledgement.
    pub(super) caller: Option<A>,
    /// The limit of each try.
    pub(super) limit: Option<Duration>,
    order: u64,
    /// How often it was tried, this time included.
    tries: u32,
}

impl<A> RetryQueue<A> {
    pub(super) fn new(retries: u32) -> Self {
        Self { retries, events: VecDeque::new(), bytes: 0, under_way: None }
    }

    pub(super) fn set_retries(&mut self, retries: u32) {
        self.retries = retries;
    }

    pub(super) fn load(&self) -> Load {
        Load { packets: self.events.len(), bytes: self.bytes }
    }

    /// Appends an event.
    pub(super) fn push(
        &mut self,
        payload: Payload,
        caller: Option<A>,
        limit: Option<Duration>,
        order: u64,
    ) {
        self.bytes += payload.size();
        self.events.push_back(QueuedEvent { payload, caller, limit, order, tries: 0 });
    }

    /// The event that waits for the acknowledgement of this number.
    pub(super) fn tried(&self, number: u64) -> Option<&Payload> {
        self.under_way.filter(|under_way| *under_way == number)?;
        self.events.front().map(|event| &event.payload)
    }

    /// The limit of the try that is under way.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.events.front()?.limit
    }

    pub(super) fn has_try_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The age of the event that is the first to give way.
    pub(super) fn oldest(&self) -> Option<Age> {
        let under_way = self.gives_way()? == 0 && self.has_try_under_way();
        let order = self.events.get(self.gives_way()?)?.order;
        Some(Age { under_way, order, is_retried: true })
    }

    /// Takes out the event that is the first to give way, and the acknowledgement that its try
    /// waits for.
    pub(super) fn pop_oldest(&mut self) -> Option<(QueuedEvent<A>, Option<u64>)> {
        let index = self.gives_way()?;
        if index == 0 {
            return self.pop();
        }
        // Only the try under way is before it.
        let event = self.events.swap_remove_front(index)?;
        self.bytes -= event.payload.size();
        Some((event, None))
    }

    /// The place of the event that is the first to give way: the oldest that was not handed to the
    /// session, or else the oldest.
    fn gives_way(&self) -> Option<usize> {
        let last = self.events.len().checked_sub(1)?;
        Some(last.min(usize::from(self.has_try_under_way())))
    }

    /// The events, in order, and whether each was tried.
    pub(super) fn events(&self) -> impl Iterator<Item = (&Payload, bool)> {
        self.events.iter().map(|event| (&event.payload, event.tries > 0))
    }

    /// Takes out the events that were not tried yet.
    pub(super) fn take_untried(&mut self) -> Vec<QueuedEvent<A>> {
        let is_untried = |event: &QueuedEvent<A>| event.tries == 0;
        let (untried, kept): (VecDeque<_>, _) = self.events.drain(..).partition(is_untried);
        self.events = kept;
        self.bytes = self.events.iter().map(|event| event.payload.size()).sum();
        untried.into()
    }

    /// Takes out the first event, and the acknowledgement that its try waits for.
    pub(super) fn pop(&mut self) -> Option<(QueuedEvent<A>, Option<u64>)> {
        let event = self.events.pop_front()?;
        self.bytes -= event.payload.size();
        Some((event, self.under_way.take()))
    }

    /// Whether the first event is to be tried: there is one, and no try is under way.
    pub(super) fn is_ready(&self) -> bool {
        self.under_way.is_none() && !self.events.is_empty()
    }

    /// Begins the next try of the first event, under the number of its acknowledgement.
    pub(super) fn begin_try(&mut self, number: u64) -> Option<&QueuedEvent<A>> {
        let event = self.events.front_mut()?;
        event.tries = event.tries.saturating_add(1);
        self.under_way = Some(number);
        Some(event)
    }

    /// The try under way came to nothing. `Some`: it was the last of so many.
    pub(super) fn fail_try(&mut self) -> Option<u32> {
        self.under_way = None;
        self.events.front().map(|event| event.tries).filter(|tries| *tries > self.retries)
    }

    /// The try under way does not count, since nobody can tell what became of it.
    pub(super) fn undo_try(&mut self) {
        if self.under_way.take().is_some() {
            if let Some(event) = self.events.front_mut() {
                event.tries = event.tries.saturating_sub(1);
            }
        }
    }
}
