//! The practical limit: a single thread that waits for all connections and does its framing by hand. It reads into one buffer,
//! parses and writes arguments by `serde_json`, writes to a connection once in a turn, and shares the bytes of a broadcast.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::TOLD;
use crate::Result;
use crate::frames::{read, write_text};

const LISTENER: Token = Token(0);
const OPEN: &str =
    r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

struct Connection {
    stream: TcpStream,
    is_open: bool,
    /// Less than a frame, or than the head of a request.
    unread: Vec<u8>,
    unwritten: Vec<u8>,
    notes: usize,
}

struct Raw {
    poll: Poll,
    connections: HashMap<Token, Connection>,
    last: usize,
}

pub(crate) fn serve() -> Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?.port());
    let mut raw = Raw { poll, connections: HashMap::new(), last: 0 };
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        raw.poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                raw.accept(&listener)?;
            } else if raw.attend(event.token(), &mut buffer).is_err() {
                raw.connections.remove(&event.token());
            }
        }
    }
}

impl Raw {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let (mut stream, _) = match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                accepted => accepted?,
            };
            stream.set_nodelay(true)?;
            self.last += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.last), interest)?;
            let (unread, unwritten) = (Vec::new(), Vec::new());
            let connection = Connection { stream, is_open: false, unread, unwritten, notes: 0 };
            self.connections.insert(Token(self.last), connection);
        }
    }

    /// Reads and answers; an error where the connection is over.
    fn attend(&mut self, token: Token, buffer: &mut [u8]) -> Result<()> {
        loop {
            let connection = self.connections.get_mut(&token).ok_or("it is gone")?;
            connection.flush()?;
            let count = match connection.stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                count => count?,
            };
            if count == 0 {
                return Err("it has ended".into());
            }
            let told = connection.take(&mut buffer[..count])?;
            connection.flush()?;
            self.tell(told);
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Whoever does not read is cut.
    fn tell(&mut self, times: usize) {
        if times == 0 {
            return;
        }
        let mut frames = Vec::new();
        let text = format!("42[\"told\",\"{}\"]", "x".repeat(TOLD));
        (0..times).for_each(|_| write_text(text.as_bytes(), false, &mut frames));
        self.connections.retain(|_, connection| {
            if connection.unwritten.is_empty() {
                return connection.send(&frames).is_ok();
            }
            connection.unwritten.extend(&frames);
            connection.flush().is_ok()
        });
    }
}

impl Connection {
    /// Takes what was read; gives how often everybody is to be told.
    fn take(&mut self, bytes: &mut [u8]) -> Result<usize> {
        if !self.unread.is_empty() || !self.is_open {
            self.unread.extend_from_slice(bytes);
            let mut unread = std::mem::take(&mut self.unread);
            return self.take_all(&mut unread);
        }
        self.take_all(bytes)
    }

    fn take_all(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let (mut at, mut told) = (0, 0);
        if !self.is_open {
            let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                self.unread = bytes.to_vec();
                return Ok(0);
            };
            self.welcome(std::str::from_utf8(&bytes[..end])?)?;
            at = end + 4;
        }
        while let Some((content, end)) = read(&mut bytes[at..]) {
            told += self.answer(std::str::from_utf8(&bytes[at..][content])?)?;
            at += end;
        }
        if at < bytes.len() {
            self.unread = bytes[at..].to_vec();
        }
        Ok(told)
    }

    fn welcome(&mut self, head: &str) -> Result<()> {
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let mut hash = Sha1::new();
        hash.update(key.ok_or("no key")?);
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = STANDARD.encode(hash.finalize());
        self.unwritten.extend(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .bytes(),
        );
        write_text(OPEN.as_bytes(), false, &mut self.unwritten);
        self.is_open = true;
        Ok(())
    }

    fn answer(&mut self, packet: &str) -> Result<usize> {
        if packet == "40" {
            write_text(b"40{\"sid\":\"s\"}", false, &mut self.unwritten);
            return Ok(0);
        }
        let Some(event) = packet.strip_prefix("42") else { return Ok(0) };
        let (number, list) = event.split_at(event.find('[').ok_or("no event")?);
        let (name, argument) = list.split_once(',').unwrap_or((list, ""));
        let argument = argument.trim_end_matches(']');
        match name.trim_start_matches('[').trim_end_matches(']') {
            "\"ask\"" => {
                let question: Value = serde_json::from_str(argument)?;
                write_text(
                    format!("43{number}[{question}]").as_bytes(),
                    false,
                    &mut self.unwritten,
                );
            }
            "\"note\"" => {
                serde_json::from_str::<Value>(argument)?;
                self.notes += 1;
            }
            "\"count\"" => {
                let had = std::mem::take(&mut self.notes);
                write_text(format!("43{number}[{had}]").as_bytes(), false, &mut self.unwritten);
            }
            "\"tell\"" => return Ok(argument.parse()?),
            _ => return Err("what is that?".into()),
        }
        Ok(0)
    }

    fn flush(&mut self) -> Result<()> {
        let unwritten = std::mem::take(&mut self.unwritten);
        self.send(&unwritten)
    }

    /// Keeps what the system does not take. Nothing waits before it.
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unwritten.extend(bytes);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
