//! WebSocket frames as a server reads and writes them (RFC 6455 §5).

mod blocks;
mod fault;
mod header;
mod reader;
mod writer;

pub(crate) use self::blocks::MessageBlocks;
pub(crate) use self::fault::FrameFault;
pub(crate) use self::reader::{FrameLimits, FrameReader, Inbound};
pub(crate) use self::writer::{write_close, write_frame, write_pong};
