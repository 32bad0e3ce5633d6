//! A validating scanner for JSON as JavaScript's `JSON.parse` takes it.
//!
//! It works in one pass, without recursion, and builds nothing.

mod cursor;
mod members;
mod nesting;
mod outline;
mod repair;
mod scan;

#[cfg(feature = "redis")]
pub(crate) use members::elements;
pub(crate) use members::{member, members, unquoted};
pub(crate) use outline::{JsonType, Outline, SyntaxError};
pub(crate) use repair::repair;
pub(crate) use scan::scan;
