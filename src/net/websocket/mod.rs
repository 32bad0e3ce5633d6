//! The WebSocket transport: whole messages over a non-blocking stream.

mod boundary;
mod chunks;
mod closing;
pub(super) mod handshake;
mod masks;
mod metered;

use std::fmt;
use std::io::{self, Read};
use std::mem::replace;
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use rustix::event::PollFlags;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error as WsError, Message, Utf8Bytes};

use self::chunks::Chunks;
use self::metered::Metered;
use super::framing::{BINARY, TEXT};
use super::interest::Interest;
use super::lookout::Lookout;
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Result};
use crate::proto::dialect::Frame;

/// The size of one read on a connection that is quiet, in bytes. It is what an idle connection
/// keeps.
const SMALL_READ: usize = 512;

/// The size of one read where messages are larger than that, and few.
const MEDIUM_READ: usize = 4 * 1024;

/// So much between two rests is a flood, which is read in chunks. It is also the size of one read of a message
/// in a flood that fits in none.
const LARGE_READ: usize = 32_000;

/// The buffer for such reads.
const LARGE_BUFFER: usize = 64 * 1024;

/// How many answers to pings may wait for a socket that takes nothing.
const MAX_UNSENT_PONGS: u32 = 100;

/// An open WebSocket. Nothing but [`WebSocket::close`] blocks, and waiting for an [`Interest`].
pub(crate) struct WebSocket {
    stream: Metered,
    context: WebSocketContext,
    max_message: usize,
    /// The size of one read.
    read_size: usize,
    /// The size of the buffer for it.
    buffer_size: usize,
    /// Nothing more has come, as far as was read.
    drained: bool,
    /// How many bytes were read at the last [`WebSocket::rest`].
    rested_at: usize,
    /// The largest message that was read since the buffers are new, in bytes.
    largest: usize,
    /// What a flood is read into. Apart, so that a WebSocket is small while it is moved on the stack of who opens it, of which an idle
    /// connection keeps what was ever touched.
    chunks: Box<Chunks>,
    /// Whether tungstenite has one of those.
    in_chunk: bool,
    /// tungstenite may hold bytes that the stream has not taken.
    unsent: bool,
    unsent_pongs: u32,
    /// How many pings were sent, which is what the last one carries.
    pings: u32,
    /// Whether the last one was answered.
    pong_came: bool,
}

/// What a read has found.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message.
    Frame(Frame),
    /// A ping of the WebSocket protocol, which is answered, or a pong. There may be more to read.
    Control,
    /// All that has come so far is read.
    Nothing,
    /// The peer is gone; what it said, or how it went.
    Closed(Error),
}

impl WebSocket {
    /// The WebSocket of a stream whose handshake is done; `behind` is what was read behind it. Of messages that wait it
    /// may hold about `lendable` bytes more than they have themselves.
    // Apart, so that those who open it have it once in their frames.
    #[inline(never)]
    pub(super) fn new(
        stream: Stream,
        behind: Vec<u8>,
        max_message: usize,
        lendable: usize,
    ) -> Self {
        let config = config(max_message, SMALL_READ);
        Self {
            stream: Metered::new(stream, behind, SMALL_READ),
            context: WebSocketContext::new(Role::Client, Some(config)),
            max_message,
            read_size: SMALL_READ,
            buffer_size: SMALL_READ,
            drained: false,
            rested_at: 0,
            largest: 0,
            chunks: Box::new(Chunks::new(lendable)),
            in_chunk: false,
            unsent: false,
            unsent_pongs: 0,
            pings: 0,
            pong_came: false,
        }
    }

    /// Reads the next message. To be called until it finds nothing, before waiting: what is
    /// already in a buffer does not make the socket readable.
    pub(crate) fn read(&mut self) -> Result<Received> {
        self.drained = false;
        let result = loop {
            self.stream.cut = self.is_flooded();
            let result = self.context.read(&mut self.stream);
            if !result.as_ref().is_err_and(would_block) || !self.stream.is_at_cut() {
                break result;
            }
            if let Err(error) = self.go_on() {
                break Err(error.into());
            }
        };
        match result {
            Ok(message) => self.accept(message),
            Err(error) if would_block(&error) => {
                self.drained = true;
                Ok(Received::Nothing)
            }
            Err(error) => self.read_failed(error),
        }
    }

