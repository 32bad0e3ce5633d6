//! What an HTTP answer that is not the expected one says, as an error.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};

use super::answer::{BadHead, stranger};
use super::date;
use super::redirection::NotFollowed;
use super::request::Request;
use crate::error::{Error, ErrorKind, Stage, snippet};

/// How much of a body is read for an error, in bytes.
pub(super) const SHORT_BODY: usize = 4 * 1024;

/// How long such a body may take: what has come by then has to do.
pub(super) const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// The head of a request that may be too long for a server, in bytes.
const LONG_HEAD: usize = 4 * 1024;

/// The longest address that an error repeats, in bytes.
const MAX_ADDRESS: usize = 200;

/// What may have made a server end a connection without an answer.
pub(super) fn hung_up(secure: bool, upgrade: bool) -> String {
    let tls = if secure {
        "With TLS, some servers refuse a client certificate, or the lack of one, like this"
    } else {
        "Does the port want TLS (`https:`, `wss:`)?"
    };
    let path = if upgrade { ", and the `path` option right: is there WebSocket" } else { "" };
    format!("is it a web server{path}? {tls}")
}

/// The error of an answer whose head cannot be read.
pub(super) fn bad_head(bad: &BadHead) -> Error {
    let what = format!("the answer to the request cannot be read: {bad}");
    let error = Error::new(ErrorKind::Connect(Stage::Http), what);
    match bad {
        BadHead::NoHttp(bytes) => {
            error.with_hint(stranger(bytes).unwrap_or("is it a web server, and is the port right?"))
        }
        _ => error,
    }
}

/// An answer with another status than the expected one.
pub(super) struct StatusRefusal<'a> {
    /// The status code.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: &'a HeaderMap,
    /// The start of the body, as far as it is known.
    pub(super) body: &'a [u8],
    /// What was sent.
    pub(super) sent: Sent<'a>,
}

/// A request, as far as errors tell of it.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) request: &'a Request,
    /// The size of its head, in bytes.
    pub(super) head: usize,
    /// It asks for a WebSocket.
    pub(super) upgrade: bool,
}

/// How long whoever answers asks to be left alone, in seconds or until a date of its own clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let value = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = text(DATE).and_then(date::parse).unwrap_or_else(SystemTime::now);
    Some(date::parse(value)?.duration_since(now).unwrap_or_default())
}

impl StatusRefusal<'_> {
    /// Names the status, the server's own words, and what to do about it.
    pub(super) fn error(&self, why_here: NotFollowed) -> Error {
        let status = http::StatusCode::from_u16(self.status).ok();
        let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("unknown");
        let to = self.redirection().map(|to| format!(", a redirection to `{to}`"));
        let text = format!(
            "the server answered with status {} ({reason}){}{}",
            self.status,
            to.unwrap_or_default(),
            self.words()
        );
        let mut error = Error::new(ErrorKind::Connect(Stage::Http), text);
        if let Some(hint) = self.hint(why_here) {
            error = error.with_hint(hint);
        }
        if let Some(delay) = retry_after(self.headers) {
            error = error.with_retry_after(delay);
        }
        if self.is_about_revision() {
            error = error.refusing_revision();
        }
        // Credentials do not become right by being repeated, and accounts get locked.
        if matches!(self.status, 401 | 403 | 407) { error.fatal() } else { error }
    }

    /// Whether the head of the request was too long for the server: it says so, or it is a web server that
    /// has no other reason to complain of a long one.
    pub(super) fn is_about_size(&self) -> bool {
        let long = self.status == 400 && self.sent.head > LONG_HEAD;
        self.status == 431 || (long && engine_error(self.body).is_none())
    }

    fn redirection(&self) -> Option<String> {
        if !(300..400).contains(&self.status) {
            return None;
        }
        // Without its query, which may hold secrets.
        let location = self.headers.get(LOCATION)?.as_bytes();
        let end = location.iter().position(|&byte| byte == b'?').unwrap_or(location.len());
        let shown = &location[..end.min(MAX_ADDRESS)];
        let cut = if shown.len() < end { "…" } else { "" };
        let text = self.sent.request.secrets().hide(shown);
        Some(format!("{}{cut}", text.escape_debug()))
    }

    /// What the server says: Engine.IO's own message, or the start of whatever it is.
    fn words(&self) -> String {
        let body = self.sent.request.secrets().hide(self.body);
        if let Some((code, message)) = engine_error(body.as_bytes()) {
            return format!(": {message} (code {code})");
        }
        match (self.body.is_empty(), self.header(CONTENT_TYPE)) {
            (true, _) => String::new(),
            (false, Some(kind)) => format!(", {kind}: {}", snippet(body.as_bytes())),
            (false, None) => format!(": {}", snippet(body.as_bytes())),
        }
    }

    fn hint(&self, why_here: NotFollowed) -> Option<String> {
        let code = engine_error(self.body).map(|(code, _)| code);
        let text = match self.status {
            304 => "only a cache answers so: are its answers kept apart by `timestamp_requests`?",
            300..=399 => why_here.hint(),
            400 if code == Some(1) => {
                "the session has ended, or behind a load balancer without sticky sessions another \
                 server got the request"
            }
            400 if code == Some(0) => "the server does not allow this transport",
            400 if self.is_about_revision() => {
                "the server does not speak that revision: is `Revision::Auto` better?"
            }
            400 if self.says("HTTPS port") => "the port speaks TLS: use `https:` or `wss:`",
            400 | 431 if self.is_about_size() => return Some(self.size()),
            400 if matches!(code, None | Some(3)) && self.sent.upgrade => {
                "is the `path` option right, and does each proxy on the way pass WebSocket on?"
            }
            401 | 403 => "are the credentials and the origin right?",
            404 => "is the `path` option right, and is it a Socket.IO server?",
            407 => "a proxy asks for credentials",
            413 => "the message is larger than the server or a proxy before it allows",
            414 => return Some(self.size()),
            426 => "a proxy before the server may not pass WebSocket on",
            511 => "the network wants a login first (captive portal)",
            429 | 503 => match self.header(RETRY_AFTER) {
                Some(when) => {
                    return Some(format!("the server is busy and says to retry after `{when}`"));
                }
                None => "the server is busy",
            },
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Names what was sent, and how long it was.
    fn size(&self) -> String {
        let Sent { request, head, .. } = self.sent;
        let path = snippet(request.path().as_bytes());
        format!(
            "our request for `{path}` has a line and headers of {head} bytes, the query and cookies among \
             them; servers take 8 to 16 KiB"
        )
    }

    fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(self.body).contains(words)
    }

    /// Whether the server does not speak the revision of Engine.IO that it was asked in.
    fn is_about_revision(&self) -> bool {
        let is_python = || {
            let words = b"unsupported version of the Socket.IO or Engine.IO protocols";
            self.body.windows(words.len()).any(|part| part == words)
        };
        self.status == 400
            && (engine_error(self.body).is_some_and(|(code, _)| code == 5) || is_python())
    }

    fn header(&self, name: http::HeaderName) -> Option<String> {
        self.headers.get(name).map(|value| snippet(value.as_bytes()))
    }
}

