//! HTTP requests of the polling transport, by ureq over our own streams.
//!
//! ureq repeats no request by itself. We send one again where the server had closed a kept connection
//! before it had the request, and nowhere else ([`Known::is_to_be_repeated`]): whatever fails otherwise
//! is an error, for GET too, since only the session knows whether to go on.

mod exchange;
pub(super) mod keep_alive;
mod transport;

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use ureq::{Agent, Body as HttpBody};

use self::exchange::{Exchange, Known};
use self::transport::{StreamConnector, agent};
use super::answer::{BadHead, may_be_http};
use super::attempt::Attempt;
use super::cookies::Jar;
use super::headers::{AGENT, checked};
use super::network::{Answered, Net, OtherAnswer};
use super::request::Request;
use super::status::{BODY_PATIENCE, SHORT_BODY, bad_head, hung_up};
use super::waker::cancelled;
use crate::error::{Error, ErrorKind, Result, Stage, snippet};
use crate::options::endpoint::Endpoint;
use crate::proto::dialect::Body;
use crate::sync::lock::lock;

/// The size of one read of a body.
const READ_BUFFER: usize = 8 * 1024;

/// Requests to one server over kept connections, one at a time.
pub(crate) struct Http {
    agent: Agent,
    net: Arc<Net>,
    answered: Arc<AtomicBool>,
    server: Arc<Mutex<Option<Endpoint>>>,
    exchange: Arc<Exchange>,
    attempt: Arc<Attempt>,
}

/// The answer to a GET: its status is 200, and its body is still to be read.
pub(crate) struct Response {
    /// Whether the content type is `application/octet-stream`.
    pub(crate) binary: bool,
    /// The content, as it comes. Read to its end, it leaves the connection to the next request.
    pub(crate) body: Box<dyn BufRead + Send>,
}

impl Http {
    /// Prepares requests to one server; the first of them dials.
    pub(crate) fn new(net: &Arc<Net>, attempt: &Arc<Attempt>) -> Self {
        let server = Arc::new(Mutex::new(None));
        let exchange = Arc::new(Exchange::default());
        let answered = Arc::new(AtomicBool::new(false));
        let connector = StreamConnector {
            net: Arc::clone(net),
            answered: Arc::clone(&answered),
            server: Arc::clone(&server),
            exchange: Arc::clone(&exchange),
            attempt: Arc::clone(attempt),
        };
        Self {
            agent: agent(connector),
            net: Arc::clone(net),
            answered,
            server,
            exchange,
            attempt: Arc::clone(attempt),
        }
    }

    /// Asks for a body, and returns once its headers are here.
    pub(crate) fn get(&self, request: &Request) -> Result<Response> {
        let response = self.send(&http::Method::GET, request, None, None)?;
        let kind = content_type(response.headers()).to_owned();
        let binary = is(&kind, "application/octet-stream");
        let mut body =
            Box::new(BufReader::with_capacity(READ_BUFFER, response.into_body().into_reader()));
        if is(&kind, "text/html") {
            self.refuse_web_page(&mut body, &kind, request)?;
        }
        Ok(Response { binary, body })
    }

    /// Delivers a body, and returns once the server has taken it.
    pub(crate) fn post(&self, request: &Request, body: Body) -> Result<()> {
        let Body { binary, bytes } = body;
        let kind = if binary { "application/octet-stream" } else { "text/plain;charset=UTF-8" };
        let kind = HeaderValue::from_static(kind);
        let response = self.send(&http::Method::POST, request, Some(&kind), Some(&bytes))?;
        // The status says all. Reading the rest keeps the connection for the next request; an
        // answer that is too long for that costs the connection and nothing else.
        let mut rest = response.into_body().into_reader().take(SHORT_BODY as u64);
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
        Ok(())
    }

