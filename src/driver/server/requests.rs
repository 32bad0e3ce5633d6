//! What becomes of a request.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use mio::Token;

use super::client_files::ClientFiles;
use super::directory::{Listed as _, NoRoom};
use super::door::Decision;
use super::fallback::{self, HttpRequest};
use super::handshake::{FirstRequest, RarelyKept, SocketHandshake};
use super::http_connection::{Answering, HttpConnection, PostContent, RequestStage};
use super::parts::{Hub, IoCommand, Peer};
use super::tasks::Task;
use super::turned_away::TurnedAway;
use crate::core::server::session::Session;
use crate::driver::clock::now;
use crate::error::PeerWords;
use crate::net::server::accept::{Acceptance, asks_for_upgrade};
use crate::net::server::body::BodyReader;
use crate::net::server::cookie::set_cookie;
use crate::net::server::engine_refusal::EngineRefusal;
use crate::net::server::jsonp::AnswerScript;
use crate::net::server::origin::OriginVerdict;
use crate::net::server::query::{SessionQuery, is_own_sid};
use crate::net::server::request::{BodyLength, RequestHead};
use crate::net::server::response::{Framing, HttpResponse};
use crate::options::Transport;
use crate::proto::dialect::choice::asked_for;
use crate::proto::dialect::{Body, Dialect};
use crate::proto::parser::choice::new_parser;
use crate::sync::logging::log_later;

/// What is done with a request.
pub(super) enum Handled {
    /// It is answered.
    Respond(HttpResponse),
    /// It waits, as the connection says.
    Waits,
    /// It is a GET of this client; its answer may be for a script.
    Poll(Arc<Peer>, Option<AnswerScript>),
    /// Its connection becomes the WebSocket of this client.
    WebSocket { peer: Arc<Peer>, is_upgrade: bool, acceptance: Acceptance },
}

/// A request that is about to be served.
pub(super) struct ServedRequest<'a> {
    pub(super) hub: &'a Arc<Hub>,
    pub(super) token: Token,
    pub(super) head: &'a RequestHead,
    /// The head as it came.
    pub(super) text: &'a [u8],
    /// What browsers are told in the response.
    pub(super) headers: HeaderMap,
    /// The id that the program has made for the session.
    pub(super) sid: Option<String>,
}

