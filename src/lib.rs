//! Socket.IO for Things: a blocking Socket.IO client for embedded Linux.
#![forbid(unsafe_code)]

mod endpoint;
mod error;
mod net;
mod options;
mod payload;
mod proto;

pub use error::{Error, ErrorKind, Result, Stage};
pub use options::{Tls, TlsBackend};
