//! Socket.IO for Things: a blocking Socket.IO client for embedded Linux.
#![forbid(unsafe_code)]

mod ack;
mod budget;
mod builder;
mod core;
mod driver;
mod emitter;
mod endpoint;
mod error;
mod event;
mod io;
mod manager;
mod net;
mod options;
mod payload;
mod proto;
mod socket;
mod subscription;
mod update;

// The public interface is:
pub use ack::Ack;
pub use builder::Builder;
pub use driver::listeners::ListenerId;
pub use emitter::Emitter;
pub use error::{Error, ErrorKind, Result, Stage};
pub use event::{AckReply, DisconnectReason, Event, ManagerEvent, Status};
pub use io::io;
pub use manager::{Counters, Manager};
pub use options::{Limits, Proxy, Timeouts, Tls, TlsBackend, TlsVersion, Transport, WhenFull};
pub use payload::{ArgList, Binary, Value, ValueIndex};
pub use socket::Socket;
pub use subscription::Subscription;
pub use update::Update;
