//! The end of a connection: whether all that was emitted is delivered, and what is handed back.

use std::sync::Arc;

use super::{Client, Cycle, Output};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::{Sendable, Waiting};
use crate::error::{Error, ErrorKind};
use crate::event::undelivered::UndeliveredEvent;
#[cfg(any(test, fuzzing))]
use crate::payload::Payload;

impl<A> Client<A> {
    /// Whether something was emitted that may still be delivered by itself, in this namespace or (with
    /// `None`) in any: it waits to be written, or an acknowledgement is awaited.
    pub(crate) fn is_delivering(&self, id: Option<NamespaceId>) -> bool {
        let is_meant = |of: &NamespaceId| id.is_none_or(|id| id == *of);
        let namespaces = self.ids().into_iter().filter(is_meant);
        let may_go_on = self.cycle != Cycle::Idle;
        let mut namespaces = namespaces.map(|id| self.namespace(id));
        self.plain().any(|waiting| is_meant(&waiting.namespace))
            || namespaces.any(|it| (may_go_on || it.is_resting()) && it.is_delivering())
    }

    /// How much was emitted that is not delivered, in this namespace or (with `None`) in all of them:
    /// what waits, and what is to be acknowledged.
    pub(crate) fn count_waiting(&self, id: Option<NamespaceId>) -> usize {
        let is_meant = |of: &NamespaceId| id.is_none_or(|id| id == *of);
        let namespaces = self.ids().into_iter().filter(is_meant);
        let plain = self.plain().filter(|waiting| is_meant(&waiting.namespace)).count();
        plain + namespaces.map(|id| self.namespace(id).count_waiting()).sum::<usize>()
    }

    /// What the session and those on their way out have still to write, and what they are writing, but for
    /// what asks for an acknowledgement: that is counted there.
    fn plain(&self) -> impl Iterator<Item = &Waiting> {
        let handed = self.sessions().flat_map(Engine::events);
        handed.chain(self.ready.iter()).filter(|waiting| waiting.ack().is_none())
    }

    /// All that waits to be sent once, or to be tried, or is being written.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn to_send(&self) -> impl Iterator<Item = &Waiting> {
        let handed = self.sessions().flat_map(Engine::events).chain(self.ready.iter());
        handed.chain(self.namespaces.iter().flat_map(|namespace| namespace.send_buffer.iter()))
    }

    /// All events that are sent again until they are acknowledged.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn to_retry(&self) -> impl Iterator<Item = &Payload> {
        self.namespaces.iter().flat_map(|namespace| namespace.retry.payloads())
    }

    /// How much waits in this namespace: to be written, or to be sent again if need be.
    pub(crate) fn waiting(&self, id: NamespaceId) -> Load {
        let ready = self.ready.iter().filter(|it| it.namespace == id && it.is_event());
        ready.fold(self.namespace(id).buffered(), |sum, waiting| sum + waiting.load())
    }

    /// Takes out what waits in this namespace and was never sent. Nobody waits for its
    /// acknowledgements any more.
    pub(crate) fn take_unsent(&mut self, id: NamespaceId, now: Timestamp) -> Vec<UndeliveredEvent> {
        let error = Error::new(ErrorKind::Withdrawn, "the event was taken back before it was sent");
        let mut taken = Vec::new();
        let mut events = self.ready.take_all(|it| it.namespace == id && it.is_event());
        events.extend(std::iter::from_fn(|| self.unbuffer(id)));
        for waiting in events {
            self.resign(&waiting, &error);
            self.collect(waiting, &mut taken);
        }
        let name = Arc::clone(&self.namespace(id).name);
        let untried = self.take_untried(id, &error, now).into_iter();
        taken.extend(untried.map(|(payload, order)| {
            UndeliveredEvent::new(Arc::clone(&name), payload, false, order)
        }));
        self.outputs.push_back(Output::Changed);
        self.pump(now);
        taken
    }

    /// Takes out all that was emitted and is not delivered, but for what the session is to write yet.
    pub(super) fn take_undelivered(&mut self, now: Timestamp) -> Vec<UndeliveredEvent> {
        self.await_answers(now);
        let mut taken = self.take_uncertain();
        for id in self.ids() {
            let sent = self.namespace_mut(id).map(|it| it.acks.take_events()).unwrap_or_default();
            let sent = sent.into_iter().map(|(payload, order)| (payload, true, order));
            let retried = self.take_retries(id).into_iter();
            let retried = retried
                .map(|event| (Arc::unwrap_or_clone(event.payload), event.was_sent, event.order));
            let name = &self.namespace(id).name;
            taken.extend(sent.chain(retried).map(|(payload, was_sent, order)| {
                UndeliveredEvent::new(Arc::clone(name), payload, was_sent, order)
            }));
            let of_it = |waiting: &Waiting| waiting.namespace == id;
            for waiting in self.ready.take_all(of_it) {
                self.forget_expiry(&waiting);
                self.collect(waiting, &mut taken);
            }
            while let Some(waiting) = self.unbuffer(id) {
                self.forget_expiry(&waiting);
                self.collect(waiting, &mut taken);
            }
        }
        UndeliveredEvent::sort(&mut taken);
        taken
    }

    /// The same at the very end, for the sessions that were to write it.
    pub(crate) fn take_unwritten(&mut self, now: Timestamp) -> Vec<UndeliveredEvent> {
        let mut retiring = std::mem::take(&mut self.retiring);
        for engine in &mut retiring {
            self.take_back(engine);
        }
        self.retiring = retiring;
        self.take_undelivered(now)
    }

    /// What was not sent is handed back.
    fn collect(&mut self, waiting: Waiting, taken: &mut Vec<UndeliveredEvent>) {
        let Sendable::Event(payload, _) = waiting.content else { return };
        if !self.namespaces.is_in_use(waiting.namespace) {
            return self.lose_event();
        }
        let name = Arc::clone(&self.namespace(waiting.namespace).name);
        taken.push(UndeliveredEvent::new(name, payload, false, waiting.order));
    }
}
