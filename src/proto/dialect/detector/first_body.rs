//! The revision of a server by the first body that it sends.

use std::io::{self, BufRead, Cursor, Read};

use super::Detector;
use crate::error::Result;
use crate::proto::dialect::Dialect;
use crate::proto::dialect::body::{broken_body, peek};
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};

impl Detector {
    /// Looks at the first body of a session, and gives it back whole.
    pub(crate) fn look_at_body<'a>(
        &self,
        binary: bool,
        mut body: Box<dyn BufRead + 'a>,
    ) -> Result<(&'static dyn Dialect, Box<dyn BufRead + 'a>)> {
        if let Some(fixed) = self.fixed {
            return Ok((fixed, body));
        }
        let start = start(&mut body).map_err(broken_body)?;
        let is_old = if binary { start.starts_with(&[0]) } else { has_length(&start) };
        let dialect = if is_old { V3_DIALECT } else { V4_DIALECT };
        Ok((dialect, Box::new(Cursor::new(start).chain(body))))
    }
}

/// How much of a body is looked at.
const START: usize = 12;

/// Reads the start of a body, up to the first byte that can belong to no length.
fn start(body: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    while start.len() < START {
        let Some(byte) = peek(body)? else { break };
        body.consume(1);
        start.push(byte);
        if !(byte.is_ascii_digit() || byte == b':') {
            break;
        }
    }
    Ok(start)
}

/// Whether a body begins with a handshake and its length, as it does in Engine.IO 3.
fn has_length(start: &[u8]) -> bool {
    let digits = start.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && start[digits..] == *b":0{"
}
