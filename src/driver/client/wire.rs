//! The writing end of a WebSocket, which its thread shares with those who emit.
//!
//! While the thread sleeps, whoever has something to write writes it: on a quiet connection that
//! saves waking the thread, which costs more than the write itself. What comes in quick succession is
//! left to the thread, since that writes many messages in one system call.
//!
//! # Locks
//!
//! The lock of the wire comes before the lock of the monitor: [`Wire::exchange`] takes the second
//! while the first is held. Who holds the monitor's never takes the wire's: [`Link::rouse`] only
//! leaves an [`Action::Write`], which is done when the monitor is released. The thread waits for the
//! wire's lock; others only try it, and wake the thread where they fail. Under it nothing blocks but
//! for the locks that come after it, which are held for a moment only: the monitor's, and to show a
//! packet those of the observers' list and of each observer's mailbox.
//!
//! # No wake-up is lost
//!
//! Something is queued for a thread that sleeps, or is about to. Why does it always come to write?
//!
//! 1. The thread looks at the queue and, where there is nothing, notes that it sleeps: both in
//!    [`Wire::exchange`], under one hold of the monitor. Who queues does so and takes that note away
//!    under one hold of the monitor too. So what is queued was either seen by the thread, or found
//!    its note and became an action. Who finds the note taken away relies on that action, which is
//!    yet to look at the queue.
//! 2. An action ends in a write, or in a wake-up where the lock was taken, the socket was full, or
//!    there was too much for [`MAX_TURNS`]. A write by a caller looks at the queue and notes the
//!    sleep in the same way, for the thread.
//! 3. A wake-up is an eventfd, and stays until it is taken. Between the thread's note and its
//!    poll(2) it is not taken: the poll then returns at once. It is taken by the wait that it ends,
//!    and *after* that the thread looks at the queue. So a wake-up that comes later ends the next
//!    wait, at worst for nothing.
//! 4. What the thread waits for was decided under the wire's lock, before others may write. A caller
//!    that leaves bytes unsent wakes the thread, which then waits for room as well.
//!
//! [`Link::rouse`]: super::link::Link::rouse

use std::sync::{Arc, Mutex};

use super::intake::Inlet;
use super::link::Side;
use super::{Action, Driver};
use crate::core::engine::{Shipment, Work};
use crate::core::ids::LinkId;
use crate::error::Result;
use crate::net::{Interest, Waker, WebSocket};
use crate::proto::parser::Parser;
use crate::sync::lock::{lock, try_lock};

/// How often a caller looks for more to write before it leaves the rest to the thread.
const MAX_TURNS: usize = 2;

/// A WebSocket, and how far the writing has come.
pub(super) struct Wire {
    link: LinkId,
    /// Open to the thread, which alone reads.
    pub(super) socket: WebSocket,
    /// Binary travels as text.
    base64: bool,
    /// Makes packets of events.
    parser: Box<dyn Parser>,
    /// What was handed to the WebSocket last. The session has it as well until it is told that it is
    /// written: so it is freed here, where nobody waits for the monitor.
    shipment: Option<Arc<Shipment>>,
    /// Packets were handed to the WebSocket, and the state machines are yet to be told that they
    /// are written.
    unreported: bool,
    /// The state machines are to be told of the pong for the last ping.
    confirming: bool,
    /// How many bytes the socket had taken when it was full the last time.
    taken: usize,
    /// How many bytes the socket had given when the state machines were told.
    heard: usize,
    /// Something was written since the thread has asked.
    wrote: bool,
    /// The thread naps, and does not look at the socket.
    napping: bool,
    /// The thread lets events accumulate, and will look for them by itself.
    accumulating: bool,
    /// Meanwhile callers have written.
    relieved: bool,
    /// How a caller's turn has ended the service, which the thread has to be told.
    over: Option<Result<Turn>>,
}

/// What a turn has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All packets are written, which the next exchange reports. There may be more.
    Written,
    /// There is nothing to write.
    Idle,
    /// There is something to write, and the socket is full.
    Full,
    /// All is written, and the peer is to be told goodbye.
    Finish,
    /// The link is given up.
    Stop,
}

impl Wire {
    pub(super) fn new(
        link: LinkId,
        socket: WebSocket,
        base64: bool,
        parser: Box<dyn Parser>,
    ) -> Self {
        Self {
            link,
            socket,
            base64,
            parser,
            shipment: None,
            unreported: false,
            confirming: false,
            taken: 0,
            heard: 0,
            wrote: false,
            napping: false,
            accumulating: false,
            relieved: false,
            over: None,
        }
    }

    /// Writes what was taken, and what is left from before, as far as the socket takes it.
    pub(super) fn write(&mut self, driver: &Driver, work: Work) -> Result<Turn> {
        if let Some(over) = self.over.take() {
            return over;
        }
        match work {
            Work::Write(shipment) => {
                let dialect = driver.look(|core| core.dialect_of(self.link));
                shipment.pack(&*self.parser, |packet| {
                    driver.show_sent(&packet);
                    self.socket.write(dialect.encode_frame(packet, self.base64))
                })?;
                self.shipment = Some(shipment);
                self.note_handed_over();
            }
            Work::Confirm => {
                self.socket.ping()?;
                self.confirming = true;
                self.note_handed_over();
            }
            Work::Wait => {}
            Work::Finish => return Ok(Turn::Finish),
            Work::Stop => return Ok(Turn::Stop),
        }
        if self.socket.wants_write() && !self.socket.flush()? {
            self.tell_progress(driver);
            return Ok(Turn::Full);
        }
        Ok(if self.unreported { Turn::Written } else { Turn::Idle })
    }