impl ServedRequest<'_> {
    /// A request has come. `None`: the program is asked about it.
    pub(super) fn handle(&mut self, connection: &mut HttpConnection<Peer>) -> Option<Handled> {
        if !self.head.path.starts_with(&*self.hub.options.path) {
            return self.hand_over(connection);
        }
        if self.asks_for_client_file() {
            return None;
        }
        let names_none = |query: SessionQuery| query.sid.is_none();
        let begins_session = self.head.method == Method::GET
            && SessionQuery::read(&self.head.query).is_ok_and(names_none);
        let decision = self.hub.door.decide(&self.head.headers, begins_session);
        if decision.is_none() {
            self.ask_program(begins_session, connection);
        }
        decision.map(|decision| self.handle_decided(decision, connection))
    }

    /// Whether the server is known by the name that the request is for.
    fn is_for_known_host(&self) -> bool {
        let is_known = self.hub.door.hosts.has(&self.head.headers);
        if !is_known {
            self.turn_away(TurnedAway::Host, &HOST, "`hosts` has");
        }
        is_known
    }

    /// The request is refused for what it says in this header.
    fn turn_away(&self, cause: TurnedAway, header: &HeaderName, which: &str) {
        let values = self.head.headers.get_all(header).iter();
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let values = values.join(", ");
        let words = format!(
            "a request is refused (403): its {header} \"{}\" is none that {which}",
            PeerWords(&values)
        );
        self.hub.turned_away.tell(cause, now(), words);
    }

    /// The request is not Socket.IO's. `None`: the program is asked.
    fn hand_over(&self, connection: &mut HttpConnection<Peer>) -> Option<Handled> {
        let door = &self.hub.door;
        if !self.is_for_known_host() {
            return Some(Handled::Respond(HttpResponse::new(StatusCode::FORBIDDEN)));
        }
        if door.fallback.is_none() {
            return Some(Handled::Respond(HttpResponse::new(StatusCode::NOT_FOUND)));
        }
        if self.head.body == BodyLength::Known(0) {
            ask_fallback(self.hub, self.token, Box::new(self.head.clone()), connection, Vec::new());
            return None;
        }
        match BodyReader::new(self.head.body, self.hub.options.session.max_payload) {
            Ok(reader) => {
                connection.stage = RequestStage::ReadsBody(Box::new(self.head.clone()), reader);
                Some(Handled::Waits)
            }
            Err(refusal) => Some(Handled::Respond(HttpResponse::refusal(&refusal))),
        }
    }

    /// The request is for a file of the client, which is read by the pool.
    fn asks_for_client_file(&self) -> bool {
        let name = ClientFiles::named(&self.head.path[self.hub.options.path.len()..]);
        let (Some(name), Some(files)) = (name, self.hub.door.client_files.clone()) else {
            return false;
        };
        let is_plain = matches!(self.head.method, Method::GET | Method::HEAD)
            && self.head.body == BodyLength::Known(0);
        if !is_plain || !self.is_for_known_host() {
            return false;
        }
        let (hub, token) = (Arc::clone(self.hub), self.token);
        let headers = self.head.headers.clone();
        self.hub.pool.submit(Task::Once(Box::new(move || {
            let verdict = hub.door.ask(&headers, None).verdict;
            let response = files
                .answer(name, &headers)
                .with_all(&hub.door.cors.headers(&headers, verdict))
                .compressed_from(hub.options.http_compression);
            hub.command(IoCommand::Answered(token, Box::new(response)));
        })));
        true
    }

    fn ask_program(&self, begins_session: bool, connection: &HttpConnection<Peer>) {
        let hub = Arc::clone(self.hub);
        let token = self.token;
        let headers = self.head.headers.clone();
        let first = begins_session.then(|| SocketHandshake {
            request: Arc::new(self.first_request(connection)),
            auth: "".into(),
        });
        self.hub.pool.submit(Task::AtTheDoor(Box::new(move || {
            let decision = hub.door.ask(&headers, first.as_ref());
            hub.command(IoCommand::Decided(token, decision));
        })));
    }

    /// It is known whether the request may be served.
    pub(super) fn handle_decided(
        &mut self,
        decision: Decision,
        connection: &mut HttpConnection<Peer>,
    ) -> Handled {
        let door = &self.hub.door;
        let headers = &self.head.headers;
        self.headers = door.cors.headers(headers, decision.verdict);
        if decision.verdict == OriginVerdict::Foreign {
            self.turn_away(TurnedAway::Origin, &ORIGIN, "`cors` lets in");
        }
        if self.head.method == Method::OPTIONS {
            if let Some(response) = door.cors.preflight(headers, decision.verdict) {
                self.headers.clear();
                return Handled::Respond(response);
            }
        }
        self.sid = decision.sid;
        let is_welcome = decision.verdict != OriginVerdict::Foreign && self.is_for_known_host();
        let served = if is_welcome && decision.is_allowed {
            self.serve(connection)
        } else {
            Err(EngineRefusal::Forbidden)
        };
        served.unwrap_or_else(|refusal| {
            log_later!(
                Debug,
                "a request is refused, {refusal:?}: {} {}",
                PeerWords(self.head.method.as_str()),
                PeerWords(&self.head.path)
            );
            Handled::Respond(HttpResponse::engine_refusal(refusal, None))
        })
    }

    fn serve(&self, connection: &mut HttpConnection<Peer>) -> Result<Handled, EngineRefusal> {
        let query = SessionQuery::read(&self.head.query)?;
        let transport = self.transport(&query)?;
        let only = self.hub.options.only_dialect;
        let dialect = only.or_else(|| asked_for(query.revision.as_deref()));
        let dialect = dialect.ok_or(EngineRefusal::UnsupportedProtocolVersion)?;
        let Some(sid) = query.sid.as_deref() else {
            return self.begin(connection, &query, transport, dialect);
        };
        query.check_sid(self.hub.door.generate_id.is_some())?;
        let peer = self.hub.peer(sid).ok_or(EngineRefusal::UnknownSid)?;
        if !peer.lock().session.speaks(dialect) {
            return Err(EngineRefusal::BadRequest);
        }
        match (transport, &self.head.method) {
            (Transport::WebSocket, _) => self.upgrade(peer, &query, dialect),
            (_, &Method::GET) => Ok(Handled::Poll(peer, self.script(&query, dialect)?)),
            (_, &Method::POST) => self.post(connection, peer, self.script(&query, dialect)?),
            _ => Err(EngineRefusal::BadRequest),
        }
    }

    /// The transport that the request is for.
    fn transport(&self, query: &SessionQuery) -> Result<Transport, EngineRefusal> {
        let options = &self.hub.options;
        let transport = match query.transport.as_str() {
            "polling" if options.polling => Transport::Polling,
            "websocket" if options.websocket => Transport::WebSocket,
            _ => return Err(EngineRefusal::UnknownTransport),
        };
        if asks_for_upgrade(self.head) != (transport == Transport::WebSocket) {
            return Err(EngineRefusal::BadRequest);
        }
        Ok(transport)
    }

    /// The script that is to take the answer, if one is.
    fn script(
        &self,
        query: &SessionQuery,
        dialect: &dyn Dialect,
    ) -> Result<Option<AnswerScript>, EngineRefusal> {
        let Some(number) = &query.j else { return Ok(None) };
        if !self.hub.options.allow_jsonp || !dialect.joins_root() {
            return Err(EngineRefusal::BadRequest);
        }
        AnswerScript::of(number).map(Some)
    }

    /// The id of a new session.
    fn new_sid(&self) -> Result<String, EngineRefusal> {
        let Some(own) = &self.sid else { return Ok(super::ids::new_id()) };
        let is_free = is_own_sid(own) && self.hub.peer(own).is_none();
        if !is_free {
            log_later!(
                Error,
                "the program has made an id that a session cannot have, or another one has"
            );
        }
        Some(own.clone()).filter(|_| is_free).ok_or(EngineRefusal::BadRequest)
    }

    /// The first request of a client.
    fn begin(
        &self,
        connection: &mut HttpConnection<Peer>,
        query: &SessionQuery,
        transport: Transport,
        dialect: &'static dyn Dialect,
    ) -> Result<Handled, EngineRefusal> {
        let hub = self.hub;
        if self.head.method != Method::GET {
            return Err(EngineRefusal::BadHandshakeMethod);
        }
        if dialect.joins_root() && !hub.options.allow_eio3 {
            return Err(EngineRefusal::UnsupportedProtocolVersion);
        }
        let acceptance = match transport {
            Transport::WebSocket => match Acceptance::of(self.head) {
                Ok(acceptance) => Some(acceptance),
                Err(response) => return Ok(Handled::Respond(*response)),
            },
            Transport::Polling => None,
        };
        let script = self.script(query, dialect)?;
        let sid = self.new_sid()?;
        let session = Session::open(
            sid.clone(),
            dialect,
            transport,
            query.is_base64 || script.is_some(),
            &hub.options.session,
            now(),
        );
        let options = &hub.options;
        let mut parser =
            new_parser(options.parser, options.max_attachments, options.session.max_payload);
        parser.set_lax(dialect.is_lax());
        parser.bound_placeholders();
        let Some(request) = hub.heads.keep(self.first_request(connection)) else {
            let words =
                "a client is refused (503): the requests that opened sessions take too much memory";
            hub.turned_away.tell(TurnedAway::Heads, now(), words);
            return Ok(Handled::Respond(HttpResponse::busy("Too large requests")));
        };
        let peer = Peer::new(hub, &sid, session, parser, request, None);
        if let Err(no_room) = hub.add_peer(&peer) {
            return Ok(Handled::Respond(hub.turn_away(&peer, no_room)));
        }
        if let Some(acceptance) = acceptance {
            return Ok(Handled::WebSocket { peer, is_upgrade: false, acceptance });
        }
        peer.begin();
        let response = take_answer(connection, &peer, script);
        let cookie = hub.door.cookie.as_ref().map(|cookie| set_cookie(cookie, &sid));
        Ok(Handled::Respond(match cookie {
            Some(Ok(cookie)) => response.with(SET_COOKIE, cookie),
            // It was looked at when the server was built.
            Some(Err(_)) | None => response,
        }))
    }

    fn first_request(&self, connection: &HttpConnection<Peer>) -> FirstRequest {
        let lines = self.text.split(|byte| *byte == b'\n').skip(1);
        let headers = lines.map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
        let lines: Vec<_> = [self.head.target.as_bytes()].into_iter().chain(headers).collect();
        let chain = connection.stream.client_chain();
        let rare = (!chain.is_empty()).then(|| Box::new(RarelyKept::of(chain)));
        FirstRequest {
            lines: lines.join(&b'\n').into(),
            address: connection.address,
            time: SystemTime::now(),
            is_secure: connection.stream.is_secure(),
            rare,
        }
    }

    fn upgrade(
        &self,
        peer: Arc<Peer>,
        query: &SessionQuery,
        dialect: &'static dyn Dialect,
    ) -> Result<Handled, EngineRefusal> {
        let acceptance = match Acceptance::of(self.head) {
            Ok(acceptance) => acceptance,
            Err(response) => return Ok(Handled::Respond(*response)),
        };
        let mut state = peer.lock();
        let begun = peer.run(&mut state, |state, _| {
            state.session.begin_upgrade(dialect, query.is_base64, now())
        });
        drop(state);
        begun.map_err(|_| EngineRefusal::BadRequest)?;
        Ok(Handled::WebSocket { peer, is_upgrade: true, acceptance })
    }

    fn post(
        &self,
        connection: &mut HttpConnection<Peer>,
        peer: Arc<Peer>,
        script: Option<AnswerScript>,
    ) -> Result<Handled, EngineRefusal> {
        if !is_plain(&self.head.headers) {
            // The session lives on: the client may know another way.
            let refused = HttpResponse::new(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return Ok(Handled::Respond(refused.with(ACCEPT_ENCODING, IDENTITY)));
        }
        let mut state = peer.lock();
        let may = peer.run(&mut state, |state, orders| state.session.begin_post(orders));
        drop(state);
        if !may {
            return Err(EngineRefusal::BadRequest);
        }
        let reader = match BodyReader::new(self.head.body, self.hub.options.session.max_payload) {
            Ok(reader) => reader,
            Err(refusal) => {
                peer.post_lost();
                return Ok(Handled::Respond(HttpResponse::refusal(&refusal)));
            }
        };
        let request = Answering {
            peer,
            framing: Framing::of(self.head),
            headers: self.headers.clone(),
            content: self.content(script),
        };
        connection.stage = RequestStage::Posting { request, reader };
        Ok(Handled::Waits)
    }

    fn content(&self, script: Option<AnswerScript>) -> PostContent {
        let content_type = self.head.headers.get(CONTENT_TYPE);
        if script.is_some() {
            PostContent::Form
        } else if content_type.is_some_and(|value| value.as_bytes() == b"application/octet-stream")
        {
            PostContent::Binary
        } else {
            PostContent::Text
        }
    }
}

