//! What a writer takes at once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::load::Load;
use crate::core::waiting::Waiting;
use crate::payload::Payload;
use crate::proto::packet::Packet;
use crate::proto::parser::Parser;
use crate::proto::socket_packet::Header;
use crate::proto::text::MessageBuilder;

/// What a writer takes at once. It makes the packets, without any lock; meanwhile the session keeps the
/// events, to hand them back if need be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shipment {
    pub(super) parcels: VecDeque<Parcel>,
    pub(super) load: Load,
    /// How many events and answers are among it, and their bytes.
    pub(crate) events: Load,
    /// The position of the last of these among all that were ever handed to a session.
    pub(super) last: u64,
    /// Those among them of which nobody else keeps track.
    pub(super) plain: Load,
    /// A ping of the WebSocket is to be written behind it, as [`Work::Confirm`](super::Work::Confirm) has it.
    pub(crate) asks: bool,
}

/// One thing to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parcel {
    Packet(Packet),
    /// An event or an answer, with the name of its namespace.
    Event(Arc<str>, Waiting),
}

impl Shipment {
    /// A control packet alone.
    pub(super) fn of(packet: Packet) -> Arc<Self> {
        Arc::new(Self {
            parcels: VecDeque::from([Parcel::Packet(packet)]),
            load: Load::default(),
            events: Load::default(),
            last: 0,
            plain: Load::default(),
            asks: false,
        })
    }

    /// How much it is, but for control packets.
    pub(crate) fn load(&self) -> Load {
        self.load
    }

    /// The events behind this position of which nobody else keeps track, each with its own, the name of its namespace and
    /// its place in the order of the emits.
    pub(super) fn plain_behind(
        &self,
        position: u64,
    ) -> impl Iterator<Item = (u64, &Arc<str>, u64, &Payload)> {
        let first = self.last.saturating_sub(self.events.packets as u64) + 1;
        let events = self.parcels.iter().filter_map(|parcel| match parcel {
            Parcel::Event(name, event) => Some((name, event)),
            Parcel::Packet(_) => None,
        });
        (first..).zip(events).filter_map(move |(own, (name, event))| {
            let payload = event.plain().filter(|_| own > position)?;
            Some((own, name, event.order, payload))
        })
    }

    /// Makes the packets, and gives away one by one.
    #[cfg(any(feature = "polling", test, fuzzing))]
    pub(crate) fn pack<E>(
        &self,
        parser: &dyn Parser,
        mut give: impl FnMut(Packet) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut packets = VecDeque::new();
        for parcel in &self.parcels {
            parcel.pack(parser, &mut packets);
            while let Some(packet) = packets.pop_front() {
                give(packet)?;
            }
        }
        Ok(())
    }

    /// The things to write.
    pub(crate) fn parcels(&self) -> impl Iterator<Item = &Parcel> {
        self.parcels.iter()
    }
}

impl Parcel {
    /// Writes its frame, where that is one text; `false`: its packets are to be made.
    pub(crate) fn write_text(&self, parser: &dyn Parser, text: &mut MessageBuilder) -> bool {
        let written = self.to_encode().map(|(header, payload)| {
            text.restart();
            parser.write_text(header, payload, text)
        });
        written.unwrap_or(false)
    }

    /// Makes its packets.
    pub(crate) fn pack(&self, parser: &dyn Parser, packets: &mut VecDeque<Packet>) {
        if let Self::Packet(packet) = self {
            packets.push_back(packet.clone());
        }
        if let Some((header, payload)) = self.to_encode() {
            parser.encode(header, payload, packets);
        }
    }

    /// What its packets are made of, if it is an event or an answer.
    fn to_encode(&self) -> Option<(Header<'_>, &Payload)> {
        let Self::Event(namespace, waiting) = self else { return None };
        let (kind, id) = waiting.kind_and_number();
        Some((Header { kind, namespace, id }, waiting.payload()?))
    }

    /// What it counts where messages wait.
    pub(super) fn load(&self) -> Load {
        match self {
            Self::Packet(packet) => Load { packets: 1, bytes: packet.size() },
            Self::Event(_, waiting) => waiting.payload().map_or(Load::default(), |payload| Load {
                packets: 1 + payload.attachments.len(),
                bytes: payload.size(),
            }),
        }
    }

    /// The event, if it is one.
    pub(super) fn event(&self) -> Option<&Waiting> {
        if let Self::Event(_, waiting) = self { Some(waiting) } else { None }
    }

    /// The same, to be changed.
    pub(super) fn event_mut(&mut self) -> Option<&mut Waiting> {
        if let Self::Event(_, waiting) = self { Some(waiting) } else { None }
    }
}
