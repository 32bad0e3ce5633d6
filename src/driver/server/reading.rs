//! Reading a WebSocket of a client.

use std::io::ErrorKind;
use std::sync::Arc;

use mio::Token;

use super::parts::{IoCommand, Peer, PeerState, ServedSocket};
use super::pool;
use super::wire::PeerWire;
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind as Kind};
use crate::net::server::frames::{Inbound, MessageBlocks, write_close};
use crate::options::Transport;

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// How large the memory for it is. From here on the C library has it mapped by itself, so that of what is never read into
/// nothing is resident: mostly that is all but a page.
const MAPPED: usize = 2 * BUFFER;

/// How much has to come at once for its messages to lie side by side.
const FLOOD: usize = BUFFER / 4;

/// How often a client is read from before others have their turn.
const READS: usize = 16;

/// The memory of a thread into which it reads.
pub(super) struct ReadMemory {
    mapped: Box<[u8]>,
    pub(super) blocks: MessageBlocks,
    /// How many bytes have come since they were counted anew.
    pub(super) come: usize,
}

impl ReadMemory {
    pub(super) fn new() -> Self {
        Self { mapped: vec![0; MAPPED].into(), blocks: MessageBlocks::default(), come: 0 }
    }

    pub(super) fn buffer(&mut self) -> &mut [u8] {
        &mut self.mapped[..BUFFER]
    }
}

/// What reading has come to.
enum Read {
    /// There is no more, or the reader holds still.
    Enough,
    /// There may be more.
    More,
    /// It is over.
    End(Option<std::io::Error>),
}

impl Peer {
    /// Reads what has come by its WebSocket.
    pub(super) fn read(&self, token: Token, memory: &mut ReadMemory) {
        for _ in 0..READS {
            // Handlers begin when the client is not locked any more: mostly they have something to say to it.
            let read = self.hub.pool.gathering(|| {
                let mut state = self.lock();
                if state.holds {
                    return Read::Enough;
                }
                self.run(&mut state, |state, orders| {
                    let read = self.read_once(state, token, memory, orders);
                    if let Read::End(error) = read {
                        self.wire_lost(state, error, orders);
                        return Read::Enough;
                    }
                    read
                })
            });
            if matches!(read, Read::Enough) {
                return;
            }
            // What it has brought comes first, if this thread is to do it.
            if pool::has_kept_work() {
                break;
            }
        }
        // There may be more, of which the system does not tell again.
        if let Some(this) = self.this.upgrade() {
            self.hub.command(IoCommand::ReadOn(this, token));
        }
    }

    /// The system tells that nothing more comes by this WebSocket than what there is.
    pub(super) fn note_end(&self, token: Token) {
        if let Some(wire) = self.lock().wire_of(token) {
            wire.note_end();
        }
    }

    fn read_once(
        &self,
        state: &mut PeerState,
        token: Token,
        memory: &mut ReadMemory,
        orders: &mut Vec<SessionOrder>,
    ) -> Read {
        let ReadMemory { mapped, blocks, come } = memory;
        let buffer = &mut mapped[..BUFFER];
        let Some(wire) = state.wire_of(token) else { return Read::Enough };
        let bytes = wire.take_unread();
        if !bytes.is_empty() {
            self.take_in(state, token, &bytes, blocks, orders);
            self.note_half(state, bytes.len());
            return Read::More;
        }
        match wire.read(buffer) {
            Ok(0) => Read::End(None),
            Ok(count) => {
                *come += count;
                let is_emptied = wire.is_emptied_by_short_read();
                self.take_in(state, token, &buffer[..count], blocks, orders);
                self.note_half(state, count);
                // A short read has emptied the socket.
                if count < buffer.len() && is_emptied { Read::Enough } else { Read::More }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Read::Enough,
            Err(error) => Read::End(Some(error)),
        }
    }

    /// Takes frames out of bytes.
    fn take_in(
        &self,
        state: &mut PeerState,
        token: Token,
        mut bytes: &[u8],
        blocks: &mut MessageBlocks,
        orders: &mut Vec<SessionOrder>,
    ) {
        let mut blocks = (bytes.len() >= FLOOD).then_some(blocks);
        let now = now();
        loop {
            if state.holds {
                if let Some(wire) = state.wire_of(token) {
                    wire.keep_unread(bytes);
                }
                return;
            }
            let Some(wire) = state.wire_of(token) else { return };
            match wire.reader.next(&mut bytes, blocks.as_deref_mut()) {
                Ok(None) => {
                    state.session.heard(Transport::WebSocket, now);
                    return;
                }
                Ok(Some(Inbound::Message(frame))) => {
                    match state.session.dialect().decode_frame(frame) {
                        Ok(packet) => {
                            state.session.received(Transport::WebSocket, packet, now, orders);
                        }
                        Err(error) => state.take_malformed(Transport::WebSocket, error, orders),
                    }
                    self.carry_out_now(state, orders);
                }
                Ok(Some(Inbound::Ping(content))) => {
                    let answered = wire.answer_ping(content);
                    if let Err(error) = answered {
                        self.wire_lost(state, Some(error), orders);
                    }
                }
                Ok(Some(Inbound::Pong(_))) => {}
                Ok(Some(Inbound::Close(code))) => {
                    let mut close = Vec::new();
                    write_close(code.map(|(code, _)| code), "", &mut close);
                    self.write_control(state, token, &close, orders);
                    self.wire_closed(state, None, orders);
                    return;
                }
                Err(fault) => {
                    let mut close = Vec::new();
                    write_close(Some(fault.close_code()), &fault.to_string(), &mut close);
                    self.write_control(state, token, &close, orders);
                    let error = Error::new(Kind::Protocol, fault.to_string());
                    self.wire_closed(state, Some(error), orders);
                    return;
                }
            }
        }
    }

    fn write_control(
        &self,
        state: &mut PeerState,
        token: Token,
        bytes: &[u8],
        orders: &mut Vec<SessionOrder>,
    ) {
        let Some(wire) = state.wire_of(token) else { return };
        if let Err(error) = wire.write(bytes) {
            self.wire_lost(state, Some(error), orders);
        }
    }

    /// Goes on reading, if no handlers are too far behind; `false`: it holds still, or did not.
    pub(super) fn resume(&self, state: &mut PeerState) -> bool {
        let must_hold = |socket: &Arc<ServedSocket>| socket.is_behind() && self.must_hold(socket);
        if !state.holds || state.sockets.iter().any(must_hold) {
            return false;
        }
        state.holds = false;
        state.stall = None;
        state.session.resume(now());
        self.resume_half(state);
        true
    }
}

impl PeerState {
    /// The WebSocket with this token.
    pub(super) fn wire_of(&mut self, token: Token) -> Option<&mut PeerWire> {
        let wires = [self.wire.as_mut(), self.candidate.as_deref_mut()];
        wires.into_iter().flatten().find(|wire| wire.token == token)
    }
}

#[cfg(test)]
mod tests;
