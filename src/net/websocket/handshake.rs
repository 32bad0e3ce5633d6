//! The HTTP request that opens a WebSocket, and the answer to it.

use std::io::{self, Read, Write};
use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use rustix::event::PollFlags;
use tungstenite::Error as WsError;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::{ClientHandshake, Response, generate_key};
use tungstenite::protocol::WebSocketConfig;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::attempt::Attempt;
use crate::net::cookies::Jar;
use crate::net::headers::{AGENT, checked, parse_value};
use crate::net::request::{Request, Secrets};
use crate::net::status::{HUNG_UP, Refusal};
use crate::net::stream::Stream;
use crate::net::tls::late_refusal;
use crate::net::waker::cancelled;

/// Builds the request; a header that cannot be sent is an error.
pub(in crate::net) fn upgrade_request(
    request: &Request,
    subprotocols: &[String],
    jar: Option<&Jar>,
) -> Result<http::Request<()>> {
    // Of the URI, tungstenite sends the path and the query only.
    let mut upgrade = http::Request::builder()
        .uri(format!("ws://localhost{}", request.path_and_query))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header(HOST, request.endpoint.host_header())
        .header(USER_AGENT, AGENT)
        .body(())
        .map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, "the path or the query cannot be sent")
                .with_source(error)
        })?;
    if !subprotocols.is_empty() {
        let name = "Sec-WebSocket-Protocol";
        let value = parse_value(name, &subprotocols.join(", "))?;
        upgrade.headers_mut().insert(name, value);
    }
    for (name, value) in checked(&request.headers)? {
        if name == HOST || name == USER_AGENT {
            upgrade.headers_mut().insert(name, value);
        } else {
            upgrade.headers_mut().append(name, value);
        }
    }
    if let Some(jar) = jar {
        jar.apply(upgrade.headers_mut());
    }
    Ok(upgrade)
}

/// Sends the request and reads the answer, whose headers go to `note`. Gives what was read behind
/// them.
// Its frame is large: apart, it shares its stack with what the thread does later.
#[inline(never)]
pub(super) fn shake_hands(
    stream: &mut Stream,
    upgrade: http::Request<()>,
    secrets: &Secrets,
    note: impl Fn(&http::HeaderMap),
) -> Result<Vec<u8>> {
    let attempt = &Arc::clone(stream.attempt());
    let mut rest = Vec::new();
    let answer = exchange(HeadReader::new(stream, &mut rest), upgrade)?;
    let error = match answer {
        Ok(response) => {
            note(response.headers());
            check_response(&response)?;
            return Ok(rest);
        }
        Err(error) => error,
    };
    if let WsError::Http(response) = &error {
        note(response.headers());
    }
    Err(to_error(error, &rest, secrets, attempt))
}

/// The answer, as tungstenite finds it.
fn exchange(
    head: HeadReader<'_>,
    upgrade: http::Request<()>,
) -> Result<std::result::Result<Response, WsError>> {
    // The WebSocket that comes of it is not used, nor are its buffers.
    let config = WebSocketConfig::default().read_buffer_size(0);
    let mut running = match ClientHandshake::start(head, upgrade, Some(config)) {
        Ok(start) => start,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        running = match running.handshake() {
            Ok((_, response)) => return Ok(Ok(response)),
            Err(HandshakeError::Failure(error)) => return Ok(Err(error)),
            Err(HandshakeError::Interrupted(running)) => {
                running.get_ref().get_ref().wait()?;
                running
            }
        };
    }
}

/// Reads to the end of the answer's head, and keeps apart what comes behind it.
struct HeadReader<'a> {
    stream: &'a mut Stream,
    rest: &'a mut Vec<u8>,
    line_is_empty: bool,
    /// What to wait for when a call would block: tungstenite does not say which one did.
    last: PollFlags,
}

impl<'a> HeadReader<'a> {
    fn new(stream: &'a mut Stream, rest: &'a mut Vec<u8>) -> Self {
        Self { stream, rest, line_is_empty: false, last: PollFlags::OUT }
    }

    /// Blocks until the last read or write can go on.
    fn wait(&self) -> Result<()> {
        self.stream.wait(self.last)
    }

    /// Looks for the empty line.
    fn ends_in(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.line_is_empty => return Some(index + 1),
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        None
    }
}

impl Read for HeadReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.rest.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has no head"));
        }
        self.last = PollFlags::IN;
        let read = self.stream.read(buffer)?;
        Ok(match self.ends_in(&buffer[..read]) {
            None => read,
            Some(end) => {
                self.rest.extend_from_slice(&buffer[end..read]);
                end
            }
        })
    }
}

