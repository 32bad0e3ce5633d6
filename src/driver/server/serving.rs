//! Requests, by the thread that serves all connections.

use std::sync::Arc;

use http::HeaderMap;
use mio::Token;

use super::door::Decision;
use super::held_poll::Fetched;
use super::http_connection::{Came, IDLE_TIME, PostBody, PostContent, REQUEST_TIME, RequestStage};
use super::io::{Io, Slot};
use super::pace::Pace;
use super::parts::{HeldPoll, IoCommand, Peer, PollStage};
use super::requests::{Handled, ServedRequest, ask_fallback, take_answer};
use super::wire::PeerWire;
use crate::core::server::session::PollFate;
use crate::driver::clock::now;
use crate::net::server::engine_refusal::EngineRefusal;
use crate::net::server::jsonp::{AnswerScript, posted};
use crate::net::server::request::{BodyLength, RequestHead};
use crate::net::server::response::{Framing, HttpResponse};
use crate::net::server::stream::ServerStream;
use crate::sync::logging::log_later;
/// How many steps a connection goes that speaks HTTP before others have their turn: a request, or a part of a body.
const STEPS: usize = 32;

impl Io {
    /// Serves what has come by a connection, as far as it goes, or until others have their turn.
    pub(super) fn serve_http(&mut self, token: Token) {
        for _ in 0..STEPS {
            let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
            // With TLS, there may be something to write though no response is.
            if connection.write_on().is_err() {
                return self.lose(token);
            }
            if connection.is_writing() {
                return;
            }
            if matches!(connection.stage, RequestStage::PollAnswers(_)) {
                if let RequestStage::PollAnswers(peer) =
                    std::mem::replace(&mut connection.stage, RequestStage::Idle)
                {
                    peer.poll_answered();
                }
                continue;
            }
            if connection.is_done() {
                return self.linger(token);
            }
            match connection.read(self.memory.buffer(), &self.limits) {
                Came::Nothing => return,
                Came::More => break,
                Came::End(error) => {
                    if let Some(error) = error {
                        match ServerStream::tls_failure(&error) {
                            Some(failure) => log_later!(Debug, "a connection failed: {failure:#}"),
                            None => log_later!(Debug, "a connection failed: {error}"),
                        }
                    }
                    return self.lose(token);
                }
                Came::Request(head, text) => {
                    connection.pace = Pace::new(now());
                    self.set_deadline(token, REQUEST_TIME);
                    self.serve_request(token, head, text, None);
                }
                Came::Body(bytes) => self.take_body(token, PostBody { bytes, taken: 0 }),
                Came::Refused(refusal) => {
                    log_later!(Debug, "a request is refused: {refusal}");
                    if let RequestStage::Posting { request, .. } =
                        std::mem::replace(&mut connection.stage, RequestStage::Idle)
                    {
                        request.peer.post_lost();
                    }
                    self.respond(token, &HttpResponse::refusal(&refusal), Framing::CLOSE);
                }
            }
        }
        // Of what has come already, the system does not tell again.
        self.hub.command(IoCommand::Attend(token));
    }

    /// A request has come, or the program has decided about it.
    pub(super) fn serve_request(
        &mut self,
        token: Token,
        head: Box<RequestHead>,
        text: Box<[u8]>,
        decision: Option<Decision>,
    ) {
        let hub = Arc::clone(&self.hub);
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let headers = HeaderMap::new();
        let mut request =
            ServedRequest { hub: &hub, token, head: &head, text: &text, headers, sid: None };
        let handled = match decision {
            Some(decision) => Some(request.handle_decided(decision, connection)),
            None => request.handle(connection),
        };
        let headers = request.headers;
        // A body that nobody reads would be taken for the next request.
        let has_body = head.body != BodyLength::Known(0);
        let framing = Framing::of(&head);
        let framing = if has_body { framing.closing() } else { framing };
        match handled {
            None => connection.stage = RequestStage::Asked(head, text),
            Some(Handled::Respond(response)) => {
                self.respond(token, &response.with_all(&headers), framing);
            }
            Some(Handled::Poll(peer, script)) => {
                self.hold_poll(token, &peer, framing, headers, script);
            }
            Some(Handled::Waits) => {
                if head.expects_continue && connection.is_reading() {
                    // Where it fails, the next read tells.
                    let _ = connection.invite();
                }
            }
            Some(Handled::WebSocket { peer, is_upgrade, acceptance }) => {
                let mut bytes = Vec::new();
                acceptance.write(&headers, &mut bytes);
                self.begin_websocket(token, &peer, is_upgrade, &bytes);
            }
        }
    }

