//! Events that are sent again until the server acknowledges them: in order, one at a time.

use std::collections::VecDeque;

use super::acks::Waiter;
use super::namespace::Phase;
use super::timer::Timer;
use super::{Client, Output};
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::lock::log_later;

/// The queue of one namespace.
#[derive(Debug)]
pub(crate) struct RetryQueue<A> {
    /// How often an event is sent again after its first try.
    retries: u32,
    events: VecDeque<QueuedEvent<A>>,
    bytes: usize,
}

#[derive(Debug)]
struct QueuedEvent<A> {
    payload: Payload,
    /// The caller who wants the acknowledgement.
    caller: Option<A>,
    /// The limit of each try.
    limit: Option<std::time::Duration>,
    tries: u32,
    /// The acknowledgement that the current try waits for.
    in_flight: Option<u64>,
}

impl<A> RetryQueue<A> {
    pub(crate) fn new(retries: u32) -> Self {
        Self { retries, events: VecDeque::new(), bytes: 0 }
    }

    pub(crate) fn load(&self) -> Load {
        Load { packets: self.events.len(), bytes: self.bytes }
    }

    fn pop(&mut self) -> Option<QueuedEvent<A>> {
        let event = self.events.pop_front()?;
        self.bytes -= event.payload.size();
        Some(event)
    }
}

impl<A> Client<A> {
    /// Has the events of a namespace sent again, this often, until they are acknowledged.
    pub(crate) fn set_retries(&mut self, id: NamespaceId, retries: Option<u32>) {
        match (&mut self.namespace_mut(id).retry, retries) {
            (Some(queue), Some(retries)) => queue.retries = retries,
            (Some(_), None) => {
                let error = Error::new(ErrorKind::Disconnected, "retries were switched off");
                self.abandon_retries(id, &error);
                self.namespace_mut(id).retry = None;
            }
            (None, _) => self.namespace_mut(id).retry = retries.map(RetryQueue::new),
        }
    }

    /// Queues an event. The limit is that of each try.
    pub(super) fn queue_for_retry(
        &mut self,
        id: NamespaceId,
        payload: Payload,
        caller: Option<A>,
        limit: Option<std::time::Duration>,
        now: Timestamp,
    ) {
        if let Some(queue) = &mut self.namespace_mut(id).retry {
            queue.bytes += payload.size();
            queue.events.push_back(QueuedEvent {
                payload,
                caller,
                limit,
                tries: 0,
                in_flight: None,
            });
        }
        self.try_next(id, now);
    }

    /// Sends the first event of the queue, unless it is under way.
    pub(super) fn try_next(&mut self, id: NamespaceId, now: Timestamp) {
        // What the server would not take is given up, and then it is the turn of the next.
        while let Some((number, payload)) = self.begin_try(id, now) {
            let Err(error) = self.send_event(id, payload, Some(number)) else { return };
            self.forget_ack(id, Some(number));
            self.give_up_first(id, &error);
        }
    }

    fn begin_try(&mut self, id: NamespaceId, now: Timestamp) -> Option<(u64, Payload)> {
        let namespace = self.namespace_mut(id);
        if namespace.phase != Phase::Joined {
            return None;
        }
        let event = namespace.retry.as_mut()?.events.front_mut()?;
        if event.in_flight.is_some() {
            return None;
        }
        let number = namespace.acks.register(Waiter::Retry);
        event.tries = event.tries.saturating_add(1);
        event.in_flight = Some(number);
        let payload = event.payload.clone();
        let limit = event.limit;
        self.timers.set(Timer::Ack(id, number), limit.map(|limit| now + limit));
        Some((number, payload))
    }

    /// Drops the first event of the queue.
    fn give_up_first(&mut self, id: NamespaceId, error: &Error) {
        let event = self.namespace_mut(id).retry.as_mut().and_then(RetryQueue::pop);
        log_later!(Warn, "an event is given up: {error}");
        self.tally.dropped += 1;
        if let Some(ack) = event.and_then(|event| event.caller) {
            self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
        }
        self.outputs.push_back(Output::Room);
    }

    /// The try was acknowledged, whatever the server answered.
    pub(super) fn try_succeeded(&mut self, id: NamespaceId, packet: SocketPacket, now: Timestamp) {
        let Some(event) = self.namespace_mut(id).retry.as_mut().and_then(RetryQueue::pop) else {
            return;
        };
        if let Some(ack) = event.caller {
            self.outputs.push_back(Output::Acked { ack, result: Ok(packet) });
        }
        self.outputs.push_back(Output::Room);
        self.try_next(id, now);
    }

    /// The limit of the try has passed on a living connection.
    pub(super) fn try_timed_out(&mut self, id: NamespaceId, now: Timestamp) {
        let Some(queue) = &mut self.namespace_mut(id).retry else { return };
        let retries = queue.retries;
        let Some(event) = queue.events.front_mut() else { return };
        event.in_flight = None;
        if event.tries > retries {
            let tries = event.tries;
            let error =
                Error::new(ErrorKind::Timeout, format!("not acknowledged in {tries} tries"));
            self.give_up_first(id, &error);
        }
        self.try_next(id, now);
    }

    /// The connection was lost: the try does not count, since nobody can tell what became of it.
    pub(super) fn try_interrupted(&mut self, id: NamespaceId) {
        let Some(queue) = &mut self.namespace_mut(id).retry else { return };
        if let Some(event) = queue.events.front_mut() {
            if event.in_flight.take().is_some() {
                event.tries = event.tries.saturating_sub(1);
            }
        }
    }

    /// Gives up all events of the queue.
    pub(super) fn abandon_retries(&mut self, id: NamespaceId, error: &Error) {
        while let Some(event) = self.namespace_mut(id).retry.as_mut().and_then(RetryQueue::pop) {
            self.tally.dropped += 1;
            if let Some(ack) = event.caller {
                self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
            }
        }
    }
}
