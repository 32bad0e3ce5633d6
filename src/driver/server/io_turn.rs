//! What whoever serves the connections does in a turn: what is ready, what was asked, what is due, and the next wait.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use mio::Events;
use mio::event::Event as Readiness;

use super::io::{Io, Slot};
use super::parts::{Due, IoCommand};
use super::quickness::Quickness;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// After how many steps handlers begin, also where more is ready. To read what there is from all first gives their clients
/// something to do meanwhile, and takes the thread away from its connections once for all of them.
const STEPS: usize = 64;

/// After how many bytes they do: of a flood what was just read is still at hand.
const BYTES: usize = 64 * 1024;

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Done,
    /// There is something for the pool, which the thread is to do.
    HasWork,
    /// The server has ended.
    Ended,
}

/// How far a turn is.
enum TurnStage {
    Ready,
    Asked,
    /// What is due at that time is looked after.
    Due(Timestamp),
}

pub(super) struct IoTurn {
    stage: TurnStage,
    /// The memory that the system writes to.
    events: Events,
    ready: VecDeque<Readiness>,
    asked: VecDeque<IoCommand>,
    /// How many steps have been done since one has led to something for the pool; 0: none has.
    kept: usize,
    /// The last thing that was done was to write what clients are told in a row.
    has_written: bool,
    pub(super) quickness: Quickness,
}

impl IoTurn {
    pub(super) fn new() -> Self {
        Self {
            stage: TurnStage::Due(now()),
            events: Events::with_capacity(1024),
            ready: VecDeque::new(),
            asked: VecDeque::new(),
            kept: 0,
            has_written: false,
            quickness: Quickness::default(),
        }
    }

    fn begin(&mut self) {
        self.stage = TurnStage::Ready;
        self.ready.extend(self.events.iter().cloned());
        self.quickness.begin_turn(now());
    }
}

impl Io {
    /// Does the next thing that there is to do, and waits where there is none.
    pub(super) fn step(&mut self) -> Step {
        loop {
            if self.turn.kept >= STEPS || (self.turn.kept > 0 && self.memory.come >= BYTES) {
                return self.hand_out();
            }
            // By turns with everything else: neither is to keep the other waiting.
            if self.hub.is_to_write() && !std::mem::replace(&mut self.turn.has_written, true) {
                self.write_some_deferred();
                return Step::Done;
            }
            self.turn.has_written = false;
            match self.turn.stage {
                TurnStage::Ready => {
                    if let Some(event) = self.turn.ready.pop_front() {
                        self.serve(&event);
                        return Step::Done;
                    }
                    self.turn.asked.extend(self.hub.commands.take());
                    self.turn.stage = TurnStage::Asked;
                }
                TurnStage::Asked => {
                    if let Some(command) = self.turn.asked.pop_front() {
                        if self.survives(|io| io.obey(command)).is_none() {
                            log_later!(
                                Error,
                                "a server goes on, though what was asked of it has panicked"
                            );
                        }
                        return Step::Done;
                    }
                    self.turn.stage = TurnStage::Due(now());
                }
                TurnStage::Due(now) => {
                    if let Some((at, due)) = self.hub.timers.take(now) {
                        if self.survives(|io| io.look_after(at, due)).is_none() {
                            log_later!(Error, "a server goes on, though what was due has panicked");
                        }
                        return Step::Done;
                    }
                    if self.turn.kept > 0 {
                        return self.hand_out();
                    }
                    self.memory.blocks.end_turn();
                    if self.has_ended() || !self.begin_turn() {
                        return Step::Ended;
                    }
                }
            }
        }
    }

    fn write_some_deferred(&mut self) {
        let hub = Arc::clone(&self.hub);
        if self.survives(|_| hub.write_some_deferred()).is_none() {
            log_later!(Error, "a server goes on, though to write to its clients has panicked");
        }
    }

    fn hand_out(&mut self) -> Step {
        self.turn.kept = 0;
        self.memory.come = 0;
        Step::HasWork
    }

    fn serve(&mut self, event: &Readiness) {
        if self.survives(|io| io.handle(event)).is_none() {
            log_later!(Error, "a connection is cut: to serve it has panicked");
            self.survives(|io| io.give_up(event.token()));
        }
    }

    /// Does one thing; `None`: it has panicked. What it asks of the pool begins when it is done, at the earliest.
    fn survives(&mut self, work: impl FnOnce(&mut Self)) -> Option<()> {
        let pool = Arc::clone(&self.hub.pool);
        let leaves = self.turn.quickness.is_doubted();
        let work = || survive(|| work(self));
        if leaves {
            return pool.gathering(work);
        }
        let (done, has_kept) = pool.keeping(work);
        self.turn.kept += usize::from(has_kept || self.turn.kept > 0);
        done
    }

    /// Waits until something is ready, or due; `false`: nobody can.
    fn begin_turn(&mut self) -> bool {
        match self.wait() {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                log_later!(Error, "a server cannot wait for its connections: {error}");
                return false;
            }
            _ => self.turn.begin(),
        }
        true
    }

    fn wait(&mut self) -> std::io::Result<()> {
        let next = self.hub.timers.next(|due| self.is_over(due));
        if let Some(at) = next.into_iter().chain(self.ends).min() {
            self.clock.set(at, now())?;
        }
        let limit = self.hub.is_to_write().then_some(Duration::ZERO);
        self.poll.poll(&mut self.turn.events, limit)
    }

    /// Nobody needs what is to be due: the connection has become a WebSocket, say, whose session has deadlines of its own.
    fn is_over(&self, due: &Due) -> bool {
        match due {
            Due::Peer(peer) => peer.strong_count() == 0,
            Due::Answers(socket) => socket.strong_count() == 0,
            Due::Connection(token) => {
                matches!(self.slots.get(token), None | Some(Slot::WebSocket(_) | Slot::Listener(_)))
            }
            Due::Recovery(namespace) => namespace.strong_count() == 0,
            Due::Deferred | Due::Accept | Due::Workers(_) => false,
        }
    }

    /// The server has ended.
    pub(super) fn end(mut self) {
        self.slots.clear();
        let hub = Arc::clone(&self.hub);
        // Handlers of ends may yet have to run.
        self.hub.pool.end(move || hub.forget_all());
    }
}

#[cfg(test)]
mod tests;
