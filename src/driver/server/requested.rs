//! What its requests do to a client.

use mio::Token;

use super::http_connection::PostBody;
use super::parts::{IoCommand, Peer};
use super::wire::PeerWire;
use crate::driver::clock::now;
use crate::net::server::response::HttpResponse;
use crate::options::Transport;

impl Peer {
    /// The session has begun: a client of the older revision has joined the namespace `/` thereby.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| {
            if state.session.dialect().joins_root() {
                self.join(state, "/", "", None, orders);
            }
        });
    }

    /// Its first connection is a WebSocket, or a WebSocket asks to take the session over.
    pub(super) fn attach(&self, wire: PeerWire, is_upgrade: bool) {
        let mut state = self.lock();
        if state.session.is_over() {
            // It has ended since the request was looked at.
            return self.hub.command(IoCommand::Linger(Box::new(wire)));
        }
        if is_upgrade {
            state.candidate = Some(Box::new(wire));
            return;
        }
        state.wire = Some(wire);
        drop(state);
        self.begin();
        self.write_now();
    }

    /// A POST cannot be read to its end.
    pub(super) fn post_lost(&self) {
        let mut state = self.lock();
        state.post_waits = None;
        self.run(&mut state, |state, orders| state.session.post_lost(None, orders));
    }

    /// The connection of a GET is gone, on which its answer was being written.
    pub(super) fn poll_lost(&self) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| state.session.poll_lost(None, orders));
    }

    /// The answer to a GET is written.
    pub(super) fn poll_answered(&self) {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| {
            state.session.written(Transport::Polling, now(), orders);
        });
    }

    /// Takes packets out of the body of a POST, as long as the handlers keep up, and gives the answer. `None`: the rest,
    /// or the answer, has to wait for them. Until then the POST is not over, and another one is one too many.
    pub(super) fn take_post(
        &self,
        token: Token,
        is_binary: bool,
        body: &mut PostBody,
    ) -> Option<HttpResponse> {
        let mut state = self.lock();
        let mut rest = &body.bytes[body.taken..];
        // Of a body whose last packet was the one too many nothing is left; one that was empty all along is read, and refused.
        let is_all_taken = rest.is_empty() && body.taken > 0;
        self.run(&mut state, |state, orders| {
            if is_all_taken {
                return;
            }
            let max = self.hub.options.session.max_payload;
            let dialect = state.session.dialect();
            for packet in dialect.decode_payload(is_binary, Box::new(&mut rest), max) {
                match packet {
                    Ok(packet) => state.session.received(Transport::Polling, packet, now(), orders),
                    Err(error) => state.take_malformed(Transport::Polling, error, orders),
                }
                self.carry_out_now(state, orders);
                if state.holds || state.session.is_over() {
                    break;
                }
            }
        });
        let left = rest.len();
        let passed = body.bytes.len() - body.taken - left;
        body.taken += passed;
        self.note_half(&mut state, passed);
        if state.holds {
            state.post_waits = Some(token);
            return None;
        }
        state.session.end_post();
        Some(state.fault_response().unwrap_or_else(HttpResponse::post_taken))
    }
}

#[cfg(test)]
mod tests;