/// Reads `{"code":1,"message":"Session ID unknown"}`, which Engine.IO servers answer with.
fn engine_error(body: &[u8]) -> Option<(i64, String)> {
    let value: serde_json::Value = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let message = value.get("message")?.as_str()?;
    Some((value.get("code")?.as_i64()?, snippet(message.as_bytes())))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::options::endpoint::Endpoint;

    fn refused(status: u16, headers: &[(http::HeaderName, &'static str)], body: &str) -> Error {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let endpoint = Endpoint { secure: false, host: "h".to_owned(), port: 1 };
        let request =
            &Request { endpoint, path_and_query: "/x/?a=b".to_owned(), headers: Vec::new() };
        let sent = Sent { request, head: 5000, upgrade: false };
        let refusal = StatusRefusal { status, headers: &headers, body: body.as_bytes(), sent };
        refusal.error(NotFollowed::AnotherServer)
    }

    #[test]
    fn the_server_says_how_long_to_leave_it_alone() {
        let of = |headers: &[(http::HeaderName, &'static str)]| {
            refused(503, headers, "").retry_after().map(|delay| delay.as_secs())
        };
        let date = (DATE, "Sun, 06 Nov 1994 08:49:00 GMT");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(RETRY_AFTER, "120")]), Some(120));
        assert_eq!(of(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(of(&[(RETRY_AFTER, "-1")]), None);
        let later = (RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of(&[date.clone(), later.clone()]), Some(37));
        assert_eq!(of(&[later]), Some(0));
    }

    #[test]
    fn credentials_are_not_worth_repeating_and_a_busy_server_is() {
        for (status, fatal) in [(401, true), (403, true), (407, true), (404, false), (503, false)] {
            assert_eq!(refused(status, &[], "").is_fatal(), fatal, "{status}");
        }
    }

    #[test]
    fn a_server_says_in_its_own_words_that_it_speaks_another_revision() {
        let python = "\"The client is using an unsupported version of the Socket.IO or Engine.IO \
                      protocols\"";
        for (status, body, is_about_revision) in [
            (400, r#"{"code":5,"message":"Unsupported protocol version"}"#, true),
            (400, python, true),
            (400, r#"{"code":3,"message":"Bad request"}"#, false),
            (400, "", false),
            (426, python, false),
        ] {
            let error = refused(status, &[], body);
            assert_eq!(error.refuses_revision(), is_about_revision, "{body}");
        }
    }

    #[test]
    fn known_causes_have_a_hint() {
        let old = "{\"code\":5,\"message\":\"Unsupported protocol version\"}";
        let https = "<h1>400 The plain HTTP request was sent to HTTPS port</h1>";
        for (status, body, part) in [
            (400, old, "revision"),
            (400, https, "`wss:`"),
            (
                400,
                "Request Header Or Cookie Too Large",
                "`/x/` has a line and headers of 5000 bytes",
            ),
            (431, "", "5000 bytes"),
            (511, "", "captive portal"),
            (302, "", "login page"),
            (304, "", "only a cache"),
        ] {
            let error = refused(status, &[], body);
            assert!(error.hint().is_some_and(|hint| hint.contains(part)), "{error}");
        }
    }
}
