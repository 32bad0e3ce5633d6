//! Ends of the wait for an acknowledgement, other than the answer.

use super::acks::Waiter;
use super::timer::Timer;
use super::{Client, Output};
use crate::core::ids::NamespaceId;
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
        let error = Error::new(
            ErrorKind::Disconnected,
            format!("the connection ended before the acknowledgement came: {reason}"),
        );
        let failed =
            self.namespace_mut(id).map(|namespace| namespace.acks.remove_sent_of_callers());
        for (number, waiter) in failed.unwrap_or_default() {
            self.timers.set(Timer::Ack(id, number), None);
            self.fail(waiter, &error);
        }
        self.interrupt_tries(id, reason);
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

    pub(super) fn ack_timed_out(&mut self, id: NamespaceId, number: u64) {
        if self.withdraw(id, number) {
            self.outputs.push_back(Output::Changed);
        }
        if let Some(waiter) = self.namespace_mut(id).and_then(|it| it.acks.remove(number)) {
            let error = Error::new(ErrorKind::Timeout, "no acknowledgement in time");
            self.fail(waiter, &error);
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
