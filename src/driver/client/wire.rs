//! The writing end of a WebSocket, which its thread shares with those who emit.
//!
//! While the thread sleeps, whoever has something to write writes it: on a quiet connection that
//! saves waking the thread, which costs more than the write itself. What comes in quick succession is
//! left to the thread, since that writes many messages in one system call.

use std::sync::{Arc, Mutex};

use super::intake::Inlet;
use super::link::Side;
use super::{Action, Driver};
use crate::core::engine::Work;
use crate::core::ids::LinkId;
use crate::error::Result;
use crate::net::websocket::Interest;
use crate::net::{Waker, WebSocket};
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
    /// Something was handed to the WebSocket and may not be out.
    unflushed: bool,
    /// All that was taken is out, which the state machines have yet to be told.
    written: bool,
    /// Something was written since the thread has asked.
    wrote: bool,
    /// The thread naps, and does not look at the socket.
    napping: bool,
    /// How a caller's turn has ended the service, which the thread has to be told.
    over: Option<Result<Turn>>,
}

/// What a turn has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was written, and there may be more.
    Written,
    /// There is nothing to write, or the socket is full.
    Wait,
    /// All is written, and the peer is to be told goodbye.
    Finish,
    /// The link is given up.
    Stop,
}

impl Wire {
    pub(super) fn new(link: LinkId, socket: WebSocket, base64: bool) -> Self {
        Self {
            link,
            socket,
            base64,
            unflushed: false,
            written: false,
            wrote: false,
            napping: false,
            over: None,
        }
    }

    /// Hands in what was read, and takes what is to be written.
    pub(super) fn exchange(
        &mut self,
        driver: &Driver,
        inlet: Option<&mut Inlet<'_>>,
        actions: &mut Vec<Action>,
    ) -> Work {
        let written = std::mem::take(&mut self.written);
        driver.gather(actions, |monitor, now, actions| {
            monitor.set_asleep(self.link, Side::Reader, false);
            if written {
                monitor.written(self.link, now);
            }
            if let Some(inlet) = inlet {
                driver.hand_in(monitor, inlet, now, actions);
            }
            let work = monitor.core.take(self.link, now);
            if work == Work::Wait {
                monitor.set_asleep(self.link, Side::Reader, true);
            }
            work
        })
    }

    /// Writes what was taken, and what is left from before, as far as the socket takes it.
    pub(super) fn write(&mut self, driver: &Driver, work: Work) -> Result<Turn> {
        if let Some(over) = self.over.take() {
            return over;
        }
        match work {
            Work::Write(packets) => {
                let dialect = driver.look(|core| core.dialect_of(self.link));
                for packet in packets {
                    driver.show_sent(&packet);
                    self.socket.write(dialect.encode_frame(packet, self.base64))?;
                }
                self.unflushed = true;
                self.wrote = true;
            }
            Work::Wait => {}
            Work::Finish => return Ok(Turn::Finish),
            Work::Stop => return Ok(Turn::Stop),
        }
        if self.unflushed && self.socket.flush()? {
            self.unflushed = false;
            self.written = true;
            return Ok(Turn::Written);
        }
        Ok(Turn::Wait)
    }

    /// Makes the peer answer behind all that it has to say by itself.
    pub(super) fn ping(&mut self) -> Result<()> {
        self.unflushed = true;
        self.socket.ping()
    }

    /// What the thread has to wait for, now that there is nothing to do.
    pub(super) fn rest(&mut self, read: bool) -> Result<Interest> {
        if !self.unflushed {
            self.socket.rest()?;
        }
        Ok(self.socket.interest(read, self.unflushed))
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

    /// Whether the socket is full.
    pub(super) fn is_full(&self) -> bool {
        self.unflushed
    }

    /// One who emits writes. `false`: the thread has to go on.
    fn write_for_caller(&mut self, driver: &Driver, actions: &mut Vec<Action>) -> bool {
        for _ in 0..MAX_TURNS {
            let work = self.exchange(driver, None, actions);
            match self.write(driver, work) {
                Ok(Turn::Written) => {}
                Ok(Turn::Wait) => return !self.unflushed && !self.napping,
                over => {
                    self.over = Some(over);
                    return false;
                }
            }
        }
        false
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

    /// Writes what is queued if the wire is free, and wakes the thread if it has to go on.
    pub(super) fn write_or_wake(&self, driver: &Driver, waker: &Waker) {
        let mut actions = Vec::new();
        let done = try_lock(&self.0).and_then(|mut wire| {
            wire.as_mut().map(|wire| wire.write_for_caller(driver, &mut actions))
        });
        if done != Some(true) {
            waker.wake();
        }
        driver.act(actions);
    }
}
