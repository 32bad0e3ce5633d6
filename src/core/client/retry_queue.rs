//! Events that wait for their acknowledgement.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Emit;
use crate::core::load::Load;
use crate::options::retry_limits::RetryLimits;
use crate::payload::Payload;

/// The events of one namespace that are sent again until they are acknowledged, in the order in
/// which they were emitted. The first of them are under way, and reach the server in this order too.
///
/// Reliable ones go as many at a time as the window has. It is counted from the oldest of them on, so
/// that none is sent again after as many others were sent. The others go one at a time.
#[derive(Debug)]
pub(crate) struct RetryQueue<A> {
    /// How often an event that is not reliable is sent again after its first try. `None`: there are
    /// none.
    retries: Option<u32>,
    limits: RetryLimits,
    events: VecDeque<QueuedEvent<A>>,
    bytes: usize,
    /// How many of the first events are under way.
    under_way: usize,
    /// How many events were tried.
    tried: u64,
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
    pub(super) payload: Arc<Payload>,
    /// The caller who wants the acknowledgement.
    pub(super) caller: Option<A>,
    /// The limit of each try.
    pub(super) limit: Option<Duration>,
    /// Its place in the order in which the events of all namespaces came.
    pub(super) order: u64,
    pub(super) reliable: bool,
    /// The acknowledgement that it waits for, while it is under way.
    pub(super) number: Option<u64>,
    /// The batch in which it is written, once it is handed to the session.
    pub(super) batch: Option<u64>,
    /// A session had it.
    pub(super) was_sent: bool,
    /// Its place among the events that were tried.
    place: Option<u64>,
    /// How many tries were not acknowledged in time.
    failures: u32,
    /// How often the connection ended while it was the first under way.
    interruptions: u32,
}

impl<A> RetryQueue<A> {
    pub(super) fn new() -> Self {
        Self {
            retries: None,
            limits: RetryLimits::default(),
            events: VecDeque::new(),
            bytes: 0,
            under_way: 0,
            tried: 0,
        }
    }

    pub(super) fn set_retries(&mut self, retries: Option<u32>) {
        self.retries = retries;
    }

    pub(super) fn set_limits(&mut self, limits: RetryLimits) {
        self.limits = limits;
    }

    /// Whether events that are not reliable are sent again as well.
    pub(super) fn takes_all(&self) -> bool {
        self.retries.is_some()
    }

    pub(super) fn load(&self) -> Load {
        Load { packets: self.events.len(), bytes: self.bytes }
    }

    /// The events.
    #[cfg(any(test, fuzzing))]
    pub(super) fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.events.iter().map(|event| &*event.payload)
    }

    /// Appends an event.
    pub(super) fn push(&mut self, emit: Emit<A>, order: u64) {
        let Emit { payload, ack: caller, timeout, reliable, .. } = emit;
        let limit = if reliable { Some(self.limits.try_limit) } else { timeout };
        self.bytes += payload.size();
        self.events.push_back(QueuedEvent {
            payload: Arc::new(payload),
            caller,
            limit,
            order,
            reliable,
            number: None,
            batch: None,
            was_sent: false,
            place: None,
            failures: 0,
            interruptions: 0,
        });
    }

    /// The age of the event that is the first to give way.
    pub(super) fn oldest(&self) -> Option<Age> {
        let event = self.events.get(self.gives_way()?)?;
        Some(Age { under_way: event.number.is_some(), order: event.order, is_retried: true })
    }

    /// Takes out the event that is the first to give way.
    pub(super) fn take_oldest(&mut self) -> Option<QueuedEvent<A>> {
        self.take(self.gives_way()?)
    }

    /// The place of the event that is the first to give way: the oldest that was not handed to the
    /// session, or else the oldest.
    fn gives_way(&self) -> Option<usize> {
        let is_empty = self.events.is_empty();
        let waits = Some(self.under_way).filter(|index| *index < self.events.len());
        waits.or((!is_empty).then_some(0))
    }

    /// Takes out the first event that is as described.
    pub(super) fn take_first(
        &mut self,
        is_it: impl Fn(&QueuedEvent<A>) -> bool,
    ) -> Option<QueuedEvent<A>> {
        self.take(self.events.iter().position(is_it)?)
    }

    fn take(&mut self, index: usize) -> Option<QueuedEvent<A>> {
        let event = self.events.remove(index)?;
        self.bytes -= event.payload.size();
        self.under_way -= usize::from(event.number.is_some());
        Some(event)
    }

    /// Whether the first event that is not under way may be tried.
    pub(super) fn is_ready(&self) -> bool {
        let Some(next) = self.events.get(self.under_way) else { return false };
        let Some(first) = self.events.front().filter(|_| self.under_way > 0) else { return true };
        // What was interrupted may be what the server cannot bear: the others are not to suffer.
        if !first.reliable || first.interruptions > 0 || !next.reliable {
            return false;
        }
        let place = next.place.unwrap_or(self.tried);
        first.place.is_some_and(|oldest| place - oldest < self.limits.window as u64)
    }

    /// Begins a try of the first event that is not under way, under the number of its
    /// acknowledgement.
    pub(super) fn begin_try(&mut self, number: u64) {
        if let Some(event) = self.events.get_mut(self.under_way) {
            event.number = Some(number);
            if event.place.is_none() {
                event.place = Some(self.tried);
                self.tried += 1;
            }
            self.under_way += 1;
        }
    }

    /// The event whose try is under way with this number.
    pub(super) fn tried(&self, number: u64) -> Option<&QueuedEvent<A>> {
        self.under_way().find(|event| event.number == Some(number))
    }

    /// The same, to be changed.
    pub(super) fn tried_mut(&mut self, number: u64) -> Option<&mut QueuedEvent<A>> {
        let mut under_way = self.events.iter_mut().take(self.under_way);
        under_way.find(|event| event.number == Some(number))
    }

    /// The numbers of the tries under way from this one on, in the order of the events.
    pub(super) fn tries_from(&self, number: u64) -> Vec<u64> {
        let numbers = self.under_way().filter_map(|event| event.number);
        numbers.skip_while(|other| *other != number).collect()
    }

    fn under_way(&self) -> impl Iterator<Item = &QueuedEvent<A>> {
        self.events.iter().take(self.under_way)
    }

    /// The only try under way was not acknowledged in time. `Some`: it was the last of so many.
    pub(super) fn fail_try(&mut self) -> Option<u32> {
        self.end_tries();
        let event = self.events.front_mut()?;
        event.failures = event.failures.saturating_add(1);
        let last = event.failures > self.retries.unwrap_or_default();
        last.then_some(event.failures)
    }

    /// Nothing is under way any more; gives the numbers of the tries.
    pub(super) fn end_tries(&mut self) -> Vec<u64> {
        let ended = self.events.iter_mut().take(std::mem::take(&mut self.under_way));
        ended.filter_map(|event| event.number.take()).collect()
    }

    /// The connection ended while the first event was under way. `Some`: once more than is borne,
    /// after so many times.
    pub(super) fn interrupt_first(&mut self) -> Option<u32> {
        let event = self.events.front_mut()?;
        event.interruptions = event.interruptions.saturating_add(1);
        Some(event.interruptions).filter(|count| *count >= self.limits.interruptions)
    }
}
