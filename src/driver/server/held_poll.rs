//! A GET that waits: its connection is with the client, so that whoever has something to say can say it.

use mio::Token;

use super::http_connection::{HttpConnection, IDLE_TIME};
use super::parts::{IoCommand, Peer, PeerState, PollStage};
use crate::core::server::session::SessionOrder;
use crate::driver::clock::now;
use crate::options::Transport;

/// What the thread that serves the connections does with it.
pub(super) enum Fetched {
    /// It stays.
    Stays,
    /// It is free: the next request may have come.
    Free(Box<HttpConnection<Peer>>),
    /// It is gone.
    Gone,
}

impl Peer {
    /// Answers the GET that waits, with what there is to say.
    pub(super) fn answer_poll(&self, state: &mut PeerState, orders: &mut Vec<SessionOrder>) {
        let fault = state.fault_response();
        let Some(held) = state.poll.as_mut().filter(|held| held.stage == PollStage::Waits) else {
            return;
        };
        let body = state.session.take_body(now());
        let response = fault.unwrap_or_else(|| self.hub.poll_response(body, held.script));
        let response = response.with_all(&held.headers);
        held.stage = PollStage::Answering;
        let is_written = held.connection.respond(&response, held.framing);
        self.note_answer(state, &is_written, orders);
    }

    /// Some of the answer is written, or all.
    fn note_answer(
        &self,
        state: &mut PeerState,
        is_written: &std::io::Result<()>,
        orders: &mut Vec<SessionOrder>,
    ) {
        let Some(held) = &mut state.poll else { return };
        match is_written {
            Ok(()) if held.connection.is_writing() => {}
            Ok(()) => {
                held.stage = PollStage::AnswerSink;
                held.connection.deadline = Some(now() + IDLE_TIME);
                if held.connection.has_unread() || held.connection.is_done() {
                    // Nobody else tells the thread of it.
                    self.hub.command(IoCommand::Attend(held.token));
                }
                state.session.written(Transport::Polling, now(), orders);
            }
            Err(_) => {
                let token = held.token;
                state.poll = None;
                self.hub.command(IoCommand::Close(token));
                state.session.poll_lost(None, orders);
            }
        }
    }

    /// Something has happened to the connection of a GET.
    pub(super) fn fetch_poll(&self, token: Token, buffer: &mut [u8]) -> Fetched {
        let mut state = self.lock();
        self.run(&mut state, |state, orders| {
            let Some(held) = state.poll.as_mut().filter(|held| held.token == token) else {
                return Fetched::Gone;
            };
            held.connection.note_more();
            self.attend_to_poll(state, buffer, orders)
        })
    }

    fn attend_to_poll(
        &self,
        state: &mut PeerState,
        buffer: &mut [u8],
        orders: &mut Vec<SessionOrder>,
    ) -> Fetched {
        let Some(held) = &mut state.poll else { return Fetched::Gone };
        match held.stage {
            PollStage::Waits => {
                if held.connection.read_ahead(buffer) {
                    return Fetched::Stays;
                }
                state.poll = None;
                state.session.poll_lost(None, orders);
                return Fetched::Gone;
            }
            PollStage::Answering => {
                let is_written = held.connection.write_on();
                self.note_answer(state, &is_written, orders);
            }
            PollStage::AnswerSink => {}
        }
        match state.poll.take() {
            Some(held) if held.stage == PollStage::AnswerSink => Fetched::Free(held.connection),
            Some(held) => {
                state.poll = Some(held);
                Fetched::Stays
            }
            None => Fetched::Gone,
        }
    }
}
