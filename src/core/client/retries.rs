//! Sending events again until the server acknowledges them.

use std::time::Duration;

use super::acks::Waiter;
use super::namespace::Phase;
use super::outgoing::{Sendable, Waiting};
use super::retry_queue::{QueuedEvent, RetryQueue};
use super::timer::Timer;
use super::{Client, Output};
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::drop_reason::DropReason;
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::logging::log_later;

/// An event that was taken out of the queue, and the acknowledgement that its try waits for.
type Retry<A> = (QueuedEvent<A>, Option<u64>);

impl<A> Client<A> {
    /// Has the events of a namespace sent again, this often, until they are acknowledged.
    pub(crate) fn set_retries(&mut self, id: NamespaceId, retries: Option<u32>) {
        if !self.namespaces.is_in_use(id) {
            return;
        }
        if retries.is_none() {
            let error = Error::new(ErrorKind::Disconnected, "retries were switched off");
            self.abandon_retries(id, &error);
        }
        let Some(namespace) = self.namespace_mut(id) else { return };
        match (&mut namespace.retry, retries) {
            (Some(queue), Some(retries)) => queue.set_retries(retries),
            (queue, retries) => *queue = retries.map(RetryQueue::new),
        }
    }

    /// Queues an event. The limit is that of each try.
    pub(super) fn queue_for_retry(
        &mut self,
        id: NamespaceId,
        payload: Payload,
        caller: Option<A>,
        limit: Option<Duration>,
        now: Timestamp,
    ) {
        let order = self.next_order();
        if let Some(queue) = self.retry_queue(id) {
            queue.push(payload, caller, limit, order);
        }
        self.try_next(id, now);
    }

    /// Sends the first event of the queue, unless it is under way.
    pub(super) fn try_next(&mut self, id: NamespaceId, now: Timestamp) {
        if let Some(number) = self.begin_try(id, now) {
            let order = self.next_order();
            self.make_ready(Waiting::new(id, Sendable::Try(number), order));
        }
    }

    fn begin_try(&mut self, id: NamespaceId, now: Timestamp) -> Option<u64> {
        let namespace = self.namespaces.get_mut(id)?;
        if namespace.phase != Phase::Joined {
            return None;
        }
        let queue = namespace.retry.as_mut().filter(|queue| queue.is_ready())?;
        let number = namespace.acks.register(Waiter::Retry);
        let limit = queue.begin_try(number)?.limit;
        self.timers.set(Timer::Ack(id, number), limit.map(|limit| now + limit));
        Some(number)
    }

    /// The try was acknowledged, whatever the server answered.
    pub(super) fn try_succeeded(&mut self, id: NamespaceId, packet: SocketPacket, now: Timestamp) {
        let Some((event, _)) = self.first_retry(id) else { return };
        if let Some(ack) = event.caller {
            self.outputs.push_back(Output::Acked { ack, result: Ok(packet) });
        }
        self.outputs.push_back(Output::Room);
        self.try_next(id, now);
    }

    /// The limit of the try has passed on a living connection.
    pub(super) fn try_timed_out(&mut self, id: NamespaceId, now: Timestamp) {
        let Some(queue) = self.retry_queue(id) else { return };
        if let Some(tries) = queue.fail_try() {
            let error =
                Error::new(ErrorKind::Timeout, format!("not acknowledged in {tries} tries"));
            self.give_up_first(id, DropReason::Unacknowledged, &error);
        }
        self.try_next(id, now);
    }

    /// The connection was lost: the try does not count, since nobody can tell what became of it.
    pub(super) fn try_interrupted(&mut self, id: NamespaceId) {
        if let Some(queue) = self.retry_queue(id) {
            queue.undo_try();
        }
    }

    /// The session ended before the try was handed to it.
    pub(super) fn try_undone(&mut self, id: NamespaceId, number: u64) {
        self.forget_ack(id, Some(number));
        self.try_interrupted(id);
    }

    /// The server would not take the event that is tried: it is the turn of the next.
    pub(super) fn give_up_try(&mut self, id: NamespaceId, error: &Error, now: Timestamp) {
        self.give_up_first(id, DropReason::TooLarge, error);
        self.try_next(id, now);
    }

    /// Takes out the events of the queue that were never sent.
    pub(super) fn take_untried(
        &mut self,
        id: NamespaceId,
        error: &Error,
        now: Timestamp,
    ) -> Vec<Payload> {
        // What waits for a writer was not tried yet.
        let is_try = |it: &Waiting| it.namespace == id && matches!(it.content, Sendable::Try(_));
        for number in self.ready.take_all(is_try).iter().filter_map(Waiting::ack) {
            self.try_undone(id, number);
        }
        let mut untried = self.retry_queue(id).map(RetryQueue::take_untried).unwrap_or_default();
        let callers = untried.iter_mut().filter_map(|event| event.caller.take());
        let failed = callers.map(|ack| Output::Acked { ack, result: Err(error.clone()) });
        self.outputs.extend(failed);
        self.try_next(id, now);
        untried.into_iter().map(|event| event.payload).collect()
    }

    /// Gives up all events of the queue.
    pub(super) fn abandon_retries(&mut self, id: NamespaceId, error: &Error) {
        while let Some(first) = self.first_retry(id) {
            self.drop_retry(id, first, None, error);
        }
        self.outputs.push_back(Output::Room);
    }

    /// Gives up the event that is the first to give way.
    pub(super) fn drop_oldest_retry(&mut self, id: NamespaceId, error: &Error) {
        let oldest = self.retry_queue(id).and_then(RetryQueue::pop_oldest);
        if let Some(oldest) = oldest {
            self.drop_retry(id, oldest, Some(DropReason::GaveWay), error);
        }
    }

    /// Gives up the first event of the queue.
    fn give_up_first(&mut self, id: NamespaceId, reason: DropReason, error: &Error) {
        log_later!(Warn, "an event is given up: {error}");
        if let Some(first) = self.first_retry(id) {
            self.drop_retry(id, first, Some(reason), error);
        }
        self.outputs.push_back(Output::Room);
    }

    /// Takes out the first event of the queue.
    fn first_retry(&mut self, id: NamespaceId) -> Option<Retry<A>> {
        self.retry_queue(id)?.pop()
    }

    fn retry_queue(&mut self, id: NamespaceId) -> Option<&mut RetryQueue<A>> {
        self.namespace_mut(id)?.retry.as_mut()
    }

    /// An event is not tried again, and nobody waits for the answer to its last try.
    fn drop_retry(
        &mut self,
        id: NamespaceId,
        (event, number): Retry<A>,
        reason: Option<DropReason>,
        error: &Error,
    ) {
        if let Some(number) = number {
            self.withdraw(id, number);
        }
        self.forget_ack(id, number);
        self.note_drop(id, Load::from(&event.payload), reason);
        if let Some(ack) = event.caller {
            self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
        }
    }
}