    /// Sends a request to where the session is, or where its handshake is sent.
    fn send(
        &self,
        method: &http::Method,
        asked: &Request,
        content_type: Option<&HeaderValue>,
        body: Option<&[u8]>,
    ) -> Result<http::Response<HttpBody>> {
        self.attempt.waker().check()?;
        self.attempt.begin();
        if asked.begins_session() {
            self.net.keep_alive.forget();
        }
        let response = self.net.follow(asked, false, |request| {
            self.go_to(&request.endpoint)?;
            let response = self.send_once(method, request, content_type, body)?;
            if response.status() == StatusCode::OK {
                check_coding(response).map(Answered::Expected)
            } else {
                self.read_other(response).map(Answered::Other)
            }
        });
        let response = response.map_err(|error| self.describe(error, asked))?;
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.attempt.enter(Stage::Engine, None);
        }
        Ok(response)
    }

    /// Says which server is dialled: one, and for a handshake that is sent elsewhere another one.
    fn go_to(&self, endpoint: &Endpoint) -> Result<()> {
        let mut server = lock(&self.server);
        if self.answered.load(Ordering::Relaxed) && server.as_ref() != Some(endpoint) {
            return Err(Error::new(ErrorKind::Unsupported, "HTTP requests to a second server"));
        }
        *server = Some(endpoint.clone());
        Ok(())
    }

    /// Sends a request, and again where a kept connection turns out to be closed already.
    fn send_once(
        &self,
        method: &http::Method,
        request: &Request,
        content_type: Option<&HeaderValue>,
        body: Option<&[u8]>,
    ) -> Result<http::Response<HttpBody>> {
        loop {
            let jar = self.net.jar(&request.endpoint);
            let outgoing = build(method, request, content_type, jar.as_deref())?;
            self.exchange.begin(head_size(&outgoing));
            let result = match body {
                None => self.agent.run(outgoing),
                Some(body) => self.agent.run(outgoing.map(|()| body)),
            };
            match result {
                Ok(response) => {
                    self.attempt.lift_limit();
                    self.net.keep_alive.note(response.headers());
                    self.net.note_cookies(request, response.headers());
                    return Ok(response);
                }
                Err(error) => {
                    let known = self.exchange.so_far();
                    if !known.is_to_be_repeated() || self.attempt.waker().is_cancelled() {
                        return Err(self.to_error(error, &known, request));
                    }
                }
            }
        }
    }

    /// Reads the start of an answer whose status is not 200.
    fn read_other(&self, response: http::Response<HttpBody>) -> Result<OtherAnswer> {
        let (parts, rest) = response.into_parts();
        let mut body = Vec::new();
        // As much as comes soon; the status alone is an error already.
        self.attempt.limit(BODY_PATIENCE);
        let _ = rest.into_reader().take(SHORT_BODY as u64).read_to_end(&mut body);
        self.attempt.waker().check()?;
        let sent = self.exchange.so_far().head;
        Ok(OtherAnswer { status: parts.status.as_u16(), headers: parts.headers, body, sent })
    }

    /// Some servers label everything as HTML, but no packet begins as a web page does.
    fn refuse_web_page(
        &self,
        body: &mut impl BufRead,
        kind: &str,
        request: &Request,
    ) -> Result<()> {
        let start = body.fill_buf().map_err(|error| {
            self.attempt
                .waker()
                .check()
                .err()
                .unwrap_or_else(|| failed("no body came").with_source(error))
        })?;
        if !start.trim_ascii_start().starts_with(b"<") {
            return Ok(());
        }
        let start = request.secrets().hide(start);
        let start = snippet(start.as_bytes());
        let what = format!("the server answered with a web page, {kind}: {start}");
        let error = Error::new(ErrorKind::Connect(Stage::Http), what).with_hint(
            "is it a Socket.IO server, is the `path` option right, and is the network behind a \
             login page?",
        );
        Err(self.describe(error, request))
    }

    fn to_error(&self, error: ureq::Error, known: &Known, request: &Request) -> Error {
        if self.attempt.waker().is_cancelled() {
            return cancelled();
        }
        explain(error, known, request)
    }

    /// Adds to an error what is known of the attempt. What fails in a handshake is no transport yet.
    fn describe(&self, error: Error, request: &Request) -> Error {
        let in_handshake = error.kind() == ErrorKind::Transport && request.begins_session();
        let kind = if in_handshake { ErrorKind::Connect(Stage::Http) } else { error.kind() };
        self.attempt.describe(error.with_kind(kind))
    }
}

