//! Whether what has come is handed on, or waits because a consumer is behind.
//!
//! A full consumer whose policy is to wait makes the reader hold still before the next event for it,
//! and TCP slows the server down. But acknowledgements, answers to CONNECT and heartbeats come behind
//! the events, and a server may read only once what it has written is read. So while one of them is
//! due, while somebody waits for room to send, or while another consumer waits for its events, reading
//! goes on: what comes is put into the reserve. When that is used up as well, the waits end, with an
//! error that names the consumer, and the reader holds still until there is room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use super::{Action, Driver, Monitor};
use crate::core::ids::LinkId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::net::Waker;
use crate::options::Limits;
use crate::proto::packet::Packet;
use crate::sync::gate::Gate;
use crate::sync::lock::{Locked, lock};
use crate::sync::logging::log_later;

/// The gate between the readers of a connection and its consumers, and whom it wakes.
pub(super) struct Intake {
    pub(super) gate: Arc<Gate>,
    /// That of consumers which get no received events: they hold up nothing, and take nothing from the
    /// others.
    pub(super) aside: Arc<Gate>,
    /// The readers that hold still. During an upgrade there may be two.
    readers: Arc<Mutex<Vec<Weak<Waker>>>>,
}

/// What a reader has read and not yet handed in.
pub(super) struct Inlet<'a> {
    pub(super) link: LinkId,
    pub(super) packets: &'a mut VecDeque<Packet>,
    pub(super) reader: &'a Arc<Waker>,
    /// What was read is handed in though nothing is awaited, as far as there is a reserve: the peer has
    /// ended the connection.
    pub(super) is_urgent: bool,
    /// Nothing follows: what the peer said last waits for nobody.
    pub(super) is_last: bool,
}

/// What would make a reader that holds still go on, beside room.
#[derive(Debug)]
pub(super) enum Hold {
    /// Until somebody waits for something.
    UntilAwaited,
    /// The reserve is used up. This is what those are told who wait.
    Stuck(Error),
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        let readers: Arc<Mutex<Vec<Weak<Waker>>>> = Arc::default();
        let to_wake = Arc::clone(&readers);
        let resume = move || {
            // No lock is held while they are woken.
            let readers = std::mem::take(&mut *lock(&to_wake));
            for reader in readers.iter().filter_map(Weak::upgrade) {
                reader.wake();
            }
        };
        let gate = Gate::new(limits.receive_total, limits.receive_reserve, resume);
        Self { gate: Arc::new(gate), aside: Arc::new(Gate::open()), readers }
    }

    /// The reader is about to hold still: it is woken once the gate opens.
    fn hold(&self, reader: &Arc<Waker>) {
        self.others(reader).push(Arc::downgrade(reader));
        self.gate.hold();
    }

    /// The reader goes on. Others that hold still look again: what it has found may be room for them, and
    /// nothing else may tell them of it.
    fn go_on(&self, reader: &Arc<Waker>) {
        let is_alone = self.others(reader).is_empty();
        if is_alone {
            self.gate.release();
        } else {
            self.gate.reopen();
        }
    }

    /// The readers that hold still, without this one and those that have ended, which are forgotten.
    fn others(&self, reader: &Arc<Waker>) -> Locked<'_, Vec<Weak<Waker>>> {
        let mut readers = lock(&self.readers);
        readers.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&Arc::downgrade(reader)));
        readers
    }
}

impl Driver {
    /// Hands in what was read, in order, until a consumer makes the reader hold still: then some is
    /// left, and the reader is woken when it may go on.
    pub(super) fn hand_in(
        &self,
        monitor: &mut Monitor,
        inlet: &mut Inlet<'_>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        // Who looks for events now and then gets those of one read each time.
        inlet.is_urgent |= self.intake.gate.take_glance();
        if !inlet.packets.is_empty() {
            monitor.figures.note_heard(now);
        }
        while !inlet.packets.is_empty() && self.go_on_or_hold(monitor, inlet, now) {
            let Some(packet) = inlet.packets.pop_front() else { return };
            monitor.core.received(inlet.link, packet, now);
            self.drain(monitor, now, actions);
        }
    }

