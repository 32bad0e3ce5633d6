//! Socket.IO for Things: a blocking Socket.IO client for embedded Linux.
#![forbid(unsafe_code)]

mod error;
mod payload;
mod proto;

pub use error::{Error, ErrorKind, Result, Stage};
pub use payload::{ArgList, Binary, Value, ValueIndex};
