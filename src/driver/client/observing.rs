//! Those who look at the Engine.IO session: packet by packet, which costs nothing while there are
//! none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender};

use super::Driver;
use super::trace::trace;
use crate::core::client::Client;
use crate::driver::listeners::ListenerId;
use crate::event::engine::{EngineEvent, EnginePacket};
use crate::event::status::ManagerEvent;
use crate::options::{Limits, ParserKind};
use crate::proto::packet::Packet;
use crate::sync::budget::Budget;
use crate::sync::lock::lock;

/// The observers of one connection.
pub(super) struct Observers {
    /// How the messages of the connection are written.
    parser: ParserKind,
    /// There are some.
    any: AtomicBool,
    /// Messages were written since the last [`EngineEvent::Drain`].
    undrained: AtomicBool,
    sinks: Mutex<Vec<Sink>>,
    /// What their queues hold. Observers hold up nothing: where it is used up, the oldest give way.
    budget: Arc<Budget>,
}

struct Sink {
    id: ListenerId,
    sender: Sender<EngineEvent>,
    receiver: Receiver<EngineEvent>,
}

/// Which way a packet goes.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Observers {
    pub(super) fn new(limits: &Limits, parser: ParserKind) -> Self {
        Self {
            parser,
            any: AtomicBool::new(false),
            undrained: AtomicBool::new(false),
            sinks: Mutex::default(),
            budget: Arc::new(Budget::new(limits.receive_events, limits.receive_bytes, || ())),
        }
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    fn add(&self, sender: Sender<EngineEvent>, receiver: Receiver<EngineEvent>) -> ListenerId {
        let id = ListenerId::new();
        lock(&self.sinks).push(Sink { id, sender, receiver });
        self.any.store(true, Ordering::Relaxed);
        id
    }

    fn remove(&self, id: ListenerId) -> bool {
        let mut sinks = lock(&self.sinks);
        let before = sinks.len();
        sinks.retain(|sink| sink.id != id);
        self.any.store(!sinks.is_empty(), Ordering::Relaxed);
        sinks.len() < before
    }

    pub(super) fn clear(&self) {
        lock(&self.sinks).clear();
        self.any.store(false, Ordering::Relaxed);
    }

    fn packet(&self, way: Way, packet: &Packet) {
        let size = match packet {
            Packet::Open(text) => text.len(),
            Packet::Text(text) => text.as_str().len(),
            Packet::Binary(bytes) => bytes.len(),
            _ => 1,
        };
        let permit = self.budget.enter(size);
        let packet = EnginePacket::new(packet.clone(), self.parser, permit);
        self.tell(&match way {
            Way::In => EngineEvent::Packet(packet),
            Way::Out => EngineEvent::PacketCreate(packet),
        });
    }

    fn tell(&self, event: &EngineEvent) {
        for sink in lock(&self.sinks).iter() {
            let _ = sink.sender.try_send(event.clone());
            while self.budget.is_full() && sink.receiver.len() > 1 {
                let _ = sink.receiver.try_recv();
            }
        }
    }

    /// News of the connection.
    pub(super) fn news(&self, news: &ManagerEvent) {
        if self.is_empty() {
            return;
        }
        if let Some(event) = EngineEvent::of_news(news) {
            self.tell(&event);
        }
    }

    /// There is room in the queue of the session.
    pub(super) fn room<A>(&self, core: &Client<A>) {
        let empty = || core.engine().is_some_and(|engine| engine.load().packets == 0);
        if !self.is_empty() && empty() && self.undrained.swap(false, Ordering::Relaxed) {
            self.tell(&EngineEvent::Drain);
        }
    }
}

impl Driver {
    /// Adds an observer.
    pub(crate) fn observe(
        &self,
        sender: Sender<EngineEvent>,
        receiver: Receiver<EngineEvent>,
    ) -> ListenerId {
        self.observers.add(sender, receiver)
    }

    /// Removes an observer; `false` when there is none of this number.
    pub(super) fn unobserve(&self, id: ListenerId) -> bool {
        self.observers.remove(id)
    }

    /// A packet was received.
    pub(super) fn show_received(&self, packet: &Packet) {
        trace("received:", self.observers.parser, packet);
        if !self.observers.is_empty() {
            self.observers.packet(Way::In, packet);
        }
    }

    /// A packet is about to be written.
    pub(super) fn show_sent(&self, packet: &Packet) {
        trace("sent:", self.observers.parser, packet);
        if !self.observers.is_empty() {
            if matches!(packet, Packet::Text(_) | Packet::Binary(_)) {
                self.observers.undrained.store(true, Ordering::Relaxed);
            }
            self.observers.packet(Way::Out, packet);
        }
    }
}