impl Write for HeadReader<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.last = PollFlags::OUT;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.last = PollFlags::OUT;
        self.stream.flush()
    }
}

/// What tungstenite does not check.
fn check_response(response: &Response) -> Result<()> {
    match response.headers().get("sec-websocket-extensions") {
        None => Ok(()),
        Some(_) => {
            Err(connect_error("the server chose a WebSocket extension that was not offered"))
        }
    }
}

fn to_error(error: WsError, body: &[u8], secrets: &Secrets, attempt: &Attempt) -> Error {
    if attempt.waker().is_cancelled() {
        return cancelled();
    }
    match error {
        WsError::Http(response) => Refusal {
            status: response.status().as_u16(),
            headers: response.headers(),
            body,
            secrets,
        }
        .into_error(),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => {
            connect_error("the server closed the connection instead of answering")
                .with_hint(HUNG_UP)
        }
        WsError::Protocol(ProtocolError::HttparseError(error)) => {
            connect_error("the answer to the WebSocket handshake is no HTTP").with_source(error)
        }
        WsError::Io(error) => late_refusal(&error).unwrap_or_else(|| {
            connect_error("the connection failed during the WebSocket handshake")
                .with_source(error)
                .with_hint(HUNG_UP)
        }),
        WsError::AttackAttempt | WsError::Capacity(CapacityError::TooManyHeaders) => {
            connect_error("the headers of the answer are too many, too long, or come in crumbs")
        }
        error => connect_error("the WebSocket handshake failed").with_source(error),
    }
}