    /// The connection becomes a WebSocket of this client.
    pub(super) fn begin_websocket(
        &mut self,
        token: Token,
        peer: &Arc<Peer>,
        is_upgrade: bool,
        answer: &[u8],
    ) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let (stream, unread) = connection.into_parts();
        let mut wire = PeerWire::new(token, stream, self.hub.options.session.max_payload);
        wire.keep_unread(&unread);
        // Where it fails, the first attempt to read tells.
        let _ = wire.write(answer);
        self.slots.insert(token, Slot::WebSocket(Arc::clone(peer)));
        peer.attach(wire, is_upgrade);
        peer.read(token, &mut self.memory);
    }

    pub(super) fn respond(&mut self, token: Token, response: &HttpResponse, framing: Framing) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        connection.pace = Pace::new(now());
        if connection.respond(response, framing).is_err() {
            return self.lose(token);
        }
        self.set_deadline(token, IDLE_TIME);
    }

    pub(super) fn take_body(&mut self, token: Token, mut body: PostBody) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let mut request = match std::mem::replace(&mut connection.stage, RequestStage::Idle) {
            RequestStage::Posting { request, .. } | RequestStage::PostWaits(request, _) => request,
            RequestStage::ReadsBody(head, _) => {
                ask_fallback(&self.hub, token, head.clone(), connection, body.bytes);
                connection.stage = RequestStage::Asked(head, Box::default());
                return;
            }
            _ => return,
        };
        if request.content == PostContent::Form {
            // Without its field there is no packet in it, as there is none in an empty body.
            body.bytes = posted(&body.bytes).unwrap_or_default();
            request.content = PostContent::Text;
        }
        let is_binary = request.content == PostContent::Binary;
        match request.peer.take_post(token, is_binary, &mut body) {
            Some(response) => {
                let response = response.with_all(&request.headers);
                self.respond(token, &response, request.framing);
            }
            None => connection.stage = RequestStage::PostWaits(request, body),
        }
    }

    /// A connection has ended, or is given up.
    pub(super) fn lose(&mut self, token: Token) {
        let Some(Slot::Http(connection)) = self.remove(token) else { return };
        match connection.stage {
            RequestStage::Idle | RequestStage::Asked(..) | RequestStage::ReadsBody(..) => {}
            RequestStage::Posting { request, .. } | RequestStage::PostWaits(request, _) => {
                request.peer.post_lost();
            }
            RequestStage::PollAnswers(peer) => peer.poll_lost(),
        }
    }

    /// A GET of this client has come.
    pub(super) fn hold_poll(
        &mut self,
        token: Token,
        peer: &Arc<Peer>,
        framing: Framing,
        headers: HeaderMap,
        script: Option<AnswerScript>,
    ) {
        let Some(Slot::Http(connection)) = self.slots.remove(&token) else { return };
        let may_have_ended = connection.may_have_ended;
        let mut state = peer.lock();
        let (fate, former) = peer.run(&mut state, |state, orders| {
            let fate = state.session.poll(now(), orders);
            if fate != PollFate::Wait {
                return (Err((fate, connection)), None);
            }
            let held =
                HeldPoll { token, connection, framing, headers, script, stage: PollStage::Waits };
            (Ok(()), state.poll.replace(Box::new(held)))
        });
        drop(state);
        match fate {
            Ok(()) => {
                self.slots.insert(token, Slot::Held(Arc::clone(peer)));
                if may_have_ended {
                    self.fetch(token);
                }
            }
            Err((fate, connection)) => {
                self.slots.insert(token, Slot::Http(connection));
                self.answer_at_once(token, fate, peer, framing, script);
            }
        }
        if let Some(former) = former {
            let token = former.token;
            self.slots.insert(token, Slot::Http(former.connection));
            self.serve_http(token);
        }
    }

    pub(super) fn answer_at_once(
        &mut self,
        token: Token,
        fate: PollFate,
        peer: &Arc<Peer>,
        framing: Framing,
        script: Option<AnswerScript>,
    ) {
        let Some(Slot::Http(connection)) = self.slots.get_mut(&token) else { return };
        let response = match fate {
            PollFate::Refuse => HttpResponse::engine_refusal(EngineRefusal::BadRequest, None),
            PollFate::Answer | PollFate::Wait => take_answer(connection, peer, script),
        };
        self.respond(token, &response, framing);
    }

    /// Something has happened to a connection that a client has.
    pub(super) fn fetch(&mut self, token: Token) {
        let Some(Slot::Held(peer)) = self.slots.get(&token) else { return };
        let peer = Arc::clone(peer);
        match peer.fetch_poll(token, self.memory.buffer()) {
            Fetched::Stays => {}
            Fetched::Gone => drop(self.remove(token)),
            Fetched::Free(connection) => {
                self.slots.insert(token, Slot::Http(connection));
                self.serve_http(token);
            }
        }
    }
}
