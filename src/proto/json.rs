//! A validating scanner for JSON as JavaScript's `JSON.parse` takes it.
//!
//! It works in one pass, without recursion, and builds nothing.

use std::ops::Range;

/// What a scan finds out about a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// What the text is.
    pub(crate) shape: Shape,
    /// The first element, where the text is an array that has one.
    pub(crate) first: Option<Range<usize>>,
    /// How many elements the text has, where it is an array.
    pub(crate) len: usize,
    /// The deepest nesting of arrays and objects.
    pub(crate) depth: usize,
    /// Whether the text holds something that JavaScript takes and serde_json refuses: half of a
    /// surrogate pair, or a number beyond `f64`. See [`repair`].
    pub(crate) needs_repair: bool,
}

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Array,
    Object,
    String,
    Number,
    Bool,
    Null,
}

/// The offset at which a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: usize,
}

/// Checks that the whole of `text` is one JSON value, and describes it.
pub(crate) fn scan(_text: &str) -> Result<Outline, SyntaxError> {
    todo!()
}

/// Rewrites a valid text so that serde_json takes it: half surrogate pairs become U+FFFD, numbers
/// beyond `f64` become `null`.
pub(crate) fn repair(_text: &str) -> String {
    todo!()
}

/// Whether each `{"_placeholder":true,"num":n}` in a valid `text` has an integer `n` below `attachments`.
pub(crate) fn placeholders_are_valid(_text: &str, _attachments: usize) -> bool {
    todo!()
}
