//! What waits to be written, and the barriers in it: what stands behind one is not written before the
//! peer is known to have dealt with all that was written before.

use std::collections::VecDeque;

use super::receipt::Content;
use crate::core::load::Load;
use crate::proto::packet::Packet;

/// What waits to be written, in the order in which it was sent.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    front: Batch,
    /// Each stands behind a barrier.
    behind: VecDeque<Batch>,
    load: Load,
    /// How many of the batches have a farewell in them.
    farewells: usize,
}

/// What is written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) packets: VecDeque<Packet>,
    /// Of the messages alone.
    pub(super) load: Load,
    pub(super) content: Content,
    /// There is nothing but farewells in it, and it stands, or stood, behind a barrier.
    is_farewell: bool,
}

impl WriteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.front.packets.is_empty() && self.behind.is_empty()
    }

    /// How much waits, in messages.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// Whether a barrier holds something up, or the end of the session.
    pub(super) fn has_barrier(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether a farewell is to be written.
    pub(super) fn has_farewell(&self) -> bool {
        self.farewells > 0
    }

    /// Appends messages; a farewell behind a barrier, since servers drop the events that they read
    /// together with one. Several farewells need none between them.
    pub(super) fn push(&mut self, messages: &mut VecDeque<Packet>, content: Content) {
        if content.has_farewell() {
            self.bar();
        }
        let load = Load { packets: messages.len(), bytes: messages.iter().map(Packet::size).sum() };
        self.load = self.load + load;
        let back = self.back();
        let has_another = !back.content.has_farewell() && content.has_farewell();
        back.is_farewell = content.has_farewell();
        back.content = back.content.max(content);
        back.load = back.load + load;
        back.packets.append(messages);
        self.farewells += usize::from(has_another);
    }

    /// Appends a barrier, unless nothing but farewells stands behind the last one.
    pub(super) fn bar(&mut self) {
        if !self.back().is_farewell {
            self.behind.push_back(Batch::default());
        }
    }

    /// Appends the packet that closes the session, behind a barrier: servers act upon it before they
    /// act upon a farewell that they read together with it.
    pub(super) fn push_close(&mut self) {
        let packets = VecDeque::from([Packet::Close]);
        self.behind.push_back(Batch { packets, ..Batch::default() });
    }

    /// Takes back the packet that closes the session, which nothing follows.
    pub(super) fn withdraw_close(&mut self) {
        if self.behind.back().is_some_and(|batch| batch.packets.back() == Some(&Packet::Close)) {
            self.behind.pop_back();
        }
    }

    /// Puts in front of everything what no barrier holds up.
    pub(super) fn push_front(&mut self, heartbeat: Packet) {
        self.front.packets.push_front(heartbeat);
    }

    /// Takes all that stands before the first barrier; `None`: there is nothing.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.front.packets.is_empty() {
            return None;
        }
        let batch = std::mem::take(&mut self.front);
        self.farewells -= usize::from(batch.content.has_farewell());
        self.load.packets -= batch.load.packets;
        self.load.bytes -= batch.load.bytes;
        Some(batch)
    }

    /// Opens the barriers that nothing stands before.
    pub(super) fn open(&mut self) {
        while self.front.packets.is_empty() {
            let Some(batch) = self.behind.pop_front() else { return };
            self.front = batch;
        }
    }

    fn back(&mut self) -> &mut Batch {
        self.behind.back_mut().unwrap_or(&mut self.front)
    }
}
