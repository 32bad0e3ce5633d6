//! Responses, written as bytes.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::HttpRefusal;
use super::compression::Coding;
use super::engine_refusal::EngineRefusal;
use super::jsonp::AnswerScript;
use super::request::RequestHead;
use crate::proto::dialect::Body;

/// What is written in front of a body whose sender waits to be told.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// In how many seconds a client may come again for which there was no room.
const RETRY: &str = "5";

/// One response: what it says, whatever asked for it.
#[derive(Clone, Debug)]
pub(crate) struct HttpResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// From how many bytes on the body is compressed, if ever.
    compressed_from: Option<usize>,
}

/// What a request wants of the way in which its response is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    /// It was `HEAD`: all headers, and no body.
    pub(crate) head_only: bool,
    /// The connection stays open behind the response.
    pub(crate) keep_alive: bool,
    pub(crate) is_http_1_1: bool,
    /// How its body may be compressed.
    pub(crate) coding: Option<Coding>,
}

impl HttpResponse {
    /// A response without a body.
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), compressed_from: None }
    }

    /// The answer to what was refused before it was understood; the connection has to end behind it.
    pub(crate) fn refusal(refusal: &HttpRefusal) -> Self {
        Self::new(refusal.status)
            .with_body(HeaderValue::from_static("text/plain"), refusal.reason.into())
    }

    /// The answer to a client for which there is no room now.
    pub(crate) fn busy(reason: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE)
            .with_body(HeaderValue::from_static("text/plain"), reason.into())
            .with(RETRY_AFTER, HeaderValue::from_static(RETRY))
    }

    /// The answer to a POST whose packets were taken.
    pub(crate) fn post_taken() -> Self {
        // As plain text, some browsers offer it for download.
        Self::new(StatusCode::OK)
            .with_body(HeaderValue::from_static("text/html"), Bytes::from_static(b"ok"))
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// The answer to a GET of the polling transport.
    pub(crate) fn poll(body: Body) -> Self {
        let content_type =
            if body.binary { "application/octet-stream" } else { "text/plain; charset=UTF-8" };
        Self::new(StatusCode::OK)
            .with_body(HeaderValue::from_static(content_type), body.bytes)
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// The answer to a GET of the polling transport that a script takes.
    pub(crate) fn script(script: AnswerScript, body: &Body) -> Self {
        let content_type = HeaderValue::from_static("text/javascript; charset=UTF-8");
        Self::new(StatusCode::OK)
            .with_body(content_type, script.write(&body.bytes))
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
    }

    /// The answer to a request that no session takes; `message` is said in place of the usual words. A
    /// refused upgrade is answered in the same way, where the reference writes status 400 and the words alone.
    pub(crate) fn engine_refusal(refusal: EngineRefusal, message: Option<&str>) -> Self {
        let message = serde_json::Value::from(message.unwrap_or(refusal.message()));
        let json = format!(r#"{{"code":{},"message":{message}}}"#, refusal.code());
        Self::new(refusal.status())
            .with_body(HeaderValue::from_static("application/json"), json.into())
    }

    /// The same with this body.
    pub(crate) fn with_body(mut self, content_type: HeaderValue, body: Bytes) -> Self {
        self.body = body;
        self.with(CONTENT_TYPE, content_type)
    }

    /// The same with this body, whose type another header tells.
    pub(crate) fn with_plain_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// The same with one more header. `Connection` and `Content-Length` are written by [`write`](Self::write)
    /// alone.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        debug_assert!(name != CONNECTION && name != CONTENT_LENGTH);
        self.headers.append(name, value);
        self
    }

    /// The same with these headers too.
    pub(crate) fn with_all(mut self, headers: &HeaderMap) -> Self {
        for (name, value) in headers {
            self.headers.append(name, value.clone());
        }
        self
    }

    /// The same, but that a body of at least so many bytes is compressed, where the client takes that.
    pub(crate) fn compressed_from(self, bytes: Option<usize>) -> Self {
        Self { compressed_from: bytes, ..self }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Writes it behind what is in `to`.
    pub(crate) fn write(&self, framing: Framing, to: &mut Vec<u8>) {
        write_status(self.status, to);
        for (name, value) in &self.headers {
            write_header(name, value.as_bytes(), to);
        }
        if !framing.keep_alive {
            write_header(&CONNECTION, b"close", to);
        } else if !framing.is_http_1_1 {
            write_header(&CONNECTION, b"keep-alive", to);
        }
        let compressed = self.compressed(framing);
        let body: &[u8] = match &compressed {
            Some((coding, body)) => {
                write_header(&CONTENT_ENCODING, coding.name().as_bytes(), to);
                body
            }
            None => &self.body,
        };
        // Also where there is none (204): some browsers wait for a body otherwise. That of status 304 is with the client.
        if self.status != StatusCode::NOT_MODIFIED {
            write_header(&CONTENT_LENGTH, body.len().to_string().as_bytes(), to);
        }
        to.extend_from_slice(b"\r\n");
        if !framing.head_only {
            to.extend_from_slice(body);
        }
    }

    fn compressed(&self, framing: Framing) -> Option<(Coding, Vec<u8>)> {
        let coding = framing.coding?;
        self.compressed_from.filter(|bytes| self.body.len() >= *bytes)?;
        Some((coding, coding.compress(&self.body)?))
    }
}

pub(super) fn write_status(status: StatusCode, to: &mut Vec<u8>) {
    for part in
        ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"]
    {
        to.extend_from_slice(part.as_bytes());
    }
}

/// Writes a header with its name in the usual case (`Content-Type`): some clients look for no other.
pub(super) fn write_header(name: &HeaderName, value: &[u8], to: &mut Vec<u8>) {
    let mut begins = true;
    for byte in name.as_str().bytes() {
        to.push(if begins { byte.to_ascii_uppercase() } else { byte });
        begins = byte == b'-';
    }
    for part in [b": ", value, b"\r\n"] {
        to.extend_from_slice(part);
    }
}

impl Framing {
    /// The connection ends behind the response.
    pub(crate) const CLOSE: Self =
        Self { head_only: false, keep_alive: false, is_http_1_1: true, coding: None };

    /// As a request wants it.
    pub(crate) fn of(head: &RequestHead) -> Self {
        Self {
            head_only: head.method == Method::HEAD,
            keep_alive: head.keep_alive,
            is_http_1_1: head.is_http_1_1,
            coding: Coding::accepted(&head.headers),
        }
    }

    /// The same, but that the connection ends.
    pub(crate) fn closing(self) -> Self {
        Self { keep_alive: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &HttpResponse, framing: Framing) -> String {
        let mut bytes = b"before|".to_vec();
        response.write(framing, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    const KEPT: Framing = Framing { keep_alive: true, ..Framing::CLOSE };

    #[test]
    fn a_response_is_written_as_its_request_wants_it() {
        let response = HttpResponse::post_taken();
        let head =
            "before|HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n";
        let length = "Content-Length: 2\r\n\r\n";
        assert_eq!(written(&response, KEPT), format!("{head}{length}ok"));
        let closing = format!("{head}Connection: close\r\n{length}ok");
        assert_eq!(written(&response, KEPT.closing()), closing);
        assert_eq!(written(&response, Framing::CLOSE), closing);
        let head_only = Framing { head_only: true, ..KEPT };
        assert_eq!(written(&response, head_only), format!("{head}{length}"));
        let old = Framing { is_http_1_1: false, ..KEPT };
        assert_eq!(written(&response, old), format!("{head}Connection: keep-alive\r\n{length}ok"));
    }

    #[test]
    fn a_response_without_a_body_says_so() {
        let response = HttpResponse::new(StatusCode::NO_CONTENT);
        let expected = "before|HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(written(&response, KEPT), expected);
    }

    #[cfg(feature = "http-compression")]
    #[test]
    fn a_body_is_compressed_from_its_length_on_where_the_client_takes_that() {
        let body = Bytes::from("a reading ".repeat(100));
        let gzip = Coding::Gzip.compress(&body).unwrap().len();
        let takes = Framing { coding: Some(Coding::Gzip), ..KEPT };
        for (from, framing, is_compressed) in [
            (Some(1000), takes, true),
            (Some(0), takes, true),
            (Some(1001), takes, false),
            (None, takes, false),
            (Some(0), KEPT, false),
        ] {
            let response = HttpResponse::new(StatusCode::OK).with_plain_body(body.clone());
            let mut bytes = Vec::new();
            response.compressed_from(from).write(framing, &mut bytes);
            let text = String::from_utf8_lossy(&bytes);
            let length = if is_compressed { gzip } else { body.len() };
            assert_eq!(text.contains("Content-Encoding: gzip\r\n"), is_compressed, "{from:?}");
            assert!(text.contains(&format!("Content-Length: {length}\r\n\r\n")), "{text}");
            assert_eq!(bytes.ends_with(&body), !is_compressed);
        }
    }

    #[test]
    fn a_request_says_how_its_response_is_written() {
        use crate::net::server::request::{HeadLimits, HeadScan};
        for (line, head_only, keep_alive, is_http_1_1) in [
            ("GET / HTTP/1.1\r\nHost: a", false, true, true),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close", true, false, true),
            ("POST / HTTP/1.0", false, false, false),
        ] {
            let bytes = format!("{line}\r\n\r\n").into_bytes();
            let found = HeadScan::default().read_head(&bytes, &HeadLimits::default());
            let framing = Framing::of(&found.unwrap().unwrap().0);
            let expected = Framing { head_only, keep_alive, is_http_1_1, coding: None };
            assert_eq!(framing, expected, "{line}");
        }
    }

    #[test]
    fn the_answers_to_polls_tell_text_from_binary() {
        for (binary, content_type) in
            [(false, "text/plain; charset=UTF-8"), (true, "application/octet-stream")]
        {
            let body = Body { binary, bytes: Bytes::from_static(b"2") };
            let expected = format!(
                "before|HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\
                 Cache-Control: no-store\r\nContent-Length: 1\r\n\r\n2"
            );
            assert_eq!(written(&HttpResponse::poll(body), KEPT), expected);
        }
    }

    #[test]
    fn refusals_have_the_numbers_and_words_of_the_reference() {
        use EngineRefusal as R;
        for (refusal, status, json) in [
            (R::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (R::UnknownSid, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (R::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (R::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (R::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (
                R::UnsupportedProtocolVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ] {
            let response = HttpResponse::engine_refusal(refusal, None);
            assert_eq!(response.status().as_u16(), status);
            let text = written(&response, KEPT);
            assert!(text.contains("Content-Type: application/json\r\n"), "{text}");
            assert!(text.ends_with(&format!("\r\n\r\n{json}")), "{text}");
        }
        let own = HttpResponse::engine_refusal(R::Forbidden, Some("say \"please\"\r\n"));
        let text = written(&own, KEPT);
        assert!(text.ends_with(r#"{"code":4,"message":"say \"please\"\r\n"}"#), "{text}");
    }

    #[test]
    fn what_was_not_understood_is_told_why() {
        let refusal = HttpRefusal::bad("no Host");
        let text = written(&HttpResponse::refusal(&refusal), Framing::CLOSE);
        assert!(text.starts_with("before|HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nno Host"), "{text}");
    }
}
