//! A JSON formatter that lifts binary values out of the text, at any depth.

use std::io::{self, Write};

use bytes::Bytes;
use serde_json::ser::{CharEscape, Formatter};

use super::shared;

/// What stands before the number of an attachment, in the place of a binary value.
pub(crate) const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":"#;

/// What was found on the way through the caller's data.
#[derive(Default)]
pub(super) struct Lifted {
    /// The binary values, in the order of their placeholders.
    pub(super) attachments: Vec<Bytes>,
    /// Whether an object of the caller's has the key that marks a placeholder.
    pub(super) has_reserved_key: bool,
    key: Key,
}

/// What was written of an object's key.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    /// No key is being written, or one that is not reserved.
    #[default]
    Other,
    /// Nothing yet.
    Begun,
    /// The reserved key, unless more follows.
    Reserved,
}

/// Compact JSON, but for binary values: they become numbered placeholders.
pub(super) struct Lift<'a>(pub(super) &'a mut Lifted);

impl Formatter for Lift<'_> {
    fn write_byte_array<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        let num = self.0.attachments.len();
        self.0.attachments.push(shared::take_or_copy(value));
        write!(writer, "{PLACEHOLDER}{num}}}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.key = Key::Begun;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.0.has_reserved_key |= self.0.key == Key::Reserved;
        self.0.key = Key::Other;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_reserved = self.0.key == Key::Begun && fragment == "_placeholder";
        self.0.key = if is_reserved { Key::Reserved } else { Key::Other };
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        char_escape: CharEscape,
    ) -> io::Result<()> {
        self.0.key = Key::Other;
        Plain.write_char_escape(writer, char_escape)
    }

    /// JSON that the caller wrote (`serde_json::value::RawValue`): looked through only roughly.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.0.has_reserved_key |= fragment.contains("_placeholder");
        writer.write_all(fragment.as_bytes())
    }
}

/// The formatter with every default, for the one that is overridden here only to look at it.
struct Plain;

impl Formatter for Plain {}
