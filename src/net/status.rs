//! What an HTTP answer that is not the expected one says, as an error.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};

use crate::error::{Error, ErrorKind, Stage, snippet};

/// An answer with another status than the expected one.
pub(super) struct Refusal<'a> {
    /// The status code.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: &'a HeaderMap,
    /// The start of the body, as far as it is known.
    pub(super) body: &'a [u8],
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
        let error = Error::new(ErrorKind::Connect(Stage::Http), text);
        match self.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn redirection(&self) -> Option<String> {
        let location = self.header(LOCATION)?;
        (300..400).contains(&self.status).then_some(location)
    }

    /// What the server says: Engine.IO's own message, or the start of whatever it is.
    fn words(&self) -> String {
        if let Some((code, message)) = engine_error(self.body) {
            return format!(": {message} (code {code})");
        }
        match (self.body.is_empty(), self.header(CONTENT_TYPE)) {
            (true, _) => String::new(),
            (false, Some(kind)) => format!(", {kind}: {}", snippet(self.body)),
            (false, None) => format!(": {}", snippet(self.body)),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self.status {
            300..=399 => "redirections are not followed: use that address".to_owned(),
            400 if engine_error(self.body).is_some_and(|(code, _)| code == 1) => {
                "the session has ended, or behind a load balancer without sticky sessions another \
                 server got the request"
                    .to_owned()
            }
            400 if engine_error(self.body).is_some_and(|(code, _)| code == 5) => {
                "the server does not speak that revision: is `Revision::Auto` better?".to_owned()
            }
            401 | 403 => "are the credentials and the origin right?".to_owned(),
            404 => "is the `path` option right, and is it a Socket.IO server?".to_owned(),
            407 => "a proxy asks for credentials".to_owned(),
            413 => "the message is larger than the server or a proxy before it allows".to_owned(),
            426 => "a proxy before the server may not pass WebSocket on".to_owned(),
            429 | 503 => match self.header(RETRY_AFTER) {
                Some(when) => format!("the server is busy and says to retry after `{when}`"),
                None => "the server is busy".to_owned(),
            },
            _ => return None,
        })
    }

    fn header(&self, name: http::HeaderName) -> Option<String> {
        self.headers.get(name).map(|value| snippet(value.as_bytes()))
    }
}

/// Reads `{"code":1,"message":"Session ID unknown"}`, which Engine.IO servers answer with.
fn engine_error(body: &[u8]) -> Option<(i64, String)> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = value.get("message")?.as_str()?;
    Some((value.get("code")?.as_i64()?, snippet(message.as_bytes())))
}