/// Names what an exchange has failed with.
fn explain(error: ureq::Error, known: &Known, request: &Request) -> Error {
    let hint = || why_unanswered(known, request);
    match error {
        ureq::Error::Other(error) => match error.downcast::<Error>() {
            Ok(error) if error.kind() == ErrorKind::Transport && known.is_unanswered() => {
                error.with_hint(hint())
            }
            Ok(error) => *error,
            Err(error) => failed("the HTTP request failed").with_source(error),
        },
        ureq::Error::Io(_) if known.is_unanswered() => {
            failed("the server closed the connection instead of answering").with_hint(hint())
        }
        ureq::Error::Io(error) => {
            failed("the server ended the connection within its answer").with_source(error)
        }
        ureq::Error::LargeResponseHeader(..) => bad_head(&BadHead::TooLong),
        ureq::Error::Protocol(_) if !may_be_http(&known.start) => {
            bad_head(&BadHead::NoHttp(known.start.clone()))
        }
        ureq::Error::Protocol(error) => {
            failed(format!("the answer to an HTTP request is malformed: {error}"))
                .with_source(error)
        }
        error => failed(format!("the HTTP request failed: {error}")).with_source(error),
    }
}

/// What may have made a server end the connection instead of answering.
fn why_unanswered(known: &Known, request: &Request) -> String {
    if request.begins_session() {
        return hung_up(request.endpoint.secure, false);
    }
    if known.has_ended_soon() {
        return "was the server stopped, or started anew?".to_owned();
    }
    "a proxy on the way may end what is quiet for so long: does it wait longer than the server's \
     `pingInterval`?"
        .to_owned()
}

/// Refuses a body that is written in a way that was not asked for.
fn check_coding(response: http::Response<HttpBody>) -> Result<http::Response<HttpBody>> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let coding = snippet(coding.as_bytes());
            let what = format!("the server sent a body with the content encoding `{coding}`");
            Err(Error::new(ErrorKind::Connect(Stage::Http), what)
                .with_hint("none was asked for; does an `Accept-Encoding` header do so?"))
        }
        _ => Ok(response),
    }
}

/// The size of the head that ureq makes of a request, in bytes, and a little more.
fn head_size(request: &http::Request<()>) -> usize {
    let headers = request.headers().iter();
    let lines: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    // The method and the version, and what ureq adds: Host, Accept, Content-Length.
    let authority = request.uri().authority().map_or(0, |authority| authority.as_str().len());
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    lines + path + authority + 100
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("server", &*lock(&self.server)).finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("binary", &self.binary).finish_non_exhaustive()
    }
}

fn build(
    method: &http::Method,
    request: &Request,
    content_type: Option<&HeaderValue>,
    jar: Option<&Jar>,
) -> Result<http::Request<()>> {
    let scheme = if request.endpoint.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}{}", request.endpoint.host_header(), request.path_and_query);
    let mut outgoing =
        http::Request::builder().method(method.clone()).uri(uri).body(()).map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, "the path or the query cannot be sent")
                .with_source(error)
        })?;
    let headers = outgoing.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    // A compressed body could be a thousand times larger than what its limit sees.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    for (name, value) in checked(&request.headers)? {
        if [HOST, USER_AGENT, ACCEPT_ENCODING].contains(&name) {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    if let Some(jar) = jar {
        jar.apply(headers, request.endpoint.secure);
    }
    Ok(outgoing)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Whether a content type is `expected`, whatever its case and parameters.
fn is(content_type: &str, expected: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(expected)
}

fn failed(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Transport, what)
}

#[cfg(test)]
mod tests;
