//! A server that goes with each client as far as its path says, and then says nothing more.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use tungstenite::handshake::derive_accept_key;

use super::greeting::Greeting;
use super::server::serve_all;

/// How many connections there may be at a time.
const CONNECTIONS: usize = 200;

/// How far a connection comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is accepted, and that is all: no TLS, no answer to a request.
    Accepted,
    /// The session is open, the namespace is not joined.
    Handshake,
    /// By long-polling.
    Polling,
    /// By long-polling, with a WebSocket whose probe is not answered.
    Upgrading,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] =
        [Self::Accepted, Self::Handshake, Self::Polling, Self::Upgrading];

    /// The path of the requests at a server that goes so far.
    pub(crate) fn path(self) -> String {
        format!("/{self:?}")
    }
}

/// Listens on a free port of loopback until the process ends; its address.
pub(crate) fn start() -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    serve_all(&listener, CONNECTIONS, |stream| serve(&stream))?;
    Ok(address)
}

/// Answers the requests of one connection, until one is to be left without an answer.
fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        // TLS begins with something else.
        let Ok(head) = read_head(&mut reader) else { return silence(&mut reader) };
        let stage = Stage::ALL.into_iter().find(|stage| head.contains(&stage.path()));
        let is_first = !head.contains("sid=");
        let greeting = Greeting::new("s").heartbeat(300_000, 300_000);
        match stage {
            Some(Stage::Handshake) => {
                accept(stream, &head)?;
                write_text(stream, &greeting.text())?;
                return silence(&mut reader);
            }
            Some(Stage::Polling) if is_first => answer(stream, &greeting.text())?,
            Some(Stage::Upgrading) if head.contains("websocket") => {
                accept(stream, &head)?;
                return silence(&mut reader);
            }
            Some(Stage::Upgrading) if is_first => {
                answer(stream, &greeting.upgrades(&["websocket"]).text())?;
            }
            Some(Stage::Polling | Stage::Upgrading) if head.starts_with("POST") => {
                skip_body(&mut reader, &head)?;
                answer(stream, "ok")?;
            }
            _ => return silence(&mut reader),
        }
    }
}

/// The head of a request.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        reader.read_line(&mut head)?;
        match &head[before..] {
            "" => return Err(io::ErrorKind::UnexpectedEof.into()),
            "\r\n" => return Ok(head),
            _ => {}
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn skip_body(reader: &mut impl BufRead, head: &str) -> io::Result<()> {
    let mut body = vec![0; header(head, "content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)
}

fn answer(mut stream: &TcpStream, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8";
    stream.write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
}

fn accept(mut stream: &TcpStream, head: &str) -> io::Result<()> {
    let key = derive_accept_key(header(head, "sec-websocket-key").as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
    stream.write_all(format!("{head}\r\nSec-WebSocket-Accept: {key}\r\n\r\n").as_bytes())
}

/// Writes a short frame.
fn write_text(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    let length = u8::try_from(text.len()).expect("a greeting");
    assert!(length > 125, "a length of its own");
    stream.write_all(&[&[0x81, 126, 0, length], text.as_bytes()].concat())
}

/// Says nothing until the client goes.
fn silence(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let length = reader.fill_buf()?.len();
        if length == 0 {
            return Ok(());
        }
        reader.consume(length);
    }
}
