//! Ends of the wait for an acknowledgement, other than the answer.

use super::acks::Waiter;
use super::retry_queue::RetryQueue;
use super::timer::Timer;
use super::{Client, Output};
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;

impl<A> Client<A> {
    /// Gives up the wait for all acknowledgements.
    pub(crate) fn fail_all_acks(&mut self, id: NamespaceId, error: &Error) {
        self.abandon_retries(id, error);
        let all = self.namespace_mut(id).map(|namespace| namespace.acks.remove_all());
        for (number, waiter) in all.unwrap_or_default() {
            self.timers.set(Timer::Ack(id, number), None);
            self.fail(waiter, error);
        }
    }

    /// The end of a session ends the wait for the answers to what was sent in it.
    pub(super) fn fail_sent_acks(&mut self, id: NamespaceId, reason: DisconnectReason) {
        let failed = self.namespace_mut(id).map(|namespace| namespace.acks.remove_sent());
        let failed = failed.unwrap_or_default();
        if failed.is_empty() {
            return;
        }
        let error = Error::new(
            ErrorKind::Disconnected,
            format!("the connection ended before the acknowledgement came: {reason}"),
        );
        for (number, waiter) in failed {
            self.timers.set(Timer::Ack(id, number), None);
            match waiter {
                Waiter::Caller(_) => self.fail(waiter, &error),
                Waiter::Retry => self.try_interrupted(id),
            }
        }
    }

    /// Gives up the wait of callers for the answers to what was sent, or is about to be.
    pub(super) fn fail_waiters(&mut self, id: NamespaceId, error: &Error) {
        let Some(namespace) = self.namespace_mut(id).filter(|it| it.awaits_answer()) else {
            return;
        };
        for (number, waiter) in namespace.acks.remove_of_callers() {
            self.withdraw(id, number);
            self.timers.set(Timer::Ack(id, number), None);
            self.fail(waiter, error);
        }
    }

    pub(super) fn ack_timed_out(&mut self, id: NamespaceId, number: u64, now: Timestamp) {
        if self.ready.iter().any(|it| it.is_try_of(id, number)) {
            // It waits for a writer, and so was not tried yet.
            let limit = self.namespace(id).retry.as_ref().and_then(RetryQueue::limit);
            self.timers.set(Timer::Ack(id, number), limit.map(|limit| now + limit));
            return;
        }
        if self.withdraw(id, number) {
            self.outputs.push_back(Output::Room);
        }
        let waiter = self.namespace_mut(id).and_then(|namespace| namespace.acks.remove(number));
        match waiter {
            Some(Waiter::Retry) => self.try_timed_out(id, now),
            Some(waiter) => {
                let error = Error::new(ErrorKind::Timeout, "no acknowledgement in time");
                self.fail(waiter, &error);
            }
            None => {}
        }
    }

    fn fail(&mut self, waiter: Waiter<A>, error: &Error) {
        if let Waiter::Caller(ack) = waiter {
            self.outputs.push_back(Output::Acked { ack, result: Err(error.clone()) });
        }
    }

    /// Ends the wait for an acknowledgement with an error.
    pub(super) fn fail_ack(&mut self, id: NamespaceId, ack: Option<u64>, error: &Error) {
        if let Some(waiter) = self.forget_ack(id, ack) {
            self.fail(waiter, error);
        }
    }

    /// Ends the wait for an acknowledgement.
    pub(super) fn forget_ack(&mut self, id: NamespaceId, ack: Option<u64>) -> Option<Waiter<A>> {
        let number = ack?;
        self.timers.set(Timer::Ack(id, number), None);
        self.namespace_mut(id)?.acks.remove(number)
    }
}
