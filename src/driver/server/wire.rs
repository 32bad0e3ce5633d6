//! One WebSocket of a client.

use std::io::{self, ErrorKind, Read, Write};

use bytes::Bytes;
use mio::Token;

use crate::net::server::frames::{FrameLimits, FrameReader, write_pong};
use crate::net::server::stream::ServerStream;

/// The most fragments of one message.
const MAX_FRAGMENTS: u32 = 1024;

/// A WebSocket.
pub(super) struct PeerWire {
    pub(super) token: Token,
    pub(super) reader: FrameReader,
    stream: ServerStream,
    /// There while something waits in it.
    backlog: Option<Box<WireBacklog>>,
    /// The end of the connection may lie behind what there is to read: the system has told of it, and does not again.
    may_have_ended: bool,
}

/// What waits at a WebSocket, for the system or for the reader.
#[derive(Default)]
struct WireBacklog {
    /// What the system has not taken.
    unsent: Vec<u8>,
    /// What the last ping said, whose pong waits for the rest to be written: of several pings that one is answered
    /// (RFC 6455 §5.5.3).
    ping: Option<Bytes>,
    /// What was read while the reader held still.
    unread: Vec<u8>,
}

/// How a write has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The system has all of it.
    All,
    /// It has some of it; the rest follows when there is room.
    Some,
    /// It has nothing of it.
    None,
}

impl PeerWire {
    pub(super) fn new(token: Token, stream: ServerStream, max_message: usize) -> Self {
        let limits = FrameLimits { message: max_message, fragments: MAX_FRAGMENTS };
        Self {
            token,
            reader: FrameReader::new(limits),
            stream,
            backlog: None,
            may_have_ended: true,
        }
    }

    /// Whether a read that was short has taken all there was.
    pub(super) fn is_emptied_by_short_read(&self) -> bool {
        !self.may_have_ended && self.stream.is_emptied_by_short_read()
    }

    /// The system tells that the client writes no more, or that the connection failed.
    pub(super) fn note_end(&mut self) {
        self.may_have_ended = true;
    }

    /// What was written before is not all taken.
    pub(super) fn is_blocked(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| !backlog.unsent.is_empty())
    }

    fn backlog(&mut self) -> &mut WireBacklog {
        self.backlog.get_or_insert_default()
    }

    /// Keeps what was read and is to be taken later, behind what is kept already.
    pub(super) fn keep_unread(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.backlog().unread.extend_from_slice(bytes);
        }
    }

    /// What was read before, and not taken.
    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        let unread = self.backlog.as_mut().map(|backlog| std::mem::take(&mut backlog.unread));
        self.forget_empty_backlog();
        unread.unwrap_or_default()
    }

    /// An idle WebSocket has none.
    fn forget_empty_backlog(&mut self) {
        self.backlog.take_if(|backlog| {
            backlog.unsent.is_empty() && backlog.ping.is_none() && backlog.unread.is_empty()
        });
    }

    /// Reads what there is; 0 at the end, an error of kind `WouldBlock` where nothing is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        if matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            self.may_have_ended = false;
        }
        read
    }

    /// Writes this, behind what waits.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        if self.is_blocked() {
            self.backlog().unsent.extend_from_slice(bytes);
            return Ok(Written::None);
        }
        let taken = push(&mut self.stream, bytes)?;
        if taken == bytes.len() {
            return Ok(Written::All);
        }
        self.backlog().unsent.extend_from_slice(&bytes[taken..]);
        Ok(if taken > 0 { Written::Some } else { Written::None })
    }

    /// Answers a ping, once there is room.
    pub(super) fn answer_ping(&mut self, content: Bytes) -> io::Result<()> {
        if self.is_blocked() {
            self.backlog().ping = Some(content);
            return Ok(());
        }
        let mut pong = Vec::new();
        write_pong(&content, &mut pong);
        self.write(&pong).map(drop)
    }

    /// There may be room for what waits.
    pub(super) fn write_on(&mut self) -> io::Result<Written> {
        let Some(backlog) = self.backlog.as_mut().filter(|backlog| !backlog.unsent.is_empty())
        else {
            push(&mut self.stream, &[])?;
            return Ok(Written::All);
        };
        let taken = push(&mut self.stream, &backlog.unsent)?;
        if taken == backlog.unsent.len() {
            backlog.unsent = Vec::new();
            let ping = backlog.ping.take();
            self.forget_empty_backlog();
            if let Some(ping) = ping {
                self.answer_ping(ping)?;
            }
            return Ok(Written::All);
        }
        backlog.unsent.drain(..taken);
        Ok(if taken > 0 { Written::Some } else { Written::None })
    }

    /// The connection, of which nobody expects anything any more, and what is left to be written.
    pub(super) fn into_rest(self) -> (ServerStream, Vec<u8>) {
        (self.stream, self.backlog.map(|backlog| backlog.unsent).unwrap_or_default())
    }
}

/// Writes as much as the system takes; gives how much that is.
pub(super) fn push(stream: &mut ServerStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    // TLS keeps what the socket has not taken, and sends it here.
    match stream.flush() {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(taken),
    }
}

#[cfg(test)]
mod tests;
