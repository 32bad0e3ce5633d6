//! HTTP/1.1 as far as Engine.IO needs it: long-polling, and the way to a WebSocket.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use siot::internal::Body;
use siot::{Transport, Value};

use super::session::Session;
use super::{Shared, Stream, lock, websocket};

/// The most bytes of a request without its body.
const MAX_HEAD: usize = 64 * 1024;

/// A request, as far as it matters.
pub(super) struct Request {
    method: String,
    path: String,
    query: HashMap<String, String>,
    /// By their names in lower case.
    pub(super) headers: HashMap<String, String>,
}

/// Serves the requests of a connection, one by one.
pub(super) fn serve(shared: &Arc<Shared>, stream: impl Stream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream)? {
        let sid = request.query.get("sid").cloned();
        if !request.path.ends_with("/socket.io/") {
            respond(&mut stream, 404, "text/plain", b"not here")?;
        } else if request.headers.contains_key("upgrade") {
            let buffered = stream.buffer().to_vec();
            return websocket::serve(shared, &request, stream.into_inner(), buffered);
        } else {
            match sid {
                None => open(shared, &request, &mut stream)?,
                Some(sid) => poll(shared, &request, &sid, &mut stream)?,
            }
        }
        if request.header("connection").eq_ignore_ascii_case("close") {
            break;
        }
    }
    Ok(())
}

/// The first request of a session.
fn open(
    shared: &Arc<Shared>,
    request: &Request,
    stream: &mut BufReader<impl Stream>,
) -> io::Result<()> {
    if !shared.options.transports.contains(&Transport::Polling) || request.transport() != "polling"
    {
        return refuse(stream, 0, "Transport unknown");
    }
    if request.method != "GET" {
        return refuse(stream, 2, "Bad handshake method");
    }
    let Some(session) = Session::open(shared, request, Transport::Polling) else {
        return refuse(stream, 5, "Unsupported protocol version");
    };
    answer_poll(stream, session.poll())
}

/// A GET waits for packets, a POST brings some.
fn poll(
    shared: &Shared,
    request: &Request,
    sid: &str,
    stream: &mut BufReader<impl Stream>,
) -> io::Result<()> {
    let session = lock(&shared.sessions).get(sid).cloned();
    let Some(session) = session else { return refuse(stream, 1, "Session ID unknown") };
    if request.transport() != "polling" || session.is_on_websocket() {
        return refuse(stream, 3, "Bad request");
    }
    if request.method == "GET" {
        return answer_poll(stream, session.poll());
    }
    let length = request.header("content-length").parse().unwrap_or(usize::MAX);
    if length > shared.options.max_payload {
        session.close();
        respond(stream, 413, "text/plain", b"too large")?;
        return Err(io::Error::other("the body is too large to be read"));
    }
    let mut body = vec![0; length];
    read_exact(stream, &mut body)?;
    let binary = request.header("content-type") == "application/octet-stream";
    if session.receive_payload(binary, &body).is_err() {
        session.close();
        return refuse(stream, 3, "Bad request");
    }
    respond(stream, 200, "text/html", b"ok")
}

fn answer_poll(stream: &mut BufReader<impl Stream>, body: Option<Body>) -> io::Result<()> {
    match body {
        Some(Body { binary: true, bytes }) => {
            respond(stream, 200, "application/octet-stream", &bytes)
        }
        Some(Body { binary: false, bytes }) => {
            respond(stream, 200, "text/plain; charset=UTF-8", &bytes)
        }
        None => refuse(stream, 1, "Session ID unknown"),
    }
}

/// Answers as Engine.IO does.
fn refuse(stream: &mut BufReader<impl Stream>, code: u32, message: &str) -> io::Result<()> {
    let json = format!(r#"{{"code":{code},"message":"{message}"}}"#);
    respond(stream, 400, "application/json", json.as_bytes())
}

fn respond(
    stream: &mut BufReader<impl Stream>,
    status: u16,
    content_type: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    stream.get_mut().flush()
}

impl Request {
    /// Reads a request without its body; `None` at the end of the connection.
    fn read(stream: &mut BufReader<impl Stream>) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > MAX_HEAD || patiently(|| stream.read(&mut byte))? == 0 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.map(|line| pair(line, ':'));
        Ok(Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
        }))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// All that stands in the query.
    pub(super) fn parameters(&self) -> Value {
        let pairs = self.query.iter();
        pairs.map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect()
    }

    pub(super) fn eio(&self) -> &str {
        self.query.get("EIO").map_or("", String::as_str)
    }

    pub(super) fn sid(&self) -> Option<&str> {
        self.query.get("sid").map(String::as_str)
    }

    pub(super) fn transport(&self) -> &str {
        self.query.get("transport").map_or("", String::as_str)
    }
}

/// The parameters of a query.
pub(super) fn parameters(query: &str) -> Value {
    pairs(query).into_iter().map(|(name, value)| (name, Value::from(value))).collect()
}

fn pairs(query: &str) -> HashMap<String, String> {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').map(|text| pair(text, '='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// What stands on both sides of a separator.
fn pair(text: &str, by: char) -> (&str, &str) {
    let (name, value) = text.split_once(by).unwrap_or((text, ""));
    (name.trim(), value.trim())
}

/// Fills a buffer.
fn read_exact(stream: &mut impl Read, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = patiently(|| stream.read(buffer))?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
    }
    Ok(())
}

/// Reads again when the time limit of the stream passes.
fn patiently<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if is_early(&error) => {}
            result => return result,
        }
    }
}

/// Whether there is only nothing to read yet.
pub(super) fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
