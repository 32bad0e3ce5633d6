//! WebSocket frames as a server reads and writes them (RFC 6455 §5).

mod fault;
mod header;
mod mask;
mod reader;
mod writer;

pub(crate) use self::fault::FrameFault;
#[allow(unused_imports, reason = "until the driver uses them")]
pub(crate) use self::reader::{FrameLimits, FrameReader, Inbound};
#[allow(unused_imports, reason = "until the driver uses them")]
pub(crate) use self::writer::{FramePrefix, write_close, write_frame, write_ping, write_pong};
