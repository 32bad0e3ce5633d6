//! Who waits for an answer reads the WebSocket in the stead of its thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Driver;
use super::link::panicked;
use super::relief::Remaining;
use super::shared_wire::{Served, SharedWire};
use crate::driver::ack_slot::{AckSlot, AwaitAnswer};
use crate::error::Result;
use crate::event::AckReply;
use crate::net::{Lookout, Ready, Waker};
use crate::sync::threads::{Role, play, role, survive};

impl AwaitAnswer for Driver {
    fn await_answer(&self, slot: &AckSlot, deadline: Option<Instant>) -> Option<Result<AckReply>> {
        self.stand_in_until(slot, deadline);
        slot.wait(deadline)
    }
}

impl Driver {
    /// Waits for an answer, and meanwhile does what the thread of the WebSocket would do, where that has
    /// nothing else to do. It returns when the answer is here, at the deadline, and also where it cannot
    /// go on in the thread's stead.
    fn stand_in_until(&self, slot: &AckSlot, deadline: Option<Instant>) {
        // A thread of ours has other work.
        if !matches!(role(), None | Some(Role::Callbacks | Role::Worker)) {
            return;
        }
        let Some((wire, waker)) = self.main_wire() else { return };
        let Some(lookout) = wire.take_over() else { return };
        // What the program's logger does here must not wait for what is read here.
        let _playing = play(Role::Transport);
        let _speaking = self.speaker.id().speak();
        let remaining = Remaining::Nothing;
        StandIn { driver: self, wire: &wire, waker: &waker, lookout, deadline, remaining }
            .run(slot);
    }

    /// The WebSocket of the session, and what wakes its thread.
    fn main_wire(&self) -> Option<(SharedWire, Arc<Waker>)> {
        let monitor = self.lock();
        monitor.links.get(monitor.core.engine()?.main_link())?.shared()
    }
}

/// One who stands in for the thread. However it ends, the thread goes on.
struct StandIn<'a> {
    driver: &'a Driver,
    wire: &'a SharedWire,
    waker: &'a Waker,
    lookout: Arc<Lookout>,
    deadline: Option<Instant>,
    remaining: Remaining,
}

impl StandIn<'_> {
    fn run(&mut self, slot: &AckSlot) {
        while slot.begin_lookout(&self.lookout) {
            let came = self.lookout.stand(self.waker, self.left());
            slot.end_lookout();
            match came {
                Ok(ready) if ready.readable => self.serve(slot),
                Ok(_) => {}
                Err(_) => return,
            }
            if self.remaining != Remaining::Nothing || self.is_late() {
                return;
            }
        }
    }

    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn is_late(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// Reads what has come, and does what follows from it; the rest is the thread's once the answer is here or the
    /// time is up, however much comes.
    fn serve(&mut self, slot: &AckSlot) {
        let mut ready = Ready { readable: true, hung_up: false };
        loop {
            // No panic of ours is known. Should there be one, the session must not seem alive.
            self.remaining = survive(|| self.turn(ready)).unwrap_or_else(|| {
                self.wire.with(|served| served.end_by(panicked()));
                Remaining::OfThread
            });
            match self.remaining {
                Remaining::More if slot.is_here() || self.is_late() => {
                    self.remaining = Remaining::OfThread;
                    return;
                }
                Remaining::More => ready = Ready::default(),
                Remaining::Nothing | Remaining::OfThread => return,
            }
        }
    }

    fn turn(&self, ready: Ready) -> Remaining {
        let mut actions = Vec::new();
        let turn = |served: &mut Served| served.turn_of_another(self.driver, ready, &mut actions);
        let remaining = self.wire.with(turn);
        self.driver.act(actions);
        // Without a wire there is nothing left to do.
        remaining.unwrap_or(Remaining::OfThread)
    }
}

impl Drop for StandIn<'_> {
    fn drop(&mut self) {
        if !self.wire.give_back(self.remaining) {
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
