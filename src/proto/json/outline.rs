//! What a scan finds out.

use std::ops::Range;

/// What a scan finds out about a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The type of the text as a whole.
    pub(crate) json_type: JsonType,
    /// The first element, where the text is an array that has one.
    pub(crate) first: Option<Range<usize>>,
    /// How many elements the text has, where it is an array; else 0.
    pub(crate) len: usize,
    /// The deepest nesting of arrays and objects; 0 for any other value.
    pub(crate) depth: usize,
    /// Whether the text holds something that JavaScript takes and `serde_json` refuses: half of a
    /// surrogate pair, or a number beyond `f64`. See [`repair`](super::repair).
    pub(crate) needs_repair: bool,
}

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonType {
    /// `[…]`
    Array,
    /// `{…}`
    Object,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

/// The offset at which a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// In bytes from the start of the text; its length where the text is cut short.
    pub(crate) at: usize,
}
