//! Those who look at the Engine.IO session: packet by packet, which costs nothing while there are
//! none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Driver;
use super::outputs::Action;
use super::recorder::Direction;
use super::trace::{is_traced, trace};
use crate::core::client::Client;
use crate::driver::listener_id::ListenerId;
use crate::event::observed::{EngineEvent, EnginePacket};
use crate::event::status::ManagerEvent;
use crate::options::{Buffer, ParserKind, WhenFull};
use crate::proto::packet::Packet;
use crate::sync::account::ONLY;
use crate::sync::lock::lock;
use crate::sync::mailbox::Mailbox;
use crate::sync::readiness::{Readiness, Wakeup};

/// The observers of one connection. They hold up nothing: where one does not keep up, the oldest of what
/// waits for it give way.
pub(super) struct Observers {
    /// How the messages of the connection are written.
    parser: ParserKind,
    /// There are some.
    any: AtomicBool,
    /// Messages were written since the last [`EngineEvent::Drain`].
    undrained: AtomicBool,
    all: Mutex<Vec<EngineObserver>>,
}

struct EngineObserver {
    id: ListenerId,
    mailbox: Arc<Mailbox<EngineEvent>>,
}

impl Observers {
    pub(super) fn new(parser: ParserKind) -> Self {
        Self {
            parser,
            any: AtomicBool::new(false),
            undrained: AtomicBool::new(false),
            all: Mutex::default(),
        }
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    fn add(&self, mailbox: Arc<Mailbox<EngineEvent>>) -> ListenerId {
        let id = ListenerId::new();
        lock(&self.all).push(EngineObserver { id, mailbox });
        self.any.store(true, Ordering::Relaxed);
        id
    }

    fn remove(&self, id: ListenerId) -> bool {
        let mut observers = lock(&self.all);
        let before = observers.len();
        observers.retain(|observer| observer.id != id);
        self.any.store(!observers.is_empty(), Ordering::Relaxed);
        observers.len() < before
    }

    pub(super) fn clear(&self) {
        let observers = std::mem::take(&mut *lock(&self.all));
        self.any.store(false, Ordering::Relaxed);
        for observer in observers {
            observer.mailbox.close();
        }
    }

    /// Adds a descriptor that is to be readable while something waits for one of them.
    pub(super) fn add_poller(&self, readiness: &Arc<Readiness>) {
        lock(&self.all).iter().for_each(|observer| observer.mailbox.add_poller(readiness));
    }

    fn tell(&self, event: &EngineEvent, mut wake: impl FnMut(Wakeup)) {
        for observer in lock(&self.all).iter() {
            observer.mailbox.bring(ONLY, event.clone()).waiters.into_iter().for_each(&mut wake);
        }
    }

    /// Notes news of the connection.
    pub(super) fn note_news(&self, news: &ManagerEvent, actions: &mut Vec<Action>) {
        if self.is_empty() {
            return;
        }
        if let Some(event) = EngineEvent::of_news(news) {
            self.tell(&event, |waiter| actions.push(Action::Rouse(waiter)));
        }
    }

    /// Notes that there is room in the queue of the session.
    pub(super) fn note_room<A>(&self, core: &Client<A>, actions: &mut Vec<Action>) {
        let empty = || core.engine().is_some() && core.session_load().packets == 0;
        if !self.is_empty() && empty() && self.undrained.swap(false, Ordering::Relaxed) {
            self.tell(&EngineEvent::Drain, |waiter| actions.push(Action::Rouse(waiter)));
        }
    }
}

impl Driver {
    /// Adds an observer.
    pub(crate) fn observe(&self, buffer: Buffer) -> (ListenerId, Arc<Mailbox<EngineEvent>>) {
        let when_full = match buffer.when_full {
            Some(WhenFull::DropNewest) => WhenFull::DropNewest,
            Some(WhenFull::Wait | WhenFull::DropOldest) | None => WhenFull::DropOldest,
        };
        let bounds = self.bounds_with(when_full, buffer);
        let mailbox = Mailbox::with_account(bounds, &self.intake.aside);
        (self.observers.add(Arc::clone(&mailbox)), mailbox)
    }

    /// Removes an observer; `false` when there is none of this number.
    pub(super) fn unobserve(&self, id: ListenerId) -> bool {
        self.observers.remove(id)
    }

