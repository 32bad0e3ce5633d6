//! What is counted of a connection, beside what the state machines count.

use super::{Driver, Monitor};
use crate::core::client::EventSum;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::Error;
use crate::event::stats::{Counters, QueueStats, Stats, TrafficStats};
use crate::event::status::ManagerEvent;
use crate::sync::mailbox::Dropped;

/// The figures that the monitor has.
#[derive(Default)]
pub(super) struct Figures {
    connects: u64,
    disconnects: u64,
    /// Why an attempt failed or a session was lost, the last time, and when.
    last_error: Option<(Error, Timestamp)>,
    /// When the last byte came.
    heard: Option<Timestamp>,
    /// The bytes of the links that have ended, and of the others as far as they were asked.
    wire_received: u64,
    wire_sent: u64,
    /// The received events that were dropped for want of room.
    pub(super) lost: Dropped,
}

impl Figures {
    /// Counts news of the connection.
    pub(super) fn note_news(&mut self, news: &ManagerEvent, now: Timestamp) {
        match news {
            ManagerEvent::Open => self.connects += 1,
            ManagerEvent::Close(..) => self.disconnects += 1,
            _ => {}
        }
        if let ManagerEvent::Error(error) | ManagerEvent::Close(_, Some(error)) = news {
            self.last_error = Some((error.clone(), now));
        }
    }

    /// Something has come from the server.
    pub(super) fn note_heard(&mut self, now: Timestamp) {
        self.heard = Some(now);
    }

    /// So many bytes were received and sent.
    pub(super) fn note_passed(&mut self, (received, sent): (usize, usize)) {
        self.wire_received += received as u64;
        self.wire_sent += sent as u64;
    }
}

impl Monitor {
    /// Asks the links what has passed.
    pub(super) fn collect_passed(&mut self) {
        for (_, link) in self.links.iter() {
            for passed in link.take_passed() {
                self.figures.note_passed(passed);
            }
        }
    }

    /// What was dropped since the start.
    fn counters(&self) -> Counters {
        let (tally, lost) = (self.core.tally(), self.figures.lost);
        Counters {
            ignored: tally.ignored,
            send_dropped: tally.dropped,
            send_gave_way: tally.gave_way,
            send_expired: tally.expired,
            send_too_large: tally.too_large,
            send_unacknowledged: tally.unacknowledged,
            send_session_ended: tally.session_ended,
            send_volatile: tally.volatile,
            send_discarded: tally.discarded(),
            send_unconfirmed: tally.unconfirmed,
            receive_dropped: lost.evicted + lost.refused,
            receive_gave_way: lost.evicted,
            receive_refused: lost.refused,
        }
    }

    fn receive_load(&self) -> Load {
        let of_each = self.namespaces.iter().map(|(_, it)| it.listeners.waiting(&self.dispatcher));
        of_each.fold(Load::default(), |sum, load| sum + load)
    }
}

impl Driver {
    /// What was dropped since the start.
    pub(crate) fn counters(&self) -> Counters {
        self.lock().counters()
    }

    /// How the connection stands.
    pub(crate) fn stats(&self) -> Stats {
        let mut monitor = self.lock();
        let now = now();
        monitor.collect_passed();
        let (core, figures) = (&monitor.core, &monitor.figures);
        let (tally, round_trip) = (core.tally(), core.round_trip());
        let connected_for = core.connected_for(now);
        let engine = core.engine().filter(|_| connected_for.is_some());
        let (last_error, failed_at) = figures.last_error.clone().unzip();
        Stats {
            connects: figures.connects,
            disconnects: figures.disconnects,
            failed_attempts: tally.failed_attempts,
            connected_for,
            transport: engine.map(crate::core::engine::Engine::transport),
            next_attempt: core.next_attempt().map(|at| at.since(now)),
            last_error,
            last_error_age: failed_at.map(|at| now.since(at)),
            round_trip: round_trip.last,
            round_trip_smoothed: round_trip.smoothed,
            last_received: figures.heard.map(|at| now.since(at)),
            received: traffic(tally.received, figures.wire_received),
            sent: traffic(tally.sent, figures.wire_sent),
            send_queue: queue(core.send_load()),
            receive_queue: queue(monitor.receive_load()),
            awaited_acks: core.awaited_acks(),
            counters: monitor.counters(),
        }
    }
}

fn traffic(sum: EventSum, wire_bytes: u64) -> TrafficStats {
    TrafficStats { events: sum.events, bytes: sum.bytes, wire_bytes }
}

fn queue(load: Load) -> QueueStats {
    QueueStats { events: load.packets, bytes: load.bytes }
}

#[cfg(test)]
mod tests;
