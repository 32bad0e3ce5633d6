//! The request that asks for a WebSocket, and the answer to it (RFC 6455 §4.2).

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tungstenite::handshake::derive_accept_key;

use super::HttpRefusal;
use super::request::{BodyLength, RequestHead};
use super::response::{HttpResponse, write_header, write_status};
use crate::net::lists::lists;

/// The only version of the protocol.
const VERSION: &str = "13";

/// A request for a WebSocket that can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance {
    /// The answer to the key of the request.
    accept: String,
}

/// Whether a request asks for another protocol, whichever: then it is no request of the polling transport.
pub(crate) fn asks_for_upgrade(head: &RequestHead) -> bool {
    lists(&head.headers, &CONNECTION, "upgrade") && head.headers.contains_key(UPGRADE)
}

impl Acceptance {
    /// Checks a request that [asks for an upgrade](asks_for_upgrade). Extensions and subprotocols
    /// that it offers are not looked at, and none is chosen. The connection has to end behind an error.
    pub(crate) fn of(head: &RequestHead) -> Result<Self, Box<HttpResponse>> {
        if head.method != Method::GET || !head.is_http_1_1 {
            return Err(bad("a WebSocket is asked for by GET in HTTP/1.1"));
        }
        if !lists(&head.headers, &UPGRADE, "websocket") {
            return Err(bad("not an upgrade to websocket"));
        }
        if head.body != BodyLength::Known(0) {
            return Err(bad("an upgrade with a body"));
        }
        if single(&head.headers, &SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes)
            != Some(VERSION.as_bytes())
        {
            let version = HeaderValue::from_static(VERSION);
            let response = HttpResponse::new(StatusCode::UPGRADE_REQUIRED)
                .with(UPGRADE, HeaderValue::from_static("websocket"))
                .with(SEC_WEBSOCKET_VERSION, version);
            return Err(Box::new(response));
        }
        let key = single(&head.headers, &SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
        match key.filter(|key| is_key(key)) {
            Some(key) => Ok(Self { accept: derive_accept_key(key) }),
            None => Err(bad("no Sec-WebSocket-Key of 16 bytes")),
        }
    }

    /// Writes the answer behind which frames follow, with these headers in addition.
    pub(crate) fn write(&self, headers: &HeaderMap, to: &mut Vec<u8>) {
        write_status(StatusCode::SWITCHING_PROTOCOLS, to);
        // In the usual case: some clients look for nothing else.
        to.extend_from_slice(
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        );
        to.extend_from_slice(self.accept.as_bytes());
        to.extend_from_slice(b"\r\n");
        for (name, value) in headers {
            debug_assert!(name != SEC_WEBSOCKET_ACCEPT);
            write_header(name, value.as_bytes(), to);
        }
        to.extend_from_slice(b"\r\n");
    }
}

/// The value of a header that may be there once.
fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether it is as long as 16 bytes in base64. Which ones does not matter, nor whether the last bits of it
/// are left over.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

fn bad(reason: &'static str) -> Box<HttpResponse> {
    Box::new(HttpResponse::refusal(&HttpRefusal::bad(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::server::request::{HeadLimits, HeadScan};
    use crate::net::server::response::Framing;

    /// The example of the standard.
    const USUAL: [&str; 6] = [
        "GET /chat HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];

    fn head(lines: &[&str]) -> RequestHead {
        let bytes = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
        HeadScan::default().read_head(&bytes, &HeadLimits::default()).unwrap().unwrap().0
    }

    /// The usual request with one line in another's place, or left out.
    fn with(at: usize, line: &str) -> RequestHead {
        let mut lines = USUAL.to_vec();
        if line.is_empty() {
            lines.remove(at);
        } else {
            lines[at] = line;
        }
        head(&lines)
    }

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        let head = head(&USUAL);
        assert!(asks_for_upgrade(&head));
        let mut bytes = Vec::new();
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("b"));
        Acceptance::of(&head).unwrap().write(&headers, &mut bytes);
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        Connection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\n\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn what_browsers_and_libraries_send_is_accepted() {
        for (at, line) in [
            (2, "upgrade: WebSocket"),
            (2, "Upgrade: h2c, websocket"),
            (3, "Connection: keep-alive, Upgrade"),
            (3, "Connection: keep-alive\r\nConnection: UPGRADE"),
            (1, "Host: a\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
            // Crashed other servers, or took them long.
            (1, "Host: a\r\nSec-WebSocket-Extensions: constructor"),
            (1, "Host: a\r\nSec-WebSocket-Extensions: ;;=\""),
            (1, "Host: a\r\nSec-WebSocket-Protocol: a"),
            (1, &format!("Host: a\r\nSec-WebSocket-Protocol: b{}x", " ,".repeat(6000))),
        ] {
            let head = with(at, line);
            assert!(asks_for_upgrade(&head) && Acceptance::of(&head).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_cannot_become_a_websocket_is_refused() {
        for (at, line, status) in [
            (0, "POST /chat HTTP/1.1", 400),
            (0, "HEAD /chat HTTP/1.1", 400),
            (0, "GET /chat HTTP/1.0", 400),
            (1, "Host: a\r\nContent-Length: 5", 400),
            (1, "Host: a\r\nTransfer-Encoding: chunked", 400),
            (2, "Upgrade: h2c", 400),
            (2, "Upgrade: websockets", 400),
            (4, "", 400),
            (4, "Sec-WebSocket-Key: x", 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=", 400),
            (
                4,
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                400,
            ),
            (5, "", 426),
            (5, "Sec-WebSocket-Version: 8", 426),
            (5, "Sec-WebSocket-Version: 13, 8", 426),
            (5, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", 426),
        ] {
            let response = Acceptance::of(&with(at, line)).unwrap_err();
            assert_eq!(response.status().as_u16(), status, "{line}");
            let mut bytes = Vec::new();
            response.write(Framing::CLOSE, &mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(text.contains("Sec-Websocket-Version: 13\r\n"), status == 426, "{text}");
        }
    }

    #[test]
    fn a_request_without_the_words_asks_for_no_upgrade() {
        for (at, line) in [(2, ""), (3, ""), (3, "Connection: keep-alive")] {
            assert!(!asks_for_upgrade(&with(at, line)), "{line}");
        }
        assert!(asks_for_upgrade(&with(2, "Upgrade: h2c")));
    }
}
