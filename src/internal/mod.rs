//! The codecs and the state machines, for this project's own tests and examples.
//!
//! **Not for users**: no promise of semantic versioning holds for what is here; it may change or
//! vanish in any version. It is hidden from the documentation, and here only because tests and examples
//! see no more of a crate than its users do.

mod device;
#[cfg(fuzzing)]
pub mod fuzz;
#[cfg(measuring)]
pub mod measured;

pub use self::device::Device;
pub use crate::payload::Payload;
pub use crate::proto::dialect::{Body, BodyRoom, Dialect, Frame, Pinger};
pub use crate::proto::handshake::Handshake;
pub use crate::proto::packet::{Packet, Probe};
pub use crate::proto::parser::Parser;
pub use crate::proto::socket_packet::{Header, Kind, SocketPacket};

use std::sync::Arc;

use crate::error::Result;
use crate::event::{AckReply, Event, Reply};
use crate::options::ParserKind;
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};
use crate::proto::parser::choice::new_parser;

/// The dialect of a session whose query has this `EIO`.
pub fn dialect(eio: &str) -> Option<&'static dyn Dialect> {
    [V3_DIALECT, V4_DIALECT].into_iter().find(|dialect| dialect.eio() == eio)
}

/// A parser for a session of this dialect, without limits.
pub fn parser(kind: ParserKind, dialect: &dyn Dialect) -> Box<dyn Parser> {
    let mut parser = new_parser(kind, usize::MAX, usize::MAX);
    parser.set_lax(dialect.is_lax());
    parser
}

/// Makes an event of a packet; `reply` sends the acknowledgement that it asks for.
pub fn event(
    packet: SocketPacket,
    reply: Option<impl Fn(Payload) -> Result<()> + Send + Sync + 'static>,
) -> Event {
    Event::new(packet, reply.map(|reply| Arc::new(ReplyBy(reply)) as Arc<dyn Reply>))
}

/// Makes an answer of an acknowledgement's packet.
pub fn ack_reply(packet: SocketPacket) -> AckReply {
    AckReply::new(packet)
}

struct ReplyBy<F>(F);

impl<F: Fn(Payload) -> Result<()> + Send + Sync> Reply for ReplyBy<F> {
    fn reply(&self, payload: Payload) -> Result<()> {
        self.0(payload)
    }
}

#[cfg(test)]
mod tests;
