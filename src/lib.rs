//! Socket.IO for Things: a blocking Socket.IO client for embedded Linux.
#![forbid(unsafe_code)]

mod budget;
mod core;
mod error;
mod event;
mod options;
mod payload;
mod proto;

pub use error::{Error, ErrorKind, Result, Stage};
pub use event::{DisconnectReason, Event, ManagerEvent, Status};
pub use options::{Limits, Transport, WhenFull};
