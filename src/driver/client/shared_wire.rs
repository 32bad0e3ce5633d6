//! A WebSocket that its thread shares with those who emit and those who wait.
//!
//! While the thread sleeps, whoever has something to write writes it: on a quiet connection that
//! saves waking the thread, which costs more than the write itself. What comes in quick succession is
//! left to the thread, since that writes many messages in one system call. Who waits for an answer reads in
//! the thread's stead; see [`standing_in`](super::standing_in).
//!
//! # Locks
//!
//! The lock of the wire comes before the lock of the monitor: [`Driver::exchange`] takes the second
//! while the first is held. Who holds the monitor's never takes the wire's: [`Link::rouse`] only
//! leaves an [`Action::Write`], which is done when the monitor is released. The thread, and who stands in
//! for it, waits for the wire's lock; others only try it, and wake the thread where they fail. Under it nothing blocks but
//! for the locks that come after it, which are held for a moment only: the monitor's, and to show a
//! packet those of the observers' list and of each observer's mailbox.
//!
//! # No wake-up is lost
//!
//! Something is queued for a thread that sleeps, or is about to. Why does it always come to write?
//!
//! 1. The thread looks at the queue and, where there is nothing, notes that it sleeps: both in
//!    [`Driver::exchange`], under one hold of the monitor. Who queues does so and takes that note away
//!    under one hold of the monitor too. So what is queued was either seen by the thread, or found
//!    its note and became an action. Who finds the note taken away relies on that action, which is
//!    yet to look at the queue.
//! 2. An action ends in a write, or in a wake-up where the lock was taken, the socket was full, or
//!    there was too much for [`MAX_TURNS`](super::wire::MAX_TURNS). A write by a caller looks at the queue and notes the
//!    sleep in the same way, for the thread.
//! 3. A wake-up is an eventfd, and stays until it is taken. Between the thread's note and its
//!    poll(2) it is not taken: the poll then returns at once. It is taken by the wait that it ends,
//!    and *after* that the thread looks at the queue. So a wake-up that comes later ends the next
//!    wait, at worst for nothing.
//! 4. What the thread waits for was decided under the wire's lock, before others may write. A caller
//!    that leaves bytes unsent wakes the thread, which then waits for room as well.
//! 5. One who stands in for the thread takes turns as that does, and ends with the same note. It wakes the
//!    thread for whatever it leaves ([`relief`](super::relief)).
//!
//! [`Link::rouse`]: super::link::Link::rouse

use std::sync::{Arc, Mutex};

use super::pump::{Ending, NextStep, Pump};
use super::relief::{Relief, Remaining};
use super::wire::Wire;
use super::{Action, Driver};
use crate::error::{Error, Result};
use crate::net::{Lookout, Ready, Waker};
use crate::sync::lock::{lock, try_lock};

/// A WebSocket that its thread and others use by turns; `None` once the thread has taken it away.
#[derive(Clone)]
pub(super) struct SharedWire(Arc<Mutex<Option<Served>>>);

/// What they share.
pub(super) struct Served {
    pub(super) wire: Wire,
    pub(super) pump: Pump,
    /// By which the thread waits, once somebody has wanted to stand in for it.
    lookout: Option<Arc<Lookout>>,
    relief: Relief,
    /// How the service has ended while somebody stood in, which the thread is yet to act upon.
    end: Option<Result<Ending>>,
}

impl SharedWire {
    pub(super) fn new(wire: Wire, pump: Pump) -> Self {
        let served = Served { wire, pump, lookout: None, relief: Relief::default(), end: None };
        Self(Arc::new(Mutex::new(Some(served))))
    }

    /// One that its thread has taken away.
    #[cfg(test)]
    pub(super) fn taken() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// The thread, or who stands in for it, uses it.
    pub(super) fn with<R>(&self, turn: impl FnOnce(&mut Served) -> R) -> Option<R> {
        lock(&self.0).as_mut().map(turn)
    }

