//! The HTTP request that opens a WebSocket, and the answer to it.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::sync::Arc;

use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};
use rustix::event::PollFlags;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::answer::{Head, HeadReader};
use crate::net::cookies::Jar;
use crate::net::headers::{AGENT, checked, parse_value};
use crate::net::lists::lists;
use crate::net::request::Request;
use crate::net::status::{BODY_PATIENCE, SHORT_BODY, bad_head, hung_up};
use crate::net::stream::Stream;
use crate::net::tls::late_refusal;

/// The headers that come first, and in this case.
const CASED: [&str; 7] = [
    "Host",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Origin",
];

/// How many headers most requests have no more than.
const MOST_HEADERS: usize = 12;

/// What most requests fit into, in bytes.
const USUAL_SIZE: usize = 512;

/// The request for a WebSocket, as it is sent.
pub(crate) struct UpgradeRequest {
    headers: HeaderMap,
    text: Vec<u8>,
}

impl UpgradeRequest {
    /// Writes the request; a header that cannot be sent is an error.
    pub(in crate::net) fn new(
        request: &Request,
        subprotocols: &[String],
        jar: Option<&Jar>,
    ) -> Result<Self> {
        // A path that no request can have must not get into the first line.
        let path: PathAndQuery = request.path_and_query.parse().map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, "the path or the query cannot be sent")
                .with_source(error)
        })?;
        let mut headers = HeaderMap::with_capacity(MOST_HEADERS);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, parse_value("Sec-WebSocket-Key", &generate_key())?);
        headers.insert(HOST, parse_value("Host", &request.endpoint.host_header())?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if !subprotocols.is_empty() {
            let value = parse_value("Sec-WebSocket-Protocol", &subprotocols.join(", "))?;
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        for (name, value) in checked(&request.headers)? {
            if name == HOST || name == USER_AGENT {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        if let Some(jar) = jar {
            jar.apply(&mut headers, request.endpoint.secure);
        }
        let text = written(path.as_str(), &headers);
        Ok(Self { headers, text })
    }

    /// As it is sent.
    pub(in crate::net) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Its size, in bytes.
    pub(in crate::net) fn size(&self) -> usize {
        self.text.len()
    }
}

/// What a server says to the request.
pub(in crate::net) enum HandshakeAnswer {
    /// It speaks WebSocket from now on; this is what came behind its answer.
    Accepted(Vec<u8>),
    /// Something else, with the start of a body.
    Refused(Head, Vec<u8>),
}

/// Sends the request, of which so many bytes are sent already, and reads the answer, whose headers go to `note`.
// Its frame is large: apart, it shares its stack with what the thread does later.
#[inline(never)]
pub(in crate::net) fn shake_hands(
    stream: &mut Stream,
    upgrade: &UpgradeRequest,
    sent: usize,
    note: impl Fn(&HeaderMap),
) -> Result<HandshakeAnswer> {
    let mut conversation = Conversation { stream };
    conversation.send(upgrade.text.get(sent..).unwrap_or_default())?;
    let (head, rest) = conversation.read_head()?;
    note(&head.headers);
    if head.status != 101 {
        let body = conversation.read_body(&head, rest);
        conversation.stream.check_cancelled()?;
        return Ok(HandshakeAnswer::Refused(head, body));
    }
    match objection(&head, &upgrade.headers) {
        None => Ok(HandshakeAnswer::Accepted(rest)),
        Some(what) => Err(connect_error(what)),
    }
}

/// Some servers look for the headers of a WebSocket in the usual case alone.
fn written(path: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::with_capacity(USUAL_SIZE);
    for part in ["GET ", path, " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    let mut write = |name: &str, value: &HeaderValue| {
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    for name in CASED {
        for value in headers.get_all(name) {
            write(name, value);
        }
    }
    for (name, value) in headers {
        if !CASED.iter().any(|cased| cased.eq_ignore_ascii_case(name.as_str())) {
            write(name.as_str(), value);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Both directions of a stream, before there is a WebSocket.
struct Conversation<'a> {
    stream: &'a mut Stream,
}

impl Conversation<'_> {
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let sent = self.blocking(PollFlags::OUT, |stream| stream.write(bytes))?;
            bytes = &bytes[sent..];
        }
        self.blocking(PollFlags::OUT, Stream::flush)
    }

    /// The head of the final answer, and what came with it.
    fn read_head(&mut self) -> Result<(Head, Vec<u8>)> {
        let mut reader = HeadReader::default();
        let mut has_begun = false;
        // Not on the stack, of which the connection keeps what it has touched once.
        let mut buffer = vec![0; 4096];
        if !self.stream.is_secure() {
            // What was asked a moment ago cannot be answered yet.
            self.stream.wait(PollFlags::IN)?;
        }
        loop {
            let read = self.blocking(PollFlags::IN, |stream| stream.read(&mut buffer))?;
            if read == 0 {
                let secure = self.stream.is_secure();
                return Err(if has_begun { cut_off() } else { unanswered(secure) });
            }
            has_begun = true;
            match reader.take_in(&buffer[..read]) {
                Ok(None) => {}
                Ok(Some(head)) => return Ok((head, reader.into_rest())),
                Err(bad) => return Err(bad_head(&bad)),
            }
        }
    }

    /// The start of a body, as far as it comes soon: the status alone is an error already.
    fn read_body(&mut self, head: &Head, mut bytes: Vec<u8>) -> Vec<u8> {
        let attempt = Arc::clone(self.stream.attempt());
        attempt.limit(BODY_PATIENCE);
        let mut buffer = [0; 1024];
        loop {
            let (content, is_whole) = head.decode(&bytes);
            if is_whole || bytes.len() >= SHORT_BODY {
                return content;
            }
            match self.blocking(PollFlags::IN, |stream| stream.read(&mut buffer)) {
                Ok(0) | Err(_) => return content,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }

    /// Repeats a call until it no longer would block; `wanted` is what it waits for.
    fn blocking<T>(
        &mut self,
        wanted: PollFlags,
        mut call: impl FnMut(&mut Stream) -> io::Result<T>,
    ) -> Result<T> {
        loop {
            match call(self.stream) {
                Ok(value) => return Ok(value),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.wait(wanted)?;
                }
                Err(error) => {
                    self.stream.check_cancelled()?;
                    return Err(late_refusal(&error)
                        .unwrap_or_else(|| lost(error, self.stream.is_secure())));
                }
            }
        }
    }
}

/// What an answer with status 101 lacks to be one to this request (RFC 6455 §4.1).
fn objection(head: &Head, asked: &HeaderMap) -> Option<&'static str> {
    let accept = asked.get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let accepted = head.headers.get(SEC_WEBSOCKET_ACCEPT);
    let protocol = head.headers.get(SEC_WEBSOCKET_PROTOCOL);
    if !head.is_current {
        return Some("the server switches protocols in HTTP/1.0, which cannot");
    }
    if !lists(&head.headers, &UPGRADE, "websocket") {
        return Some("the server switches protocols, but has no `Upgrade: websocket`");
    }
    if !lists(&head.headers, &CONNECTION, "upgrade") {
        return Some("the server switches protocols, but has no `Connection: Upgrade`");
    }
    if accepted.map(HeaderValue::as_bytes) != accept.as_ref().map(String::as_bytes) {
        return Some("the server's `Sec-WebSocket-Accept` is not the answer to our key");
    }
    if head.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Some("the server chose a WebSocket extension that was not offered");
    }
    match (asked.get(SEC_WEBSOCKET_PROTOCOL), protocol) {
        (None, None) => None,
        (Some(asked), Some(chosen)) if offers(asked, chosen) => None,
        (Some(_), None) => Some("the server chose none of the subprotocols"),
        (_, Some(_)) => Some("the server chose a subprotocol that was not offered"),
    }
}

/// Whether a list has a member, in the same case.
fn offers(list: &HeaderValue, member: &HeaderValue) -> bool {
    let mut members = list.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    members.any(|one| one == member.as_bytes())
}

fn connect_error(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Connect(Stage::Http), what)
}

fn lost(error: io::Error, secure: bool) -> Error {
    connect_error(format!(
        "the connection failed during the WebSocket handshake ({})",
        error.kind()
    ))
    .with_source(error)
    .with_hint(hung_up(secure, true))
}

fn unanswered(secure: bool) -> Error {
    connect_error("the server closed the connection instead of answering")
        .with_source(io::Error::from(io::ErrorKind::UnexpectedEof))
        .with_hint(hung_up(secure, true))
}

fn cut_off() -> Error {
    connect_error("the server closed the connection within the head of its answer")
        .with_source(io::Error::from(io::ErrorKind::UnexpectedEof))
}

#[cfg(test)]
mod tests;
