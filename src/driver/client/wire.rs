//! The writing end of a WebSocket; who uses it when is in [`shared_wire`](super::shared_wire).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::intake::Inlet;
use super::link::Side;
use super::{Action, Driver};
use crate::core::engine::{Shipment, Work};
use crate::core::ids::LinkId;
use crate::error::Result;
use crate::net::{Interest, WebSocket};
use crate::proto::parser::Parser;
use crate::proto::text::MessageBuilder;

/// How often a caller looks for more to write before it leaves the rest to the thread.
pub(super) const MAX_TURNS: usize = 2;

/// A WebSocket, and how far the writing has come.
pub(super) struct Wire {
    link: LinkId,
    /// Open to the thread, and to who stands in for it.
    pub(super) socket: WebSocket,
    /// Binary travels as text.
    base64: bool,
    /// Makes packets of events.
    parser: Box<dyn Parser>,
    /// Where the next text is written, in the memory of the one before.
    text: MessageBuilder,
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
    /// Meanwhile callers have written. The thread can look at it without the lock of the wire.
    relieved: Arc<AtomicBool>,
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
            text: MessageBuilder::default(),
            shipment: None,
            unreported: false,
            confirming: false,
            taken: 0,
            heard: 0,
            wrote: false,
            napping: false,
            accumulating: false,
            relieved: Arc::default(),
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
                self.hand_over(driver, &shipment)?;
                if shipment.asks {
                    self.ask()?;
                }
                self.shipment = Some(shipment);
                self.note_handed_over();
            }
            Work::Confirm => {
                self.ask()?;
                self.note_handed_over();
            }
            Work::Wait => {}
            Work::Finish => return Ok(Turn::Finish),
            Work::Stop => return Ok(Turn::Stop),
        }
        if self.socket.wants_write() && !self.socket.flush()? {
            if self.take_progress() {
                driver.progressed(self.link);
            }
            return Ok(Turn::Full);
        }
        Ok(if self.unreported { Turn::Written } else { Turn::Idle })
    }

    /// Hands the packets over to the WebSocket.
    fn hand_over(&mut self, driver: &Driver, shipment: &Shipment) -> Result<()> {
        let dialect = driver.look(|core| core.dialect_of(self.link));
        let is_shown = driver.shows_sent();
        let mut packets = VecDeque::new();
        for parcel in shipment.parcels() {
            // Most are one text, which needs no memory of its own.
            if !is_shown && parcel.write_text(&*self.parser, &mut self.text) {
                self.socket.write_text(self.text.as_frame())?;
                continue;
            }
            parcel.pack(&*self.parser, &mut packets);
            while let Some(packet) = packets.pop_front() {
                driver.show_sent(&packet);
                self.socket.write(dialect.encode_frame(packet, self.base64))?;
            }
        }
        Ok(())
    }

    /// Has the peer say that it has read all that was handed over before.
    fn ask(&mut self) -> Result<()> {
        self.confirming = true;
        self.socket.ping()
    }

    fn note_handed_over(&mut self) {
        self.unreported = true;
        self.wrote = true;
    }

    /// Whether the peer has answered what it was asked, which the state machines are yet to be told.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirming && self.socket.pong_came()
    }

    /// The same, once.
    fn take_confirmed(&mut self) -> bool {
        let confirmed = self.is_confirmed();
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
    fn take_progress(&mut self) -> bool {
        let taken = self.socket.taken();
        std::mem::replace(&mut self.taken, taken) != taken
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
        self.text.rest();
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

    /// Whether the thread lets events accumulate.
    pub(super) fn is_accumulating(&self) -> bool {
        self.accumulating
    }

    /// The thread lets events accumulate.
    pub(super) fn begin_accumulating(&mut self) {
        self.accumulating = true;
    }

    /// The thread looks after them. `true`: callers have written meanwhile.
    pub(super) fn end_accumulating(&mut self) -> bool {
        self.accumulating = false;
        self.relieved.swap(false, Ordering::Relaxed)
    }

    /// What tells the thread, without any lock, that callers have written.
    pub(super) fn relieved(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.relieved)
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

    /// One who emits writes. `false`: the thread has to go on.
    pub(super) fn write_for_caller(&self, wire: &mut Wire, actions: &mut Vec<Action>) -> bool {
        for _ in 0..MAX_TURNS {
            let Some(work) = self.exchange(wire, None, wire.accumulating, actions) else {
                return true;
            };
            match wire.write(self, work) {
                Ok(Turn::Written) => wire.relieved.store(wire.accumulating, Ordering::Relaxed),
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

#[cfg(test)]
mod tests;