    /// The thread takes it away: from here on nobody else writes or reads. In good order the peer is told,
    /// and its answer awaited.
    // Its frame is large, and of no use to a connection that stays.
    #[inline(never)]
    pub(super) fn end(&self, in_good_order: bool) {
        let served = lock(&self.0).take();
        if let Some(served) = served.filter(|_| in_good_order) {
            served.wire.close();
        }
    }

    /// Begins to stand in for the thread; `None` where that has something to do, or somebody does so
    /// already.
    pub(super) fn take_over(&self) -> Option<Arc<Lookout>> {
        try_lock(&self.0)?.as_mut()?.take_over()
    }

    /// Ends it. `false`: the thread has to be woken.
    pub(super) fn give_back(&self, remaining: Remaining) -> bool {
        self.with(|served| served.give_back(remaining)).unwrap_or(true)
    }
}

impl Served {
    /// A turn of the thread, which has waited for this before.
    pub(super) fn turn_of_thread(
        &mut self,
        driver: &Driver,
        ready: Ready,
        actions: &mut Vec<Action>,
    ) -> Result<NextStep> {
        self.relief.thread_goes_on();
        if let Some(end) = self.end.take() {
            return end.map(NextStep::End);
        }
        self.pump.note(ready);
        let next = self.pump.turn(driver, &mut self.wire, actions)?;
        Ok(match (next, &self.lookout) {
            (NextStep::Wait(interest, None), Some(lookout)) if interest.is_to_read() => {
                self.relief.thread_rests();
                NextStep::Rest(Arc::clone(lookout))
            }
            (next, _) => next,
        })
    }

    /// A turn of one who stands in, when there is something to read.
    pub(super) fn turn_of_another(
        &mut self,
        driver: &Driver,
        ready: Ready,
        actions: &mut Vec<Action>,
    ) -> Remaining {
        if self.end.is_some() {
            return Remaining::OfThread;
        }
        self.pump.note(ready);
        match self.pump.turn(driver, &mut self.wire, actions) {
            Ok(NextStep::Turn) => return Remaining::More,
            Ok(NextStep::Wait(interest, None)) if interest.is_to_read() => {
                return Remaining::Nothing;
            }
            // The thread finds out by itself what it has to wait for.
            Ok(NextStep::Wait(..) | NextStep::Leave(..) | NextStep::Nap(_) | NextStep::Rest(_)) => {
            }
            Ok(NextStep::End(ending)) => self.end = Some(Ok(ending)),
            Err(error) => self.end = Some(Err(error)),
        }
        Remaining::OfThread
    }

    /// The service has ended with this error, upon which the thread is yet to act.
    pub(super) fn end_by(&mut self, error: Error) {
        self.end = Some(Err(error));
    }

    fn take_over(&mut self) -> Option<Arc<Lookout>> {
        let Some(lookout) = &self.lookout else {
            // The thread waits by it from its next time on.
            self.lookout = self.wire.socket.lookout().ok().map(Arc::new);
            return None;
        };
        if !self.relief.is_possible() || lookout.take_over().is_err() {
            return None;
        }
        self.relief.begin();
        Some(Arc::clone(lookout))
    }

    fn give_back(&mut self, remaining: Remaining) -> bool {
        self.relief.end();
        // A lookout that fails is not used any more.
        self.lookout.take_if(|lookout| lookout.give_back().is_err());
        remaining == Remaining::Nothing && self.lookout.is_some()
    }
}

impl Driver {
    /// Writes what is queued if the wire is free, and wakes the thread if it has to go on.
    pub(super) fn write_or_wake(&self, wire: &SharedWire, waker: &Waker) {
        let mut actions = Vec::new();
        let done = try_lock(&wire.0).and_then(|mut wire| {
            wire.as_mut().map(|served| self.write_for_caller(&mut served.wire, &mut actions))
        });
        if done != Some(true) {
            waker.wake();
        }
        self.act(actions);
    }
}

#[cfg(test)]
mod tests;
