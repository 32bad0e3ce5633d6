//! A JSON formatter that lifts binary values out of the text, at any depth.

use std::io::{self, Write};

use bytes::Bytes;
use serde_json::ser::Formatter;

use super::{placeholder, shared};

/// Compact JSON, but for binary values: they become numbered placeholders, and are put here in the
/// order of their numbers.
pub(super) struct Lift<'a>(pub(super) &'a mut Vec<Bytes>);

impl Formatter for Lift<'_> {
    fn write_byte_array<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        let number = self.0.len();
        self.0.push(shared::take_or_copy(value));
        placeholder::write(writer, number)
    }
}
