//! What waits to be written to a client, and what is being written.

use std::collections::VecDeque;

use super::{NotQueued, SessionOptions};
use crate::core::load::Load;
use crate::proto::packet::{Packet, Probe};

/// The packets of a session that the client does not have.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    waiting: VecDeque<Packet>,
    /// Of the messages that wait.
    load: Load,
    /// How many of the first packets that wait were handed out before.
    returned: usize,
    ping_due: bool,
    /// One pong answers any number of pings.
    pong_due: bool,
    is_away: bool,
    /// The messages that were handed out, and are not known to be written.
    away_load: Load,
    /// The packets themselves, where they may have to come back.
    away: VecDeque<Packet>,
    /// Some of these were handed out before.
    away_again: bool,
}

impl Outbound {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.ping_due && !self.pong_due
    }

    /// Whether something was handed out that is not known to be written.
    pub(super) fn is_away(&self) -> bool {
        self.is_away
    }

    /// The messages that the client does not have.
    pub(super) fn load(&self) -> Load {
        self.load + self.away_load
    }

    pub(super) fn push(&mut self, packet: Packet) {
        self.load = self.load + load(&packet);
        self.waiting.push_back(packet);
    }

    pub(super) fn ping(&mut self) {
        self.ping_due = true;
    }

    pub(super) fn pong(&mut self) {
        self.pong_due = true;
    }

    /// Nobody waits for heartbeats any more.
    pub(super) fn forget_heartbeats(&mut self) {
        self.ping_due = false;
        self.pong_due = false;
    }

    /// Queues messages together. Where nothing waits there is room for any.
    pub(super) fn send(
        &mut self,
        messages: &[Packet],
        options: &SessionOptions,
    ) -> Result<(), NotQueued> {
        let all = messages.iter().map(load).fold(self.load(), |sum, load| sum + load);
        let is_over = all.packets > options.send_packets || all.bytes > options.send_bytes;
        if is_over && self.load() != Load::default() {
            return Err(NotQueued::Full);
        }
        messages.iter().cloned().for_each(|packet| self.push(packet));
        Ok(())
    }

    /// Hands out all that waits.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Packet> + use<> {
        self.put_heartbeat_in_front();
        self.is_away = true;
        self.away_load = std::mem::take(&mut self.load);
        self.returned = 0;
        std::mem::take(&mut self.waiting).into_iter()
    }

    /// The first packets that wait, at most so many.
    pub(super) fn front(&mut self, most: usize) -> VecDeque<Packet> {
        self.put_heartbeat_in_front();
        self.waiting.iter().take(most).cloned().collect()
    }

    /// So many of the first packets were handed out, and may come back.
    pub(super) fn hand_out(&mut self, count: usize) {
        self.away = self.waiting.drain(..count.min(self.waiting.len())).collect();
        self.is_away = true;
        self.away_load = self.away.iter().map(load).fold(Load::default(), |sum, load| sum + load);
        self.load = self.load - self.away_load;
        self.away_again = self.returned > 0;
        self.returned = self.returned.saturating_sub(count);
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    /// What was handed out is written.
    pub(super) fn written(&mut self) {
        self.is_away = false;
        self.away_load = Load::default();
        self.away = VecDeque::new();
        self.away_again = false;
    }

    /// What was handed out did not get through: it waits again, before all else. `true`: some of it was
    /// handed out for the second time.
    pub(super) fn take_back(&mut self) -> bool {
        let again = self.away_again;
        self.load = self.load();
        self.returned += self.away.len();
        while let Some(packet) = self.away.pop_back() {
            self.waiting.push_front(packet);
        }
        self.written();
        again
    }

    /// Drops all, and tells how much it was.
    pub(super) fn give_up(&mut self) -> Load {
        let load = self.load();
        *self = Self::default();
        load
    }

    /// How many bytes of the heap it takes, but for the messages themselves.
    #[cfg(test)]
    pub(super) fn heap(&self) -> usize {
        (self.waiting.capacity() + self.away.capacity()) * size_of::<Packet>()
    }

    fn put_heartbeat_in_front(&mut self) {
        let pong = std::mem::take(&mut self.pong_due).then_some(Packet::Pong(Probe::Heartbeat));
        let heartbeat =
            std::mem::take(&mut self.ping_due).then_some(Packet::Ping(Probe::Heartbeat));
        for packet in pong.into_iter().chain(heartbeat) {
            self.waiting.push_front(packet);
            self.returned += usize::from(self.returned > 0);
        }
    }
}

/// What a packet counts where messages wait.
fn load(packet: &Packet) -> Load {
    match packet {
        Packet::Text(_) | Packet::Binary(_) => Load { packets: 1, bytes: packet.size() },
        _ => Load::default(),
    }
}