/// What a server says that takes no body that is compressed.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Whether the body of a request is as its length says, and not compressed.
fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

impl Hub {
    /// The response to a client for which there is no room.
    fn turn_away(&self, peer: &Peer, no_room: NoRoom) -> HttpResponse {
        let (cause, option) = match no_room {
            NoRoom::Closing => return HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE),
            NoRoom::InAll => (TurnedAway::Clients, "`max_connections`"),
            NoRoom::OfAddress => (TurnedAway::ClientsOfAddress, "`max_connections_per_address`"),
        };
        let from = peer.address().map(|address| format!(" of {address}")).unwrap_or_default();
        let words = format!(
            "a client{from} is refused (503): {option} is how many there may be, with those by polling \
             that have gone without a word, up to the next heartbeat, and those of whose end handlers have \
             yet to hear"
        );
        self.turned_away.tell(cause, now(), words);
        HttpResponse::busy("Too many clients")
    }

    /// The response to a GET.
    pub(super) fn poll_response(&self, body: Body, script: Option<AnswerScript>) -> HttpResponse {
        let response = match script {
            Some(script) => HttpResponse::script(script, &body),
            None => HttpResponse::poll(body),
        };
        response.compressed_from(self.options.http_compression)
    }
}

/// The request is there as a whole, and the program is asked for an answer.
pub(super) fn ask_fallback(
    hub: &Arc<Hub>,
    token: Token,
    head: Box<RequestHead>,
    connection: &HttpConnection<Peer>,
    body: Vec<u8>,
) {
    let Some(fallback) = hub.door.fallback.clone() else { return };
    let is_secure = connection.stream.is_secure();
    let request = HttpRequest { head, body, address: connection.address, is_secure };
    let this = Arc::clone(hub);
    hub.pool.submit(Task::Once(Box::new(move || {
        let response = fallback::ask(&*fallback, &request);
        this.command(IoCommand::Answered(token, Box::new(response)));
    })));
}

/// The response to a GET, with all that waits for the client.
pub(super) fn take_answer(
    connection: &mut HttpConnection<Peer>,
    peer: &Arc<Peer>,
    script: Option<AnswerScript>,
) -> HttpResponse {
    let body = peer.lock().session.take_body(now());
    connection.stage = RequestStage::PollAnswers(Arc::clone(peer));
    peer.hub.poll_response(body, script)
}
