//! Encoding: puts the arguments into their list, and leaves the rest to `serde_json`.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error as JsonError;

use super::lift::Lift;
use super::list::is_list;
use super::{Payload, placeholder};
use crate::error::{Error, ErrorKind, Result};

/// Typical messages fit into the scratch buffer of their thread; longer ones have a buffer of their own.
const TYPICAL: usize = 4 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Payload {
    /// Encodes `["name", arguments…]`; see [`list`](super::list) for what is a list of arguments.
    pub fn event<T: Serialize + ?Sized>(name: &str, args: &T) -> Result<Self> {
        list(Some(name), args)
    }

    /// Encodes `[arguments…]`, by the same rule.
    pub fn args<T: Serialize + ?Sized>(args: &T) -> Result<Self> {
        list(None, args)
    }

    /// Appends a text to a list of arguments that has an element.
    pub(crate) fn append(&mut self, text: &str) -> Result<()> {
        let text = serde_json::to_string(text)
            .map_err(|error| failure("the arguments cannot be encoded", &error))?;
        self.json.truncate(self.json.len().saturating_sub(1));
        self.json.extend([",", &text, "]"]);
        Ok(())
    }

    /// Encodes one value without attachments (for CONNECT); binary in it is an error.
    ///
    /// `()` and `None` become an empty text: nothing to send along. Anything else but an object
    /// is an error, because servers drop a connection that sends it.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        object(value)
    }
}

/// An empty buffer to write a text into. A value that emits while it is serialized finds none that has
/// room already, nor does a thread that is ending.
fn scratch() -> Vec<u8> {
    SCRATCH.try_with(Cell::take).unwrap_or_default()
}

/// What was written, in a buffer of its length or not much more: it may have to wait.
fn kept(mut written: Vec<u8>) -> Vec<u8> {
    if written.capacity() > TYPICAL {
        return written;
    }
    let text = written.as_slice().into();
    written.clear();
    let _ = SCRATCH.try_with(|scratch| scratch.set(written));
    text
}

/// Encodes `[arguments…]`, with the name of an event in front.
fn list<T: Serialize + ?Sized>(name: Option<&str>, args: &T) -> Result<Payload> {
    let (mut text, mut attachments) = (scratch(), Vec::new());
    let written = write_list(&mut text, &mut attachments, name, args);
    let text = kept(text);
    written
        .and_then(|()| finish(text, attachments))
        .map_err(|error| failure("the arguments cannot be encoded", &error))
}

/// Encodes an object that cannot have attachments.
fn object<T: Serialize + ?Sized>(value: &T) -> Result<Payload> {
    let (mut text, mut attachments) = (scratch(), Vec::new());
    let written = write_value(&mut text, &mut attachments, value);
    let text = kept(text);
    written.map_err(|error| failure("the auth value cannot be encoded", &error))?;
    if !attachments.is_empty() {
        return Err(Error::new(ErrorKind::Payload, "auth cannot carry binary data")
            .with_hint("encode it as text, for instance in base64"));
    }
    match text.first() {
        Some(b'n') => Ok(Payload::default()),
        Some(b'{') => finish(text, attachments)
            .map_err(|error| failure("the auth value cannot be encoded", &error)),
        _ => Err(Error::new(ErrorKind::Payload, "auth must be an object, so a struct or a map")),
    }
}

fn failure(context: &str, error: &JsonError) -> Error {
    Error::new(ErrorKind::Payload, format!("{context}: {error}"))
}

fn finish(text: Vec<u8>, attachments: Vec<Bytes>) -> Result<Payload, JsonError> {
    let json = String::from_utf8(text).map_err(JsonError::custom)?;
    if !attachments.is_empty() && !placeholder::all_are_written(&json, attachments.len()) {
        return Err(JsonError::custom(
            "the key `_placeholder` is reserved in messages that carry binary data: it cannot be `true`",
        ));
    }
    Ok(Payload { json, attachments })
}

/// Writes the list. The brackets that `serde_json` writes around a tuple serve as those of the
/// whole list; a unit it writes as `null`.
fn write_list<T: Serialize + ?Sized>(
    text: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
    name: Option<&str>,
    args: &T,
) -> Result<(), JsonError> {
    let mut lead = b'[';
    if let Some(name) = name {
        text.push(lead);
        serde_json::to_writer(&mut *text, name)?;
        lead = b',';
    }
    let start = text.len();
    if !is_list::<T>() {
        text.push(lead);
        write_value(text, attachments, args)?;
        text.push(b']');
        return Ok(());
    }
    write_value(text, attachments, args)?;
    if let Some(b"[]" | b"null") = text.get(start..) {
        text.truncate(start);
        text.extend_from_slice(if name.is_some() { b"]" } else { b"[]" });
    } else if let Some(bracket) = text.get_mut(start) {
        *bracket = lead;
    }
    Ok(())
}

fn write_value<T: Serialize + ?Sized>(
    text: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
    value: &T,
) -> Result<(), JsonError> {
    value.serialize(&mut serde_json::Serializer::with_formatter(text, Lift(attachments)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typical_texts_leave_their_buffer_to_the_next_and_long_ones_keep_theirs() {
        let mut typical = Vec::with_capacity(TYPICAL);
        typical.extend(b"[1]");
        assert_eq!(kept(typical).capacity(), 3);
        assert_eq!((scratch().capacity(), scratch().capacity()), (TYPICAL, 0), "only once");
        assert_eq!(kept(Vec::with_capacity(TYPICAL + 1)).capacity(), TYPICAL + 1);
        assert_eq!(scratch().capacity(), 0);
    }
}
