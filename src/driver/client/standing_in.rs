//! Who waits for an answer reads the WebSocket in the stead of its thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Driver;
use super::link::panicked;
use super::relief::Remaining;
use super::shared_wire::{Served, SharedWire};
use crate::driver::ack_slot::AckSlot;
use crate::net::{Lookout, Ready, Waker};
use crate::sync::threads::{Role, play, role, survive};

impl Driver {
    /// Waits for an answer, and meanwhile does what the thread of the WebSocket would do, where that has
    /// nothing else to do. It returns when the answer is here, at the deadline, and also where it cannot
    /// go on in the thread's stead.
    pub(crate) fn stand_in_until(&self, slot: &AckSlot, deadline: Option<Instant>) {
        // A thread of ours has other work.
        if !matches!(role(), None | Some(Role::Callbacks)) {
            return;
        }
        let Some((wire, waker)) = self.main_wire() else { return };
        let Some(lookout) = wire.take_over() else { return };
        // What the program's logger does here must not wait for what is read here.
        let _playing = play(Role::Transport);
        let _speaking = self.speaker.id().speak();
        let remaining = Remaining::Nothing;
        StandIn { driver: self, wire: &wire, waker: &waker, lookout, remaining }
            .run(slot, deadline);
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
    remaining: Remaining,
}

impl StandIn<'_> {
    fn run(&mut self, slot: &AckSlot, deadline: Option<Instant>) {
        while slot.begin_lookout(&self.lookout) {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let came = self.lookout.stand(self.waker, left);
            slot.end_lookout();
            match came {
                Ok(ready) if ready.readable => {
                    self.serve(slot);
                    if self.remaining != Remaining::Nothing {
                        return;
                    }
                }
                Ok(_) if left != Some(Duration::ZERO) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Reads what has come, and does what follows from it; the rest is the thread's once the answer is here.
    fn serve(&mut self, slot: &AckSlot) {
        let mut ready = Ready { readable: true, hung_up: false };
        loop {
            // No panic of ours is known. Should there be one, the session must not seem alive.
            self.remaining = survive(|| self.turn(ready)).unwrap_or_else(|| {
                self.wire.with(|served| served.end_by(panicked()));
                Remaining::OfThread
            });
            match self.remaining {
                Remaining::More if slot.is_here() => {
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
