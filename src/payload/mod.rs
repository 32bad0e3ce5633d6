//! Floor 1: the caller's types to wire text and attachments, and back.

mod arg_list;
mod attached;
mod binary;
mod de;
mod lift;
pub(crate) mod list;
mod mark;
mod place;
pub(crate) mod placeholder;
mod ser;
mod shared;
mod value;

#[cfg(test)]
mod tests;

pub use arg_list::ArgList;
pub use binary::Binary;
pub use value::{Value, ValueIndex};

use bytes::Bytes;

/// An encoded argument list: JSON text, with placeholders for the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// A JSON array for events and acknowledgements, an object for a CONNECT packet, or empty.
    pub json: String,
    /// The binary values, by the number in their placeholder.
    pub attachments: Vec<Bytes>,
}

impl Payload {
    /// The size that counts for buffers: text and attachments, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// A received argument list, still encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a> {
    /// A valid JSON array (see `proto::json`).
    pub(crate) json: &'a str,
    /// How many elements stand before the arguments: 1 for an event, whose name comes first.
    pub(crate) skip: usize,
    /// What the placeholders stand for.
    pub(crate) attachments: &'a [Bytes],
}
