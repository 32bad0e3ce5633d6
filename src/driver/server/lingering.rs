//! A connection with which we are done, while its client may still read.
//!
//! To close it while something unread lies in it would reset it, and take from the client what was written last.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use super::wire::push;
use crate::net::server::stream::ServerStream;

/// How long the client has to read, and to close.
pub(super) const TIME: Duration = Duration::from_secs(5);

/// How often it is read from before others have their turn.
const READS: usize = 16;

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lingers {
    /// The system tells of more.
    Waits,
    /// There may be more, of which it does not.
    HasMore,
    Over,
}

/// What is left of a connection.
pub(super) struct Lingering {
    stream: ServerStream,
    rest: Vec<u8>,
    is_shut: bool,
}

impl Lingering {
    pub(super) fn new(stream: ServerStream, rest: Vec<u8>) -> Self {
        Self { stream, rest, is_shut: false }
    }

    /// Writes what is left, and drops what comes.
    pub(super) fn go_on(&mut self, buffer: &mut [u8]) -> Lingers {
        if !self.is_shut {
            match push(&mut self.stream, &self.rest) {
                Err(_) => return Lingers::Over,
                Ok(taken) if taken < self.rest.len() => drop(self.rest.drain(..taken)),
                // TLS has the rest, for which the socket has no room.
                Ok(_) if self.stream.wants_write() => self.rest = Vec::new(),
                Ok(_) => {
                    self.rest = Vec::new();
                    self.is_shut = true;
                    self.stream.half_close();
                }
            }
        }
        for _ in 0..READS {
            match self.stream.read(buffer) {
                Ok(0) => return Lingers::Over,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Lingers::Waits,
                Err(_) => return Lingers::Over,
            }
        }
        Lingers::HasMore
    }
}
