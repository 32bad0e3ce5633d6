//! Engine.IO 4: payloads separated by 0x1E, raw binary frames, heartbeats from the server.

use std::collections::VecDeque;
use std::io::BufRead;

use super::packet::Packet;
use super::revision::{Body, Dialect, Frame, Heartbeat};
use crate::error::Result;

/// The dialect of servers 3.x and 4.x.
#[derive(Debug)]
pub(super) struct V4;

impl Dialect for V4 {
    fn eio(&self) -> &'static str {
        "4"
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat::ServerPings
    }

    fn joins_root(&self) -> bool {
        false
    }

    fn encode_frame(&self, _packet: Packet, _base64: bool) -> Frame {
        todo!()
    }

    fn decode_frame(&self, _frame: Frame) -> Result<Packet> {
        todo!()
    }

    fn encode_payload(&self, _queue: &mut VecDeque<Packet>, _max: Option<usize>) -> Body {
        todo!()
    }

    fn decode_payload<'a>(
        &self,
        _binary: bool,
        _body: Box<dyn BufRead + 'a>,
        _max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
        todo!()
    }
}
