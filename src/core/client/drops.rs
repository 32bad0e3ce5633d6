//! What is dropped is told: at once, and then, in sums, at most once in a while.

use std::time::Duration;

use super::Client;
use super::timer::Timer;
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::event::drop_reason::DropReason;
use crate::event::status::Status;

/// How long a namespace is told nothing more, after it was told.
const PAUSE: Duration = Duration::from_secs(1);

/// What was dropped and is not told yet.
#[derive(Debug, Default)]
pub(super) struct Untold {
    sums: Vec<(NamespaceId, DropReason, Load)>,
    /// The namespaces that were not told anything for a while.
    due: Vec<NamespaceId>,
}

impl<A> Client<A> {
    /// Counts what is dropped. With a reason, the users of the namespace are told at the next
    /// [`Client::tell_drops`], or after the pause.
    pub(super) fn note_drop(&mut self, id: NamespaceId, load: Load, reason: Option<DropReason>) {
        self.tally.note_drop(load, reason);
        let Some(reason) = reason.filter(|_| self.namespaces.is_in_use(id)) else { return };
        let Untold { sums, due } = &mut self.untold;
        match sums.iter_mut().find(|(of, why, _)| (*of, *why) == (id, reason)) {
            Some((_, _, sum)) => *sum = *sum + load,
            None => sums.push((id, reason, load)),
        }
        if !self.timers.is_set(Timer::Drops(id)) && !due.contains(&id) {
            due.push(id);
        }
    }

    /// Tells what was dropped, where that is due.
    pub(super) fn tell_drops(&mut self, now: Timestamp) {
        while let Some(id) = self.untold.due.pop() {
            self.timers.set(Timer::Drops(id), Some(now + PAUSE));
            let is_of_it = |(of, ..): &(NamespaceId, DropReason, Load)| *of == id;
            let (of_it, others): (Vec<_>, _) =
                std::mem::take(&mut self.untold.sums).into_iter().partition(is_of_it);
            self.untold.sums = others;
            for (_, reason, Load { packets: events, bytes }) in of_it {
                self.tell(id, Status::Dropped { events, bytes, reason });
            }
        }
    }

    /// The pause after a namespace was told is over.
    pub(super) fn pause_of_drops_is_over(&mut self, id: NamespaceId) {
        if self.untold.sums.iter().any(|(of, ..)| *of == id) {
            self.untold.due.push(id);
        }
    }

    /// Nobody is left whom to tell.
    pub(super) fn forget_drops(&mut self, id: NamespaceId) {
        self.timers.set(Timer::Drops(id), None);
        self.untold.sums.retain(|(of, ..)| *of != id);
    }
}
