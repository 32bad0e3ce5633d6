//! A client that writes requests byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::support::LIMIT;

/// A connection by which anything can be said.
pub(super) struct RawHttp {
    reader: BufReader<TcpStream>,
}

/// A response.
#[derive(Debug)]
pub(super) struct RawResponse {
    pub(super) status: u16,
    /// The head, in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

/// A request for a path with this query, and these lines in its head (each with its end).
pub(super) fn get(query: &str, lines: &str) -> String {
    format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// The same, that asks for a WebSocket.
pub(super) fn upgrade(query: &str) -> String {
    get(
        query,
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    )
}

/// A POST to a session of Engine.IO 4.
pub(super) fn post(sid: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The query of a GET of a session.
pub(super) fn poll(sid: &str) -> String {
    get(&format!("EIO=4&transport=polling&sid={sid}"), "")
}

/// A frame of a client, whose mask is of zeros.
pub(super) fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match content.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length).expect("a byte")),
        length => {
            if let Ok(length) = u16::try_from(length) {
                bytes.push(0xFE);
                bytes.extend_from_slice(&length.to_be_bytes());
            } else {
                bytes.push(0xFF);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(content);
    bytes
}

/// A whole message of text.
pub(super) fn text(content: &str) -> Vec<u8> {
    frame(0x81, content.as_bytes())
}

impl RawHttp {
    #[track_caller]
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a server"))
    }

    /// Over a connection that was made.
    pub(super) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_read_timeout(Some(LIMIT)).expect("a TCP option");
        stream.set_write_timeout(Some(LIMIT)).expect("a TCP option");
        Self { reader: BufReader::new(stream) }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Says this, unless the server has had enough.
    pub(super) fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream().write_all(bytes.as_ref());
        self
    }

    /// Says nothing more.
    pub(super) fn finish(&mut self) -> &mut Self {
        let _ = self.stream().shutdown(Shutdown::Write);
        self
    }

    /// Reads a response.
    #[track_caller]
    pub(super) fn response(&mut self) -> RawResponse {
        self.try_response().expect("a response")
    }

    /// The same; `None` where the connection ends instead.
    pub(super) fn try_response(&mut self) -> Option<RawResponse> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        let status = head.get(9..12)?.parse().ok()?;
        let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
            rest.split("\r\n").next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        });
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).ok()?;
        Some(RawResponse { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads until the server ends the connection.
    #[track_caller]
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.reader.read_to_end(&mut rest) {
            assert_ne!(
                error.kind(),
                std::io::ErrorKind::WouldBlock,
                "no end, but {} bytes",
                rest.len()
            );
        }
        rest
    }

    /// Reads so many bytes.
    #[track_caller]
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// Ends the connection by a reset.
    pub(super) fn reset(self) {
        let _ = rustix::net::connect_unspec(self.stream());
    }

    /// Begins a session by polling; gives its id.
    #[track_caller]
    pub(super) fn open(&mut self) -> String {
        let opened = self.say(get("EIO=4&transport=polling", "")).response();
        sid_in(&opened.body)
    }

    /// The same, and joins the namespace `/`.
    #[track_caller]
    pub(super) fn join(&mut self) -> String {
        let sid = self.open();
        assert_eq!(self.say(post(&sid, "40")).response().body, "ok");
        let joined = self.say(poll(&sid)).response();
        assert!(joined.body.starts_with("40{"), "{joined:?}");
        sid
    }

    /// Becomes the WebSocket of a session of its own; its handshake is read.
    #[track_caller]
    pub(super) fn websocket(&mut self) -> String {
        let response = self.say(upgrade("EIO=4&transport=websocket")).response();
        assert_eq!(response.status, 101, "{response:?}");
        let handshake = self.message();
        sid_in(&handshake)
    }

    /// The next message of text by a WebSocket.
    #[track_caller]
    pub(super) fn message(&mut self) -> String {
        let header = self.bytes(2);
        let length = match header[1] {
            126 => u16::from_be_bytes(self.bytes(2).try_into().expect("two bytes")).into(),
            short => usize::from(short),
        };
        String::from_utf8_lossy(&self.bytes(length)).into_owned()
    }
}

#[track_caller]
fn sid_in(handshake: &str) -> String {
    let (_, rest) = handshake.split_once(r#""sid":""#).expect("a handshake");
    rest.split('"').next().expect("an id").to_owned()
}
