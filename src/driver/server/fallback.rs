//! Requests that are not Socket.IO's, which the program answers.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::net::server::request::RequestHead;
use crate::net::server::response::HttpResponse;
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// Answers what is not Socket.IO's.
pub(crate) type Fallback = dyn Fn(&HttpRequest) -> HttpReply + Send + Sync;

/// A request for another path than that of Socket.IO; see
/// [`ServerBuilder::fallback`](crate::server::ServerBuilder::fallback).
#[derive(Debug)]
pub struct HttpRequest {
    pub(super) head: Box<RequestHead>,
    pub(super) body: Vec<u8>,
    pub(super) address: Option<SocketAddr>,
    pub(super) is_secure: bool,
}

/// What a request is answered with. By default with nothing but the status.
///
/// It is in memory until the client has it.
#[derive(Clone, Debug)]
#[must_use = "give it back from the function that was asked"]
pub struct HttpReply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl HttpRequest {
    /// The method, in capitals: `GET`.
    pub fn method(&self) -> &str {
        self.head.method.as_str()
    }

    /// The path, percent-decoded once. It begins with a slash, but for `*`. Its dots are as they were sent: `..` must
    /// not lead out of a folder.
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// The query as it was sent, without the question mark.
    pub fn query(&self) -> &str {
        &self.head.query
    }

    /// The value of a header, the first of that name, unless it is no ASCII. Names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The body, of at most
    /// [`ServerBuilder::max_http_buffer_size`](crate::server::ServerBuilder::max_http_buffer_size).
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// From where the client has connected; `None` for a Unix socket. Behind a proxy it is the proxy's address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

impl HttpReply {
    /// An answer with this status, from 200 to 599. With another one, or with a header that HTTP does not know, the
    /// client gets status 500, and a line of the log says why.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Status 200 with a body of this type, such as `text/html; charset=utf-8`.
    ///
    /// ```
    /// let reply = siot::server::HttpReply::ok("application/json", r#"{"celsius":21.5}"#);
    /// # drop(reply);
    /// ```
    pub fn ok(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(200).body(content_type, body)
    }

    /// The same with this body.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// The same with one more header. Those about the connection and the length of the body are the server's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn response(self) -> Result<HttpResponse, String> {
        let status = StatusCode::from_u16(self.status).ok().filter(|status| status.as_u16() < 600);
        let status = status.filter(|status| !status.is_informational());
        let status = status.ok_or_else(|| format!("status {}", self.status))?;
        let mut response = HttpResponse::new(status).with_plain_body(self.body);
        for (name, value) in self.headers {
            let of_server = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE];
            match (HeaderName::try_from(&*name), HeaderValue::try_from(value)) {
                (Ok(known), Ok(value)) if !of_server.contains(&known) => {
                    response = response.with(known, value);
                }
                _ => return Err(format!("the header {name:?}")),
            }
        }
        Ok(response)
    }
}

/// Asks the program, which may take its time, and panic.
pub(super) fn ask(fallback: &Fallback, request: &HttpRequest) -> HttpResponse {
    let failed = || HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(reply) = survive(|| fallback(request)) else {
        log_later!(Error, "the function of the program that answers other requests panicked");
        return failed();
    };
    reply.response().unwrap_or_else(|what| {
        log_later!(Error, "{what} of an answer of the program cannot be sent");
        failed()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_that_ends_it_and_none_of_the_headers_that_are_the_servers() {
        for status in [200, 304, 599] {
            assert!(HttpReply::new(status).response().is_ok(), "{status}");
        }
        for status in [0, 99, 100, 101, 199, 600, 999] {
            assert!(HttpReply::new(status).response().is_err(), "{status}");
        }
        for (name, value) in [
            ("Connection", "close"),
            ("Content-Length", "7"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("two words", "x"),
            ("x-own", "a\r\nb: c"),
        ] {
            assert!(HttpReply::new(200).header(name, value).response().is_err(), "{name}");
        }
        assert!(HttpReply::new(200).header("x-own", "a").response().is_ok());
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn the_program_is_told_whether_the_connection_is_encrypted() {
        use std::io::Write as _;
        use std::sync::{Arc, mpsc::channel};
        use std::time::{Duration, Instant};

        use crate::driver::server::door::Door;
        use crate::driver::server::hub_options::HubOptions;
        use crate::driver::server::io::Slot;
        use crate::driver::server::pool::PoolSize;
        use crate::driver::server::testing::{door, options, server_with};
        use crate::net::server::stream::ServerStream;

        let (tell, told) = channel();
        let answer = move |request: &HttpRequest| {
            let _ = tell.send(request.is_secure());
            HttpReply::new(200)
        };
        let fallback = Some(Arc::new(answer) as Arc<Fallback>);
        let pool = PoolSize { workers: 1, most: 1, stack_size: 1 << 20 };
        let options = HubOptions { pool, ..options() };
        let mut io = server_with(options, Door { fallback, ..door() }, None);
        let (stream, mut client) = ServerStream::encrypted();
        let token = mio::Token(io.next_token);
        io.take_on(stream, None);
        client.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let began = Instant::now();
        let is_secure = loop {
            if let Some(Slot::Http(connection)) = io.slots.get_mut(&token) {
                connection.note_more();
            }
            io.attend(token);
            match told.recv_timeout(Duration::from_millis(1)) {
                Ok(is_secure) => break is_secure,
                Err(_) => assert!(began.elapsed() < Duration::from_secs(60), "it is not asked"),
            }
        };
        assert!(is_secure);
    }
}
