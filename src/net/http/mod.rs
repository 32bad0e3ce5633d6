//! HTTP requests of the polling transport, by ureq over our own streams.
//!
//! Nothing is ever sent twice. ureq repeats no request by itself; a kept connection that the
//! server has closed meanwhile is noticed before it is used again; and whatever fails after that
//! is an error, for GET too, since only the session knows whether to go on.

mod transport;

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use ureq::{Agent, AsSendBody, Body as HttpBody};

use self::transport::{KeepAlive, StreamConnector, agent};
use super::attempt::Attempt;
use super::cookies::Jar;
use super::headers::{AGENT, checked};
use super::network::Net;
use super::request::Request;
use super::status::{HUNG_UP, Refusal};
use super::waker::cancelled;
use crate::error::{Error, ErrorKind, Result, Stage, snippet};
use crate::options::endpoint::Endpoint;
use crate::proto::dialect::Body;

/// The size of one read of a body.
const READ_BUFFER: usize = 8 * 1024;

/// How much of an answer is read for an error message, and at most to keep a connection.
const SHORT_BODY: u64 = 4 * 1024;

/// Requests to one server over kept connections. Usable from two threads at once, each with one
/// request.
pub(crate) struct Http {
    agent: Agent,
    net: Arc<Net>,
    answered: Arc<AtomicBool>,
    server: Arc<OnceLock<Endpoint>>,
    keep_alive: Arc<KeepAlive>,
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
        let server = Arc::new(OnceLock::new());
        let keep_alive = Arc::new(KeepAlive::default());
        let answered = Arc::new(AtomicBool::new(false));
        let connector = StreamConnector {
            net: Arc::clone(net),
            answered: Arc::clone(&answered),
            server: Arc::clone(&server),
            keep_alive: Arc::clone(&keep_alive),
            attempt: Arc::clone(attempt),
        };
        Self {
            agent: agent(connector),
            net: Arc::clone(net),
            answered,
            server,
            keep_alive,
            attempt: Arc::clone(attempt),
        }
    }

    /// Asks for a body, and returns once its headers are here.
    pub(crate) fn get(&self, request: &Request) -> Result<Response> {
        let response = self.send(http::Method::GET, request, None, ())?;
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
        let response = self.send(http::Method::POST, request, Some(kind), &bytes[..])?;
        // The status says all. Reading the rest keeps the connection for the next request; an
        // answer that is too long for that costs the connection and nothing else.
        let mut rest = response.into_body().into_reader().take(SHORT_BODY);
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
        Ok(())
    }

    fn send(
        &self,
        method: http::Method,
        request: &Request,
        content_type: Option<HeaderValue>,
        body: impl AsSendBody,
    ) -> Result<http::Response<HttpBody>> {
        self.attempt.waker().check()?;
        if self.server.get_or_init(|| request.endpoint.clone()) != &request.endpoint {
            return Err(Error::new(ErrorKind::Unsupported, "HTTP requests to a second server"));
        }
        let jar = self.net.jar(&request.endpoint);
        let outgoing = build(method, request, content_type, jar.as_deref(), body)?;
        self.attempt.begin();
        let result = self.agent.run(outgoing).map_err(|error| self.to_error(error));
        let result = result.and_then(|response| {
            self.attempt.lift_limit();
            self.keep_alive.note(response.headers());
            self.net.note_cookies(request, response.headers());
            let accepted = self.accept(response, request)?;
            if !self.answered.swap(true, Ordering::Relaxed) {
                self.attempt.enter(Stage::Engine, None);
            }
            Ok(accepted)
        });
        result.map_err(|error| self.attempt.describe(error))
    }

    /// Refuses all but a plain answer with status 200.
    fn accept(
        &self,
        response: http::Response<HttpBody>,
        request: &Request,
    ) -> Result<http::Response<HttpBody>> {
        if response.status() != StatusCode::OK {
            let (parts, body) = response.into_parts();
            let mut start = Vec::new();
            // As much as comes; the status alone is an error already.
            let _ = body.into_reader().take(SHORT_BODY).read_to_end(&mut start);
            self.attempt.waker().check()?;
            return Err(Refusal {
                status: parts.status.as_u16(),
                headers: &parts.headers,
                body: &start,
                secrets: &request.secrets(),
            }
            .into_error());
        }
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
        Err(self.attempt.describe(error))
    }

    fn to_error(&self, error: ureq::Error) -> Error {
        if self.attempt.waker().is_cancelled() {
            return cancelled();
        }
        let malformed = matches!(error, ureq::Error::Protocol(_));
        let error = Self::explain(error);
        if error.kind() != ErrorKind::Transport || self.answered.load(Ordering::Relaxed) {
            return error;
        }
        // Before the first answer there is no transport that could have failed.
        let error = error.with_kind(ErrorKind::Connect(Stage::Http));
        if malformed { error } else { error.with_hint(HUNG_UP) }
    }

    fn explain(error: ureq::Error) -> Error {
        match error {
            ureq::Error::Other(error) => match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(error) => failed("the HTTP request failed").with_source(error),
            },
            ureq::Error::Io(error) => {
                failed("the server ended the connection within its answer").with_source(error)
            }
            ureq::Error::Protocol(error) => {
                failed("the answer to an HTTP request is malformed").with_source(error)
            }
            error => failed("the HTTP request failed").with_source(error),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("server", &self.server.get()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("binary", &self.binary).finish_non_exhaustive()
    }
}

fn build<B>(
    method: http::Method,
    request: &Request,
    content_type: Option<HeaderValue>,
    jar: Option<&Jar>,
    body: B,
) -> Result<http::Request<B>> {
    let scheme = if request.endpoint.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}{}", request.endpoint.host_header(), request.path_and_query);
    let mut outgoing =
        http::Request::builder().method(method).uri(uri).body(body).map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, "the path or the query cannot be sent")
                .with_source(error)
        })?;
    let headers = outgoing.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    // A compressed body could be a thousand times larger than what its limit sees.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    for (name, value) in checked(&request.headers)? {
        if [HOST, USER_AGENT, ACCEPT_ENCODING].contains(&name) {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    if let Some(jar) = jar {
        jar.apply(headers);
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

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Transport, what)
}

#[cfg(test)]
mod tests;
