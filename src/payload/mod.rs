//! Floor 1: the caller's types to wire text and attachments, and back.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// An encoded argument list: JSON text, with placeholders for the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    /// A JSON array for events and acknowledgements, an object for a CONNECT packet, or empty.
    pub(crate) json: String,
    /// The binary values, by the number in their placeholder.
    pub(crate) attachments: Vec<Bytes>,
}

impl Payload {
    /// Encodes `["name", arguments…]`: a tuple is the argument list, `()` is none, anything else
    /// is one argument.
    pub(crate) fn event<T: Serialize + ?Sized>(_name: &str, _args: &T) -> Result<Self> {
        todo!()
    }

    /// Encodes `[arguments…]`, by the same rule.
    pub(crate) fn args<T: Serialize + ?Sized>(_args: &T) -> Result<Self> {
        todo!()
    }

    /// Encodes one value without attachments (for CONNECT); binary in it is an error.
    pub(crate) fn value<T: Serialize + ?Sized>(_value: &T) -> Result<Self> {
        todo!()
    }

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

impl Args<'_> {
    /// Decodes the list by the rule of [`Payload::event`]. More arguments than asked for are ignored.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        todo!()
    }

    /// Decodes one argument.
    pub(crate) fn get<T: DeserializeOwned>(&self, _index: usize) -> Result<T> {
        todo!()
    }

    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        todo!()
    }
}
