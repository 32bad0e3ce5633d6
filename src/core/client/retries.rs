//! Sending events again until the server acknowledges them.

use super::acks::Waiter;
use super::leaving::closed_for_good;
use super::namespace::Phase;
use super::retry_queue::{QueuedEvent, RetryQueue};
use super::timer::Timer;
use super::{Client, Emit, Output};
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::{Sendable, Waiting};
use crate::error::{Error, ErrorKind};
use crate::event::drop_reason::DropReason;
use crate::event::status::DisconnectReason;
use crate::options::retry_limits::RetryLimits;
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::logging::log_later;
use std::sync::Arc;

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
        if let Some(queue) = self.retry_queue(id) {
            queue.set_retries(retries);
        }
        // Who waits for room to send once may now be taken, or refused.
        self.outputs.push_back(Output::Changed);
    }

    /// Sets the bounds of sending events of a namespace again.
    pub(crate) fn set_retry_limits(&mut self, id: NamespaceId, limits: RetryLimits) {
        if let Some(queue) = self.retry_queue(id) {
            queue.set_limits(limits);
        }
    }

    /// Queues an event. Its limit is that of each try, or that of the whole if it is reliable.
    pub(super) fn queue_for_retry(&mut self, id: NamespaceId, emit: Emit<A>, now: Timestamp) {
        let order = self.next_order();
        let Some(namespace) = self.namespaces.get_mut(id) else { return };
        if emit.reliable {
            let since = emit.since.unwrap_or(now);
            let deadline = emit.timeout.map(|limit| since + limit);
            self.timers.set(Timer::Reliable(id, order), deadline);
        }
        namespace.retry.push(emit, order);
        self.try_next(id, now);
    }

    /// Sends the events whose turn it is.
    pub(super) fn try_next(&mut self, id: NamespaceId, now: Timestamp) {
        while let Some(number) = self.begin_try(id) {
            self.make_try_ready(id, number, now);
        }
    }

    fn begin_try(&mut self, id: NamespaceId) -> Option<u64> {
        let namespace = self.namespace_mut(id)?;
        if namespace.phase != Phase::Joined || !namespace.retry.is_ready() {
            return None;
        }
        let number = namespace.acks.register(Waiter::Retry);
        namespace.retry.begin_try(number);
        Some(number)
    }

    fn make_try_ready(&mut self, id: NamespaceId, number: u64, now: Timestamp) {
        let Some(queue) = self.retry_queue(id) else { return };
        let Some(event) = queue.tried_mut(number) else { return };
        event.batch = None;
        let (order, limit) = (event.order, event.limit);
        self.timers.set(Timer::Try(id, number), limit.map(|limit| now + limit));
        self.make_ready(Waiting::new(id, Sendable::Try(number), order));
    }

    /// A try was handed to the session, which writes it in this batch.
    pub(super) fn note_batch(&mut self, id: NamespaceId, number: u64, batch: u64) {
        if let Some(event) = self.retry_queue(id).and_then(|queue| queue.tried_mut(number)) {
            event.batch = Some(batch);
            event.was_sent = true;
        }
    }

    /// The server would not take the event that is tried.
    pub(super) fn give_up_try(
        &mut self,
        id: NamespaceId,
        number: u64,
        error: &Error,
        now: Timestamp,
    ) {
        self.give_up_first(id, |event| event.number == Some(number), DropReason::TooLarge, error);
        self.try_next(id, now);
    }

    /// The try was acknowledged, whatever the server answered.
    pub(super) fn try_succeeded(&mut self, id: NamespaceId, packet: SocketPacket, now: Timestamp) {
        let Some(queue) = self.retry_queue(id) else { return };
        let Some(mut event) = queue.take_first(|event| event.number == packet.id) else { return };
        self.settle_retry(id, &event);
        if let Some(ack) = event.caller.take() {
            self.outputs.push_back(Output::Acked { ack, result: Ok(packet) });
        }
        self.outputs.push_back(Output::Changed);
        self.try_next(id, now);
    }

    /// The limit of the try has passed on a living connection.
    pub(super) fn try_timed_out(&mut self, id: NamespaceId, number: u64, now: Timestamp) {
        let Some(event) = self.namespace(id).retry.tried(number) else { return };
        // What waits for a writer was not tried yet. What is reliable is not given to a link twice that
        // is slow; one that is dead ends by itself.
        let is_on_its_way = if event.reliable {
            !event.batch.is_some_and(|batch| self.is_written(batch))
        } else {
            event.batch.is_none()
        };
        if is_on_its_way {
            let deadline = event.limit.map(|limit| now + limit);
            return self.timers.set(Timer::Try(id, number), deadline);
        }
        if event.reliable {
            self.go_back(id, number, now);
        } else {
            self.fail_try(id, number);
        }
        self.try_next(id, now);
    }

    /// Sends a reliable event again, and those behind it, so that what the server takes is in order.
    /// The numbers stay: a late acknowledgement is as good as any.
    fn go_back(&mut self, id: NamespaceId, number: u64, now: Timestamp) {
        let tries = self.namespace(id).retry.tries_from(number);
        let (name, others) = (&self.namespace(id).name, tries.len() - 1);
        log_later!(Debug, in name, "not acknowledged in time: sent again, with {others} others");
        for number in tries {
            self.withdraw(id, number);
            self.make_try_ready(id, number, now);
        }
    }

    fn is_written(&self, batch: u64) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.is_written(batch))
    }

    /// Takes out the events of the queue that were never sent.
    pub(super) fn take_untried(
        &mut self,
        id: NamespaceId,
        error: &Error,
        now: Timestamp,
    ) -> Vec<(Payload, u64)> {
        let mut untried = Vec::new();
        let take = |queue: &mut RetryQueue<A>| queue.take_first(|event| !event.was_sent);
        while let Some(event) = self.retry_queue(id).and_then(take) {
            self.settle_retry(id, &event);
            let failed = event.caller.map(|ack| Output::Acked { ack, result: Err(error.clone()) });
            self.outputs.extend(failed);
            untried.push((Arc::unwrap_or_clone(event.payload), event.order));
        }
        self.try_next(id, now);
        untried
    }

    fn fail_try(&mut self, id: NamespaceId, number: u64) {
        self.end_try(id, number);
        let Some(tries) = self.retry_queue(id).and_then(RetryQueue::fail_try) else { return };
        let error = Error::new(ErrorKind::Timeout, format!("not acknowledged in {tries} tries"));
        self.give_up_first(id, |_| true, DropReason::Unacknowledged, &error);
    }

    /// The limit of a reliable event has passed.
    pub(super) fn reliable_timed_out(&mut self, id: NamespaceId, order: u64, now: Timestamp) {
        let error = Error::new(ErrorKind::Timeout, "no acknowledgement in time");
        self.give_up_first(id, |event| event.order == order, DropReason::Unacknowledged, &error);
        self.try_next(id, now);
    }

    /// The namespace was left. Nobody can tell what became of the tries under way, and the first of
    /// them may be the cause.
    pub(super) fn interrupt_tries(&mut self, id: NamespaceId, reason: DisconnectReason) {
        let Some(namespace) = self.namespaces.get_mut(id) else { return };
        let tries = namespace.retry.end_tries();
        let was_sent = tries.first().is_some_and(|number| namespace.acks.is_sent(*number));
        for number in tries {
            self.end_try(id, number);
        }
        let is_ours = reason == DisconnectReason::IoClientDisconnect || reason.is_forced();
        if is_ours || !was_sent {
            return;
        }
        let Some(count) = self.retry_queue(id).and_then(RetryQueue::interrupt_first) else {
            return;
        };
        let error = Error::new(
            ErrorKind::Undeliverable,
            format!("the connection ended {count} times while this event was sent: {reason}"),
        )
        .with_hint("is it too large for the server, or does it make the server fail?");
        self.give_up_first(id, |_| true, DropReason::Unacknowledged, &error);
    }

    /// Gives up all events of the queue.
    pub(super) fn abandon_retries(&mut self, id: NamespaceId, error: &Error) {
        while let Some(event) = self.retry_queue(id).and_then(|queue| queue.take_first(|_| true)) {
            self.drop_retry(id, event, None, error);
        }
        self.outputs.push_back(Output::Changed);
    }

    /// Hands back the events of the queue, which are not sent any more.
    pub(super) fn take_retries(&mut self, id: NamespaceId) -> Vec<QueuedEvent<A>> {
        let mut taken = Vec::new();
        while let Some(mut event) =
            self.retry_queue(id).and_then(|queue| queue.take_first(|_| true))
        {
            self.settle_retry(id, &event);
            if let Some(ack) = event.caller.take() {
                self.outputs.push_back(Output::Acked { ack, result: Err(closed_for_good()) });
            }
            taken.push(event);
        }
        taken
    }

    /// Gives up the event that is the first to give way.
    pub(super) fn drop_oldest_retry(&mut self, id: NamespaceId, error: &Error) {
        if let Some(event) = self.retry_queue(id).and_then(RetryQueue::take_oldest) {
            self.drop_retry(id, event, Some(DropReason::GaveWay), error);
        }
    }

    /// Gives up the first event that is as described.
    fn give_up_first(
        &mut self,
        id: NamespaceId,
        is_it: impl Fn(&QueuedEvent<A>) -> bool,
        reason: DropReason,
        error: &Error,
    ) {
        if let Some(event) = self.retry_queue(id).and_then(|queue| queue.take_first(is_it)) {
            let name = &self.namespace(id).name;
            log_later!(Warn, in name, "an event is given up: {error:#}");
            self.drop_retry(id, event, Some(reason), error);
        }
        self.outputs.push_back(Output::Changed);
    }

    fn retry_queue(&mut self, id: NamespaceId) -> Option<&mut RetryQueue<A>> {
        Some(&mut self.namespace_mut(id)?.retry)
    }

    fn drop_retry(
        &mut self,
        id: NamespaceId,
        event: QueuedEvent<A>,
        reason: Option<DropReason>,
        error: &Error,
    ) {
        self.settle_retry(id, &event);
        self.note_drop(id, Load::from(&*event.payload), reason);
        if let Some(ack) = event.caller {
            self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
        }
    }

    /// An event was taken out of the queue, and nothing is awaited for it any more.
    fn settle_retry(&mut self, id: NamespaceId, event: &QueuedEvent<A>) {
        self.timers.set(Timer::Reliable(id, event.order), None);
        if let Some(number) = event.number {
            self.end_try(id, number);
        }
    }

    /// Nobody waits any more for the acknowledgement of a try.
    fn end_try(&mut self, id: NamespaceId, number: u64) {
        self.timers.set(Timer::Try(id, number), None);
        self.withdraw(id, number);
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.acks.remove(number);
        }
    }
}