    fn accept(&mut self, message: Message) -> Result<Received> {
        match message {
            Message::Text(text) => Ok(Received::Frame(Frame::Text(self.own_text(text)))),
            Message::Binary(bytes) => Ok(Received::Frame(Frame::Binary(self.own(bytes)))),
            Message::Ping(_) => self.send_pong(),
            Message::Pong(echo) => {
                self.pong_came |= self.pings > 0 && *echo == self.pings.to_be_bytes();
                Ok(Received::Control)
            }
            Message::Frame(_) => Ok(Received::Control),
            Message::Close(_) => {
                // The answer is queued; whether it arrives no longer matters.
                let _ = self.context.flush(&mut self.stream);
                Ok(Received::Closed(closing::closed(self.stream.close_frame())))
            }
        }
    }

    /// Hands a message over, to be sent at the latest by the next [`WebSocket::flush`].
    pub(crate) fn write(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Text(text) => self.append(TEXT, text.as_bytes()),
            Frame::Binary(bytes) => self.append(BINARY, &bytes),
        }
    }

    /// The same for a text.
    pub(crate) fn write_text(&mut self, text: &str) -> Result<()> {
        self.append(TEXT, text.as_bytes())
    }

    fn append(&mut self, opcode: u8, content: &[u8]) -> Result<()> {
        if !self.context.can_write() {
            return Err(transport_error("cannot write to the WebSocket: it is being closed"));
        }
        self.unsent = true;
        let is_enough = self.stream.append(opcode, content);
        if is_enough { self.flush().map(drop) } else { Ok(()) }
    }

    /// Hands over a ping of the WebSocket protocol, as [`WebSocket::write`] does with a message.
    ///
    /// The peer answers it behind everything that it wrote before, once it has read everything that was
    /// written before. Each carries another number, so that the answer to an earlier one is told apart.
    pub(crate) fn ping(&mut self) -> Result<()> {
        self.pings = self.pings.wrapping_add(1);
        self.pong_came = false;
        self.unsent = true;
        let number = Bytes::copy_from_slice(&self.pings.to_be_bytes());
        self.written(|context, stream| context.write(stream, Message::Ping(number))).map(drop)
    }

    /// Whether the answer to the last ping was read.
    pub(crate) fn pong_came(&self) -> bool {
        self.pong_came
    }

    /// Sends what was handed over. `true`: all is out. `false`: the socket is full.
    pub(crate) fn flush(&mut self) -> Result<bool> {
        let all_out = self.written(WebSocketContext::flush)?;
        self.unsent = !all_out;
        Ok(all_out)
    }

    /// Whether there is something for [`WebSocket::flush`] to send: messages, pongs, or what TLS
    /// has to say.
    pub(crate) fn wants_write(&self) -> bool {
        self.unsent || self.stream.stream.wants_write()
    }

    /// How many bytes the socket has taken so far. While something is unsent, this tells whether it
    /// moves.
    pub(crate) fn taken(&self) -> usize {
        self.stream.stream.taken()
    }

    /// How many bytes the socket has given so far.
    pub(crate) fn received(&self) -> usize {
        self.stream.stream.received()
    }

    /// To be called before waiting: fits the size of the reads to the traffic, and when that is
    /// over gives back the memory that it took.
    pub(crate) fn rest(&mut self) {
        let turn = self.stream.read - replace(&mut self.rested_at, self.stream.read);
        let read_size = match turn {
            0..SMALL_READ => SMALL_READ,
            SMALL_READ..MEDIUM_READ => MEDIUM_READ,
            MEDIUM_READ..LARGE_READ => self.read_size.max(MEDIUM_READ),
            LARGE_READ.. => LARGE_READ,
        };
        let passed = self.stream.read.max(self.stream.written);
        let is_over = turn < MEDIUM_READ && passed > LARGE_READ;
        let is_empty = self.drained && self.stream.is_between_messages();
        if (is_over || read_size != self.read_size) && is_empty && !self.wants_write() {
            self.renew(read_size);
        }
        self.chunks.rest(self.read_size == LARGE_READ);
    }

    /// Whether so much comes, between two rests or at once, that it is read in chunks.
    fn is_flooded(&self) -> bool {
        self.read_size == LARGE_READ || self.stream.read - self.rested_at >= LARGE_READ
    }

    /// Replaces tungstenite's buffers, in which there must be nothing, by new ones.
    fn renew(&mut self, read_size: usize) {
        self.stream.restart(read_size);
        (self.read_size, self.rested_at) = (read_size, 0);
        // A flood is not read into it.
        self.renew_buffer(if read_size == LARGE_READ { 0 } else { read_size });
    }

    fn renew_buffer(&mut self, size: usize) {
        let config = config(self.max_message, size);
        self.context = WebSocketContext::new(Role::Client, Some(config));
        (self.buffer_size, self.largest, self.in_chunk) = (size, 0, false);
    }

    /// Gives tungstenite, which has read all that it was given, what comes next in a flood: the whole messages that fit
    /// into a chunk; or one that is larger, or of which no more has come yet, which it reads by itself.
    // Its frame is large, and of no use to a connection without a flood.
    #[inline(never)]
    fn go_on(&mut self) -> io::Result<()> {
        if self.read_size < LARGE_READ {
            self.renew(LARGE_READ);
        }
        if let Some(chunk) = self.fill_chunk()? {
            let config = Some(config(self.max_message, 0));
            self.context = WebSocketContext::from_partially_read(chunk, Role::Client, config);
            self.in_chunk = true;
        } else {
            // A message that is larger than the buffer gets one of its size, or of twice the buffer's.
            let begun = self.stream.begun_message();
            let size = if begun > LARGE_BUFFER { LARGE_READ } else { begun.max(MEDIUM_READ) };
            self.stream.open();
            self.renew_buffer(size);
        }
        Ok(())
    }

    fn fill_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = self.chunks.size();
        if self.stream.begun_message() > size {
            return Ok(None);
        }
        let mut chunk = self.chunks.take();
        let filled = self.stream.fill(&mut chunk, size);
        let chunk = if chunk.is_empty() {
            self.chunks.put_back(chunk);
            None
        } else {
            Some(chunk)
        };
        let filled = filled?;
        // A part of a message of which no more has come says nothing.
        if chunk.is_some() || filled == size {
            self.chunks.fit(filled);
        }
        Ok(chunk)
    }

    /// What to wait for: room for what there is to send, and as is wanted something to read, or to
    /// hear of a hang-up even if there is neither.
    pub(crate) fn interest(&self, read: bool, hang_up: bool) -> Interest {
        let socket = Arc::clone(self.stream.stream.socket());
        Interest { socket, read, write: self.wants_write(), hang_up }
    }

    /// Says goodbye: sends what is left and a close frame, then reads and discards until the peer
    /// has closed too, or the cancellation.
    ///
    /// Closing the socket with unread bytes in it would reset the connection, and what the peer
    /// has not yet read would be lost.
    // Its frame is large, and of no use to a connection that stays.
    #[inline(never)]
    pub(crate) fn close(mut self) {
        let mut discarded = [0; 4096];
        let mut all_out = false;
        // Whatever cannot be sent at once is sent by the flush below.
        let _ = self.context.close(&mut self.stream, None);
        while self.stream.stream.check_cancelled().is_ok() {
            if !all_out {
                match self.flush() {
                    Ok(true) => {
                        all_out = true;
                        self.stream.stream.half_close();
                    }
                    Ok(false) => {}
                    Err(_) => return,
                }
            }
            match self.stream.stream.read(&mut discarded) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut wanted = PollFlags::IN;
                    wanted.set(PollFlags::OUT, !all_out);
                    let stream = &self.stream.stream;
                    if stream.attempt().wait_for_io(stream.as_fd(), wanted).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// By what its thread can wait for something to read, so that others can stand in for it.
    pub(crate) fn lookout(&self) -> Result<Lookout> {
        Lookout::new(self.stream.stream.socket())
    }

    fn own(&mut self, bytes: Bytes) -> Bytes {
        if self.leave(&bytes) { bytes } else { Bytes::copy_from_slice(&bytes) }
    }

    fn own_text(&mut self, text: Utf8Bytes) -> Utf8Bytes {
        if self.leave(text.as_ref()) { text } else { Utf8Bytes::from(text.as_str()) }
    }

    /// Leaves a message in the read buffer, all of which it then keeps. `false`: it is to be copied.
    fn leave(&mut self, message: &Bytes) -> bool {
        if self.in_chunk {
            return self.chunks.lend(message);
        }
        self.largest = self.largest.max(message.len());
        // The buffer of a large message is used on for the small ones behind it.
        message.len() >= self.buffer_size.max(self.largest) / 2
    }

    /// Sends the pong that tungstenite has prepared. A peer that pings and does not read the
    /// answers would make the write buffer grow for ever.
    fn send_pong(&mut self) -> Result<Received> {
        match self.context.flush(&mut self.stream) {
            Ok(()) => (self.unsent, self.unsent_pongs) = (false, 0),
            Err(error) if would_block(&error) => {
                self.unsent = true;
                self.unsent_pongs += 1;
            }
            Err(error) => return self.read_failed(error),
        }
        if self.unsent_pongs > MAX_UNSENT_PONGS {
            return Err(transport_error("the peer sends pings and reads none of the answers"));
        }
        Ok(Received::Control)
    }

    /// `true` when all is out; `false` when the message is kept, and the socket is full.
    fn written(
        &mut self,
        write: impl FnOnce(&mut WebSocketContext, &mut Metered) -> Result<(), WsError>,
    ) -> Result<bool> {
        match write(&mut self.context, &mut self.stream) {
            Ok(()) => Ok(true),
            Err(error) if would_block(&error) => Ok(false),
            Err(error) => {
                self.stream.stream.check_cancelled()?;
                let what = transport_error("cannot write to the WebSocket");
                Err(match error {
                    WsError::Io(error) => closing::caused(what, error),
                    error => what.with_source(error),
                })
            }
        }
    }

    fn read_failed(&mut self, error: WsError) -> Result<Received> {
        self.stream.stream.check_cancelled()?;
        let (code, error) = match error {
            WsError::ConnectionClosed
            | WsError::AlreadyClosed
            | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                return Ok(Received::Closed(closing::ended()));
            }
            WsError::Io(error) => return Ok(Received::Closed(closing::broken(error))),
            WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                (CloseCode::Size, too_large(size, max_size))
            }
            WsError::Utf8(_) => (CloseCode::Invalid, no_utf8()),
            error => (
                CloseCode::Protocol,
                transport_error("the server broke the WebSocket protocol").with_source(error),
            ),
        };
        // It may be what is wrong with the last words of the peer.
        let last_words = self.stream.close_frame().filter(|frame| closing::is_odd(frame));
        let error = last_words.map_or(error, |frame| closing::closed(Some(frame)));
        // As far as the socket takes it: the error below ends the connection anyhow.
        let farewell = CloseFrame { code, reason: Utf8Bytes::from_static("") };
        let _ = self.context.close(&mut self.stream, Some(farewell));
        Err(error)
    }
}

fn would_block(error: &WsError) -> bool {
    matches!(error, WsError::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn no_utf8() -> Error {
    transport_error("a text message of the server is no UTF-8")
        .with_hint("does it send binary data as text?")
}

fn config(max_message: usize, buffer_size: usize) -> WebSocketConfig {
    // The write buffer is not limited here: the caller's queue in front of it is.
    WebSocketConfig::default()
        .read_buffer_size(buffer_size)
        .write_buffer_size(0)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("stream", &self.stream.stream).finish_non_exhaustive()
    }
}

fn too_large(size: usize, max_message: usize) -> Error {
    let what = format!("a WebSocket message of {size} bytes; the limit is {max_message}");
    Error::new(ErrorKind::TooLarge, what).with_hint("`Limits::max_message` raises it")
}

fn transport_error(what: &'static str) -> Error {
    Error::new(ErrorKind::Transport, what)
}

#[cfg(test)]
impl PartialEq for Received {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Frame(one), Self::Frame(other)) => one == other,
            (Self::Closed(one), Self::Closed(other)) => one.message() == other.message(),
            (Self::Control, Self::Control) | (Self::Nothing, Self::Nothing) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