    fn note_handed_over(&mut self) {
        self.unreported = true;
        self.wrote = true;
    }

    /// Whether the peer has answered [`Work::Confirm`] since this was asked the last time.
    fn take_confirmed(&mut self) -> bool {
        let confirmed = self.confirming && self.socket.pong_came();
        self.confirming &= !confirmed;
        confirmed
    }

    /// Whether something has come since this was asked the last time, be it no whole packet.
    fn take_heard(&mut self) -> bool {
        let received = self.socket.received();
        std::mem::replace(&mut self.heard, received) != received
    }

    /// The socket is full: whether it has taken something since it was so the last time, which puts
    /// the deadline off.
    fn tell_progress(&mut self, driver: &Driver) {
        let taken = self.socket.taken();
        if std::mem::replace(&mut self.taken, taken) != taken {
            driver.progressed(self.link);
        }
    }

    /// Makes the peer answer behind all that it has to say by itself.
    pub(super) fn ping(&mut self) -> Result<()> {
        self.socket.ping()
    }

    /// What the thread has to wait for while it lets events accumulate.
    pub(super) fn interest(&self, read: bool, hang_up: bool) -> Interest {
        self.socket.interest(read, hang_up)
    }

    /// What the thread has to wait for, now that there is nothing to do: for room where something
    /// is unsent; and as is wanted, for something to read and for a hang-up.
    pub(super) fn rest(&mut self, read: bool, hang_up: bool) -> Interest {
        self.socket.rest();
        self.socket.interest(read, hang_up)
    }

    /// Says goodbye, and waits for the peer to do so.
    pub(super) fn close(self) {
        self.socket.close();
    }

    /// Whether something was written since this was asked the last time.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Notes whether the thread naps: then whoever writes wakes it, since an answer will come.
    pub(super) fn set_napping(&mut self, napping: bool) {
        self.napping = napping;
    }

    /// The thread lets events accumulate.
    pub(super) fn begin_accumulating(&mut self) {
        self.accumulating = true;
    }

    /// The thread looks after them. `true`: callers have written meanwhile.
    pub(super) fn end_accumulating(&mut self) -> bool {
        self.accumulating = false;
        std::mem::take(&mut self.relieved)
    }
}

/// A wire that its thread and others use by turns; `None` once the thread has taken it away.
#[derive(Clone)]
pub(super) struct SharedWire(Arc<Mutex<Option<Wire>>>);

impl SharedWire {
    pub(super) fn new(wire: Wire) -> Self {
        Self(Arc::new(Mutex::new(Some(wire))))
    }

    /// The thread uses it.
    pub(super) fn with<R>(&self, turn: impl FnOnce(&mut Wire) -> R) -> Option<R> {
        lock(&self.0).as_mut().map(turn)
    }

    /// The thread takes it away.
    pub(super) fn take(&self) -> Option<Wire> {
        lock(&self.0).take()
    }
}

impl Driver {
    /// Hands in what was read, and takes what is to be written. Where there is nothing, the thread
    /// counts as asleep from here on.
    ///
    /// In the midst of a burst it may be `None`: there are events which the thread lets accumulate. It counts
    /// as asleep then as well.
    pub(super) fn exchange(
        &self,
        wire: &mut Wire,
        inlet: Option<&mut Inlet<'_>>,
        in_burst: bool,
        actions: &mut Vec<Action>,
    ) -> Option<Work> {
        let all_out = !wire.socket.wants_write();
        let written = wire.unreported && all_out;
        wire.unreported &= !written;
        let _freed = wire.shipment.take_if(|_| written);
        let confirmed = wire.take_confirmed();
        let heard = inlet.is_some() && wire.take_heard();
        self.gather(actions, |monitor, now, actions| {
            monitor.set_asleep(wire.link, Side::Reader, false);
            if written {
                monitor.written(wire.link, now);
            }
            if confirmed {
                monitor.core.confirmed(wire.link, now);
            }
            if heard {
                monitor.figures.note_heard(now);
            }
            if let Some(inlet) = inlet {
                self.hand_in(monitor, inlet, now, actions);
            }
            let accumulates = in_burst && all_out && monitor.core.accumulate(wire.link, now);
            let work = (!accumulates).then(|| monitor.core.take(wire.link, now));
            if work.as_ref().is_none_or(|work| *work == Work::Wait) {
                monitor.set_asleep(wire.link, Side::Reader, true);
            }
            work
        })
    }

    /// Writes what is queued if the wire is free, and wakes the thread if it has to go on.
    pub(super) fn write_or_wake(&self, wire: &SharedWire, waker: &Waker) {
        let mut actions = Vec::new();
        let done = try_lock(&wire.0).and_then(|mut wire| {
            wire.as_mut().map(|wire| self.write_for_caller(wire, &mut actions))
        });
        if done != Some(true) {
            waker.wake();
        }
        self.act(actions);
    }

    /// One who emits writes. `false`: the thread has to go on.
    fn write_for_caller(&self, wire: &mut Wire, actions: &mut Vec<Action>) -> bool {
        for _ in 0..MAX_TURNS {
            let Some(work) = self.exchange(wire, None, wire.accumulating, actions) else {
                return true;
            };
            match wire.write(self, work) {
                Ok(Turn::Written) => wire.relieved = wire.accumulating,
                Ok(Turn::Idle) => return !wire.napping,
                Ok(Turn::Full) => return false,
                over => {
                    wire.over = Some(over);
                    return false;
                }
            }
        }
        false
    }
}