    /// Lets the reader go on (`true`), or makes it hold still before the next packet.
    fn go_on_or_hold(&self, monitor: &mut Monitor, inlet: &Inlet<'_>, now: Timestamp) -> bool {
        // No events are delivered by a session that was given up.
        if !monitor.core.engine().is_some_and(|engine| engine.owns(inlet.link)) {
            return true;
        }
        if inlet.is_last || self.find_hold(monitor, inlet.is_urgent, now).is_none() {
            self.end_hold(monitor, inlet);
            return true;
        }
        if inlet.packets.front().is_some_and(|next| !self.may_be_for_full(monitor, next)) {
            // Another reader may hold still all the same.
            if monitor.holder == Some(inlet.link) {
                self.end_hold(monitor, inlet);
            }
            return true;
        }
        self.intake.hold(inlet.reader);
        // A consumer may have made room before it could see that the reader holds still.
        let Some(hold) = self.find_hold(monitor, inlet.is_urgent, now) else {
            self.intake.go_on(inlet.reader);
            monitor.go_on();
            return true;
        };
        self.begin_hold(monitor, hold, now);
        monitor.holder = Some(inlet.link);
        false
    }

    /// Why the reader should hold still.
    fn find_hold(&self, monitor: &mut Monitor, is_urgent: bool, now: Timestamp) -> Option<Hold> {
        let dispatcher = &monitor.dispatcher;
        monitor.full.retain(|consumer| consumer.recheck(dispatcher));
        // Where no namespace is joined, no events can come, and what comes is awaited.
        if monitor.full.is_empty() || !monitor.core.has_joined() {
            return None;
        }
        let is_awaited = monitor.core.awaits(now);
        if !is_awaited && !is_urgent && !self.intake.gate.is_awaited() {
            return Some(Hold::UntilAwaited);
        }
        if self.intake.gate.has_reserve() {
            return None;
        }
        Some(if is_awaited { Hold::Stuck(self.describe_full(monitor)) } else { Hold::UntilAwaited })
    }

    fn begin_hold(&self, monitor: &mut Monitor, hold: Hold, now: Timestamp) {
        if !std::mem::replace(&mut monitor.warned_full, true) {
            let error = self.describe_full(monitor);
            log_later!(
                Warn,
                "reading stops for as long as nothing is awaited (said once): {error:#}"
            );
        }
        monitor.core.hold(now);
        if let Hold::Stuck(error) = &hold {
            monitor.core.stall(error);
            self.changed.notify_all();
        }
        monitor.hold = Some(hold);
    }

    /// The reader goes on, if one held still.
    fn end_hold(&self, monitor: &mut Monitor, inlet: &Inlet<'_>) {
        if monitor.hold.is_some() {
            self.intake.go_on(inlet.reader);
            monitor.go_on();
        }
    }

    /// What has happened may be a reason for a reader that holds still to go on, or the end of a
    /// wait.
    pub(super) fn reconsider_hold(&self, monitor: &mut Monitor, now: Timestamp) {
        match &monitor.hold {
            Some(_) if !monitor.core.has_joined() => self.intake.gate.reopen(),
            Some(Hold::UntilAwaited) if monitor.core.awaits(now) => self.intake.gate.reopen(),
            None | Some(Hold::UntilAwaited) => {}
            Some(Hold::Stuck(_)) => self.reconsider_stall(monitor, now),
        }
    }

    /// Ends the waits that have begun since the reserve was used up, if it still is. Otherwise the
    /// reader goes on, and need not have been woken yet.
    fn reconsider_stall(&self, monitor: &mut Monitor, now: Timestamp) {
        match self.find_hold(monitor, false, now) {
            Some(Hold::Stuck(error)) => {
                monitor.core.stall(&error);
                monitor.hold = Some(Hold::Stuck(error));
            }
            // Nothing is awaited any more.
            Some(Hold::UntilAwaited) => {}
            None => {
                self.intake.gate.reopen();
                monitor.go_on();
            }
        }
    }

    /// The error that a consumer is behind.
    fn describe_full(&self, monitor: &Monitor) -> Error {
        let worst = monitor
            .full
            .iter()
            .map(|consumer| (consumer.load(&monitor.dispatcher), consumer))
            .max_by_key(|(load, _)| (load.bytes, load.packets));
        let mut what = match worst {
            Some((Load { packets, bytes }, consumer)) => {
                format!("{} is behind: {packets} events of {bytes} bytes wait", consumer.what)
            }
            None => "a consumer is behind".to_owned(),
        };
        if self.intake.gate.is_full() {
            what.push_str(
                ", and all consumers together hold what they may (`Limits::receive_total`)",
            );
        }
        Error::new(ErrorKind::BufferFull, what).with_hint(
            "what is awaited comes behind the events: read them faster, drop the subscription, give \
             it another policy (`Buffer::when_full`), or raise `Limits::receive_reserve`",
        )
    }
}

impl Monitor {
    fn go_on(&mut self) {
        if self.hold.take().is_some() {
            self.holder = None;
            self.core.go_on();
        }
    }
}

#[cfg(test)]
mod tests;
