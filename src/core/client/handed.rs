//! What was handed to a session, as long as it may have to be handed back.

use std::collections::VecDeque;

use super::outgoing::{Waiting, give_back};

/// What is in the queue of a session, and what a writer has taken from there and has not yet reported as
/// written. What asks for an acknowledgement is kept with that instead.
#[derive(Debug, Default)]
pub(super) struct HandedOver {
    queued: VecDeque<Waiting>,
    in_flight: VecDeque<Waiting>,
}

impl HandedOver {
    /// Its packets are in the queue of the session.
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.queued.push_back(waiting);
    }

    /// Keeps of what is queued only what is given back.
    pub(super) fn keep_if(&mut self, mut keep: impl FnMut(Waiting) -> Option<Waiting>) {
        for _ in 0..self.queued.len() {
            let kept = self.queued.pop_front().and_then(&mut keep);
            self.queued.extend(kept);
        }
    }

    /// A writer has taken all that is queued.
    pub(super) fn taken(&mut self) {
        if self.in_flight.is_empty() {
            std::mem::swap(&mut self.in_flight, &mut self.queued);
        } else {
            self.in_flight.append(&mut self.queued);
            give_back(&mut self.queued);
        }
    }

    /// What the writer has taken is written.
    pub(super) fn written(&mut self) {
        self.in_flight.clear();
        give_back(&mut self.in_flight);
    }

    /// Takes out what no writer has taken.
    pub(super) fn take_untaken(&mut self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.queued)
    }

    /// Takes out what a writer has taken, and not yet written.
    pub(super) fn take_in_flight(&mut self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.in_flight)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.queued.iter().chain(&self.in_flight)
    }
}
