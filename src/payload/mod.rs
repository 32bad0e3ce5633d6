//! Floor 1: the caller's types to wire text and attachments, and back.

mod arg_list;
mod attached;
mod binary;
mod de;
mod lift;
mod place;
mod placeholder;
mod ser;
mod shared;
mod value;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

pub use arg_list::ArgList;
pub use binary::Binary;
pub(crate) use lift::PLACEHOLDER;
pub use value::{Value, ValueIndex};

/// An encoded argument list: JSON text, with placeholders for the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// A JSON array for events and acknowledgements, an object for a CONNECT packet, or empty.
    pub json: String,
    /// The binary values, by the number in their placeholder.
    pub attachments: Vec<Bytes>,
}

impl Payload {
    /// Encodes `["name", arguments…]`: a tuple is the argument list, `()` is none, anything else
    /// is one argument.
    ///
    /// To serde an array of fixed size (`[T; N]`) is a tuple too, so it is an argument list; a
    /// slice, a `Vec` and a tuple struct are one argument. `None` and `Value::Null` are the argument `null`, but
    /// `serde_json::Value::Null` cannot be told from `()`.
    pub fn event<T: Serialize + ?Sized>(name: &str, args: &T) -> Result<Self> {
        ser::list(Some(name), args)
    }

    /// Encodes `[arguments…]`, by the same rule.
    pub fn args<T: Serialize + ?Sized>(args: &T) -> Result<Self> {
        ser::list(None, args)
    }

    /// Encodes one value without attachments (for CONNECT); binary in it is an error.
    ///
    /// `()` and `None` become an empty text: nothing to send along. Anything else but an object
    /// is an error, because servers drop a connection that sends it.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        ser::object(value)
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
    ///
    /// Missing arguments decode into `Option`s, as `None`, and are an error for other types.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        de::list(self)
    }

    /// Decodes one argument.
    pub(crate) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        de::argument(self, index)
    }

    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        de::count(self.json).saturating_sub(self.skip)
    }
}
