//! A connection of a client as it is, but for its link, which whoever measures plays. Only there with `--cfg measuring`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

use super::{dialect, parser};
use crate::core::client::Emit;
use crate::core::engine::Work;
use crate::core::ids::NamespaceId;
use crate::driver::ack_slot::{AckHandle, AckSlot};
use crate::driver::client::testing::{self, Played};
use crate::driver::listeners::Scope;
use crate::event::{AckReply, Event};
use crate::options::{Buffer, Limits, ParserKind};
use crate::payload::Payload;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::parser::Parser;
use crate::proto::text::MessageBuilder;
use crate::sync::mailbox::Mailbox;

/// A client that is connected to `/`, and to as many namespaces as are asked for. It has its threads but those of its
/// link: no socket, and nobody who reads and writes by himself.
pub struct PlayedClient {
    played: Played,
    namespaces: Vec<NamespaceId>,
    dialect: &'static dyn Dialect,
    parser: Box<dyn Parser>,
    text: MessageBuilder,
}

/// A subscription's queue.
pub struct PlayedInbox(Arc<Mailbox<Event>>);

/// An answer that is awaited.
pub struct PlayedAnswer(Arc<AckSlot>);

impl PlayedClient {
    /// One with `/` alone.
    pub fn new() -> Self {
        let limits = Limits::new().acks(usize::MAX);
        let played = Played::joined(limits);
        let namespaces = vec![played.namespace];
        let dialect = dialect("4").expect("it is known");
        let parser = parser(ParserKind::Json, dialect);
        Self { played, namespaces, dialect, parser, text: MessageBuilder::default() }
    }

    /// Joins one more namespace.
    pub fn join(&mut self, name: &str) {
        let driver = &self.played.driver;
        let id = driver.register_namespace(name);
        driver.run(|core, now| core.connect(id, now));
        self.namespaces.push(id);
        self.write();
        self.receive(&format!("40{name},{{\"sid\":\"n\"}}"));
    }

    /// Subscribes to an event of the namespace that was joined as the `index`th.
    pub fn subscribe(&self, index: usize, event: &str) -> PlayedInbox {
        let scope = Scope::Event(event);
        PlayedInbox(self.played.driver.subscribe(self.namespaces[index], scope, Buffer::new()).1)
    }

    /// Emits an event.
    pub fn emit(&self, index: usize, event: &str, args: &impl Serialize) {
        self.emit_as(index, event, args, None);
    }

    /// Emits an event, and awaits the answer.
    pub fn ask(&self, index: usize, event: &str, args: &impl Serialize) -> PlayedAnswer {
        let slot = Arc::new(AckSlot::default());
        self.emit_as(index, event, args, Some(AckHandle::Slot(Arc::clone(&slot))));
        PlayedAnswer(slot)
    }

    fn emit_as(&self, index: usize, event: &str, args: &impl Serialize, ack: Option<AckHandle>) {
        let payload = Payload::event(event, args).expect("something that can be written");
        let emit = Emit { payload, ..testing::emit(ack) };
        let emitted = self.played.driver.emit(self.namespaces[index], emit, None);
        emitted.expect("an open connection");
    }

    /// Makes frames of what there is to write; gives their bytes.
    pub fn write(&mut self) -> usize {
        let (mut bytes, mut packets) = (0, VecDeque::new());
        while let Work::Write(shipment) = self.played.take() {
            for parcel in shipment.parcels() {
                if parcel.write_text(&*self.parser, &mut self.text) {
                    bytes += self.text.as_frame().len();
                    continue;
                }
                parcel.pack(&*self.parser, &mut packets);
                let frames =
                    packets.drain(..).map(|packet| self.dialect.encode_frame(packet, false));
                bytes += frames.map(|frame| frame.len()).sum::<usize>();
            }
            self.played.written();
            if shipment.asks {
                let link = self.played.link;
                self.played.driver.run(|core, now| core.confirmed(link, now));
            }
        }
        bytes
    }

    /// The server sends a frame.
    pub fn receive(&mut self, text: &str) {
        self.receive_all([text]);
    }

    /// The server sends frames, which are read at once.
    pub fn receive_all<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        for text in texts {
            let packet = self.dialect.decode_frame(Frame::Text(text.into()));
            self.played.packets.push_back(packet.expect("a packet"));
        }
        self.played.hand_in(false);
    }
}

impl PlayedInbox {
    /// Takes the oldest event.
    pub fn take(&self) -> Option<Event> {
        self.0.try_take()
    }
}

impl PlayedAnswer {
    /// Takes the answer, which has come.
    pub fn take(self) -> Option<AckReply> {
        self.0.wait(Some(std::time::Instant::now()))?.ok()
    }
}
