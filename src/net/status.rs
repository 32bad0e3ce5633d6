//! What an HTTP answer that is not the expected one says, as an error.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};

use super::date;
use super::request::Secrets;
use crate::error::{Error, ErrorKind, Stage, snippet};

/// What may have made a server end a connection without an answer.
pub(super) const HUNG_UP: &str = "is it a web server? With TLS, some servers refuse a client \
                                  certificate, or the lack of one, like this";

/// An answer with another status than the expected one.
pub(super) struct Refusal<'a> {
    /// The status code.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: &'a HeaderMap,
    /// The start of the body, as far as it is known.
    pub(super) body: &'a [u8],
    /// What the error must not repeat.
    pub(super) secrets: &'a Secrets,
}

impl Refusal<'_> {
    /// Names the status, the server's own words, and what to do about it.
    pub(super) fn into_error(self) -> Error {
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
        if let Some(hint) = self.hint() {
            error = error.with_hint(hint);
        }
        if let Some(delay) = self.retry_after() {
            error = error.with_retry_after(delay);
        }
        if self.is_about_revision() {
            error = error.refusing_revision();
        }
        // Credentials do not become right by being repeated, and accounts get locked.
        if matches!(self.status, 401 | 403 | 407) { error.fatal() } else { error }
    }

    /// How long the server asks to be left alone, in seconds or until a date of its own clock.
    fn retry_after(&self) -> Option<Duration> {
        let text = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let value = text(RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let now = text(DATE).and_then(date::parse).unwrap_or_else(SystemTime::now);
        Some(date::parse(value)?.duration_since(now).unwrap_or_default())
    }

    fn redirection(&self) -> Option<String> {
        if !(300..400).contains(&self.status) {
            return None;
        }
        // Without its query, which may hold secrets.
        let location = self.headers.get(LOCATION)?.as_bytes();
        let end = location.iter().position(|&byte| byte == b'?').unwrap_or(location.len());
        Some(snippet(self.secrets.hide(&location[..end]).as_bytes()))
    }

    /// What the server says: Engine.IO's own message, or the start of whatever it is.
    fn words(&self) -> String {
        let body = self.secrets.hide(self.body);
        if let Some((code, message)) = engine_error(body.as_bytes()) {
            return format!(": {message} (code {code})");
        }
        match (self.body.is_empty(), self.header(CONTENT_TYPE)) {
            (true, _) => String::new(),
            (false, Some(kind)) => format!(", {kind}: {}", snippet(body.as_bytes())),
            (false, None) => format!(": {}", snippet(body.as_bytes())),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self.status {
            300..=399 => "redirections are not followed: use that address, unless it is the login \
                          page of a network"
                .to_owned(),
            400 if engine_error(self.body).is_some_and(|(code, _)| code == 1) => {
                "the session has ended, or behind a load balancer without sticky sessions another \
                 server got the request"
                    .to_owned()
            }
            400 if self.is_about_revision() => {
                "the server does not speak that revision: is `Revision::Auto` better?".to_owned()
            }
            401 | 403 => "are the credentials and the origin right?".to_owned(),
            404 => "is the `path` option right, and is it a Socket.IO server?".to_owned(),
            407 => "a proxy asks for credentials".to_owned(),
            413 => "the message is larger than the server or a proxy before it allows".to_owned(),
            426 => "a proxy before the server may not pass WebSocket on".to_owned(),
            511 => "the network wants a login first (captive portal)".to_owned(),
            429 | 503 => match self.header(RETRY_AFTER) {
                Some(when) => format!("the server is busy and says to retry after `{when}`"),
                None => "the server is busy".to_owned(),
            },
            _ => return None,
        })
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

    fn refused(status: u16, headers: &[(http::HeaderName, &'static str)], body: &str) -> Error {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let secrets = &Secrets::default();
        Refusal { status, headers: &headers, body: body.as_bytes(), secrets }.into_error()
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
        for (status, body, part) in
            [(400, old, "revision"), (511, "", "captive portal"), (302, "", "login page")]
        {
            let error = refused(status, &[], body);
            assert!(error.hint().is_some_and(|hint| hint.contains(part)), "{error}");
        }
    }
}