    /// A packet was received.
    pub(super) fn show_received(&self, packet: &Packet) {
        trace(self.speaker.id(), "received:", self.observers.parser, packet);
        self.recorder.note_packet(Direction::Received, packet);
        if !self.observers.is_empty() {
            let event =
                EngineEvent::Packet(EnginePacket::new(packet.clone(), self.observers.parser));
            self.observers.tell(&event, |waiter| waiter.wake());
        }
    }

    /// Whether anybody is shown what is written.
    pub(super) fn shows_sent(&self) -> bool {
        is_traced() || self.recorder.keeps_packets() || !self.observers.is_empty()
    }

    /// A packet is about to be written.
    pub(super) fn show_sent(&self, packet: &Packet) {
        trace(self.speaker.id(), "sent:", self.observers.parser, packet);
        self.recorder.note_packet(Direction::Sent, packet);
        if !self.observers.is_empty() {
            if matches!(packet, Packet::Text(_) | Packet::Binary(_)) {
                self.observers.undrained.store(true, Ordering::Relaxed);
            }
            let event =
                EngineEvent::PacketCreate(EnginePacket::new(packet.clone(), self.observers.parser));
            self.observers.tell(&event, |waiter| waiter.wake());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::client::testing::{self, Played};
    use crate::options::{Limits, ManagerOptions};

    #[test]
    fn an_observer_is_removed_once_and_costs_nothing_afterwards() {
        let driver = testing::driver(9, Limits::new());
        assert!(driver.observers.is_empty());
        let (first, of_first) = driver.observe(Buffer::new());
        let (second, of_second) = driver.observe(Buffer::new());
        assert!(driver.unobserve(first) && !driver.unobserve(first));
        assert!(!driver.observers.is_empty(), "of two, one is left");
        driver.show_received(&Packet::Noop);
        assert_eq!((of_first.len(), of_second.len()), (0, 1));
        assert!(driver.unobserve(second));
        assert!(driver.observers.is_empty());
    }

    fn text() -> Packet {
        Packet::Text("2[\"e\"]".into())
    }

    #[test]
    fn observers_see_packets_both_ways_and_news_of_the_session() {
        let driver = testing::driver(9, Limits::new());
        assert!(!driver.shows_sent());
        let (_, events) = driver.observe(Buffer::new());
        assert!(driver.shows_sent());
        driver.show_received(&text());
        driver.show_sent(&text());
        let mut actions = Vec::new();
        driver.observers.note_news(&ManagerEvent::Open, &mut actions);
        driver.observers.note_news(&ManagerEvent::Ping, &mut actions);
        assert!(matches!(events.try_take(), Some(EngineEvent::Packet(_))));
        assert!(matches!(events.try_take(), Some(EngineEvent::PacketCreate(_))));
        assert!(matches!(events.try_take(), Some(EngineEvent::Open)));
        assert!(events.try_take().is_none());
    }

    #[test]
    fn packets_that_are_recorded_are_shown_too() {
        let options = ManagerOptions { recorded_packets: 1, ..ManagerOptions::default() };
        assert!(testing::driver_of(options, 9, None).shows_sent());
    }

    #[test]
    fn that_all_is_written_is_told_once_behind_messages() {
        let played = Played::joined(Limits::new());
        let driver = &played.driver;
        let (_, events) = driver.observe(Buffer::new());
        let note = || {
            driver.observers.note_room(&driver.lock().core, &mut Vec::new());
            std::iter::from_fn(|| events.try_take())
                .filter(|event| matches!(event, EngineEvent::Drain))
                .count()
        };
        driver.show_sent(&Packet::Noop);
        assert_eq!(note(), 0, "that was no message");
        driver.show_sent(&text());
        driver.emit(played.namespace, testing::emit(None), None).unwrap();
        assert_eq!(note(), 0, "there is more");
        played.write();
        let _ = note();
        driver.show_sent(&text());
        assert_eq!((note(), note()), (1, 0));
        driver.show_sent(&text());
        driver.run(Client::close);
        assert_eq!(note(), 0, "there is no session");
    }

    #[test]
    fn what_was_written_before_anybody_looked_is_not_told() {
        let played = Played::joined(Limits::new());
        played.driver.show_sent(&text());
        let (_, events) = played.driver.observe(Buffer::new());
        let core = &played.driver.lock().core;
        played.driver.observers.note_room(core, &mut Vec::new());
        assert_eq!(events.len(), 0);
    }
}