fn connect_error(what: &'static str) -> Error {
    Error::new(ErrorKind::Connect(Stage::Http), what)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::net::testing::{
        accept, accept_websocket, attempt, cancel_ends, header, net, read_head, serve, silent,
    };
    use crate::net::{Net, NetOptions};

    /// What a client says to an answer; `{accept}` in it becomes the right key.
    fn outcome(answer: &str, subprotocols: &[&str]) -> Result<()> {
        let answer = answer.to_owned();
        let (request, server) = serve(move |listener| {
            let mut stream = accept(&listener);
            let head = read_head(&mut stream);
            let key = header(&head, "sec-websocket-key").unwrap();
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            stream.write_all(answer.replace("{accept}", &accept).as_bytes()).unwrap();
        });
        let options = NetOptions {
            max_message: 1000,
            subprotocols: subprotocols.iter().map(|&name| name.to_owned()).collect(),
            ..NetOptions::default()
        };
        let result = Net::new(options).unwrap().websocket(&request, &attempt()).map(drop);
        server.join().unwrap();
        result
    }

    const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                           Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

    #[test]
    fn the_request_has_what_servers_look_for_and_the_callers_headers_in_their_order() {
        let (mut request, server) = serve(|listener| {
            let mut stream = accept(&listener);
            read_head(&mut stream)
        });
        for (name, value) in [("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("User-Agent", "mine")] {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        net().websocket(&request, &attempt()).unwrap_err();
        let head = server.join().unwrap();
        assert!(head.starts_with("GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
        for line in ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"] {
            assert!(head.contains(&format!("{line}\r\n")), "{head}");
        }
        assert_eq!(header(&head, "user-agent"), Some("mine"));
        assert_eq!(head.to_lowercase().matches("user-agent").count(), 1, "{head}");
        let own: Vec<_> = head.lines().filter(|line| line.starts_with("x-")).collect();
        assert_eq!(own, ["x-b: 1", "x-b: 3", "x-a: 2"]);
    }

    #[test]
    fn headers_that_cannot_be_sent_fail_before_dialling() {
        let (mut request, server) = serve(drop);
        server.join().unwrap();
        request.headers.push(("X-A".to_owned(), "1\r\nX-Evil: 1".to_owned()));
        let error = net().websocket(&request, &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
    }

    #[test]
    fn an_answer_that_is_no_upgrade_is_named() {
        for (answer, parts) in [
            (
                "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n\
                 {\"code\":4,\"message\":\"no token\"}",
                &["401", "Unauthorized", "no token (code 4)", "credentials"][..],
            ),
            ("HTTP/1.1 404 Nope\r\nContent-Type: text/html\r\n\r\n<h1>nginx", &["404", "nginx"]),
            (
                "HTTP/1.1 302 Found\r\nLocation: https://other/x\r\n\r\n",
                &["302", "https://other/x", "not followed"],
            ),
            ("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n", &["503", "`120`"]),
            ("HTTP/1.1 200 OK\r\n\r\nhello", &["200", "hello"]),
            ("HTTP/1.1 100 Continue\r\n\r\n", &["100"]),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", &["no HTTP"]),
            ("", &["closed the connection"]),
            ("HTTP/1.1 101 Switching", &["closed the connection"]),
            (&UPGRADE.replace("{accept}", "x"), &["closed the connection"]),
            (&(UPGRADE.replace("{accept}", "x") + "\r\n"), &["Sec-WebSocket-Accept"]),
            (&(UPGRADE.replace("Upgrade: websocket\r\n", "") + "\r\n"), &["Upgrade"]),
            (
                &(UPGRADE.to_owned() + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
                &["extension"],
            ),
            (&(UPGRADE.to_owned() + "Sec-WebSocket-Protocol: mqtt\r\n\r\n"), &["subprotocol"]),
        ] {
            let error = outcome(answer, &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{answer}: {error}");
            let text = format!("{error:#}").to_lowercase();
            for part in parts {
                assert!(text.contains(&part.to_lowercase()), "{part} in {error}");
            }
        }
    }

    #[test]
    fn a_cookie_of_the_answer_is_kept_and_comes_back_if_that_is_asked_for() {
        for with_credentials in [true, false] {
            let (mut request, server) = serve(|listener| {
                [UPGRADE, "HTTP/1.1 503 Busy\r\n", UPGRADE].map(|answer| {
                    let mut stream = accept(&listener);
                    let head = read_head(&mut stream);
                    let key = header(&head, "sec-websocket-key").unwrap();
                    let key = tungstenite::handshake::derive_accept_key(key.as_bytes());
                    let name = if answer == UPGRADE { "lb" } else { "busy" };
                    let answer = answer.replace("{accept}", &key);
                    write!(stream, "{answer}Set-Cookie: {name}=1; Path=/\r\n\r\n").unwrap();
                    head
                })
            });
            request.headers.push(("Cookie".to_owned(), "own=1".to_owned()));
            let options = NetOptions { with_credentials, ..NetOptions::default() };
            let net = Net::new(options).unwrap();
            for _ in 0..3 {
                let _ = net.websocket(&request, &attempt());
            }
            let heads = server.join().unwrap();
            let cookies = heads.each_ref().map(|head| header(head, "cookie").unwrap());
            if with_credentials {
                assert_eq!(cookies, ["own=1", "own=1; lb=1", "own=1; lb=1; busy=1"]);
            } else {
                assert_eq!(cookies, ["own=1"; 3]);
            }
        }
    }

    #[test]
    fn a_subprotocol_that_was_asked_for_is_taken() {
        let answer = UPGRADE.to_owned() + "Sec-WebSocket-Protocol: b\r\n\r\n";
        outcome(&answer, &["a", "b"]).unwrap();
        outcome(&answer, &["a"]).unwrap_err();
    }

    #[test]
    fn endless_headers_end_in_an_error() {
        let (request, server) = serve(|listener| {
            let mut stream = accept(&listener);
            read_head(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 101 OK\r\n");
            while stream.write_all(&[b'x'; 1000]).is_ok() {}
        });
        let error = net().websocket(&request, &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn a_cancellation_ends_the_handshake() {
        let (there, reached) = channel();
        let (request, server) = serve(silent(there));
        let attempt = cancel_ends(&reached, move |attempt| net().websocket(&request, attempt));
        assert_eq!(attempt.so_far().stage, Stage::Http);
        server.join().unwrap();
    }

    #[test]
    fn a_message_right_behind_the_handshake_is_not_lost() {
        let (request, server) = serve(|listener| {
            let mut stream = accept_websocket(&listener);
            stream.write_all(b"\x81\x01x").unwrap();
            stream
        });
        let attempt = attempt();
        let mut websocket = net().websocket(&request, &attempt).unwrap();
        let stream = server.join().unwrap();
        loop {
            use crate::net::websocket::Received;
            match websocket.read().unwrap() {
                Received::Nothing => {
                    websocket.interest(true, true).wait(attempt.waker(), None).unwrap();
                }
                other => {
                    let frame = crate::proto::dialect::Frame::Text("x".into());
                    assert_eq!(other, Received::Frame(frame));
                    break;
                }
            }
        }
        drop(stream);
    }
}
