//! A client message by message.

use std::net::{TcpStream, ToSocketAddrs};

use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::support::LIMIT;

/// A WebSocket of a session, whose client does only what it is told. It is reset when it is dropped.
pub(crate) struct RawClient {
    socket: WebSocket<TcpStream>,
}

impl RawClient {
    /// Opens a session of Engine.IO 4 by a WebSocket; the namespace `/` is yet to be joined.
    #[track_caller]
    pub(crate) fn websocket(url: &str) -> Self {
        Self::revision(url, 4)
    }

    /// The same of this revision of Engine.IO.
    #[track_caller]
    pub(crate) fn revision(url: &str, eio: u32) -> Self {
        let rest = url.strip_prefix("http://").expect("an http URL");
        let (authority, query) = rest.split_once("/?").unwrap_or((rest, ""));
        let address = authority.to_socket_addrs().expect("an address").next().expect("one");
        let stream = TcpStream::connect(address).expect("a server");
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_read_timeout(Some(LIMIT)).expect("a TCP option");
        let url = format!("ws://{authority}/socket.io/?EIO={eio}&transport=websocket&{query}");
        let config = WebSocketConfig::default();
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config))
            .expect("a WebSocket");
        let mut client = Self { socket };
        client.expect("0{");
        client
    }

    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("a message that can be written");
    }

    /// Says all at once, in one write.
    #[track_caller]
    pub(crate) fn say_all(&mut self, texts: &[&str]) {
        for text in texts {
            self.socket.write(Message::text(*text)).expect("a message that can be written");
        }
        self.socket.flush().expect("messages that can be written");
    }

    /// Waits for the next message but for heartbeats, which are answered. It is to begin so.
    #[track_caller]
    pub(crate) fn expect(&mut self, beginning: &str) -> String {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.say("3"),
                Ok(Message::Text(text)) => {
                    assert!(text.starts_with(beginning), "no {beginning:?}, but {text:?}");
                    return text.as_str().to_owned();
                }
                other => panic!("no {beginning:?}, but {other:?}"),
            }
        }
    }

    /// Waits for the next heartbeat, and does not answer it.
    #[track_caller]
    pub(crate) fn expect_heartbeat(&mut self) {
        match self.socket.read() {
            Ok(Message::Text(text)) if text.as_str() == "2" => {}
            other => panic!("no heartbeat, but {other:?}"),
        }
    }

    /// Reads until the connection ends; gives the messages that came.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => messages.push(text.as_str().to_owned()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    panic!("no end within {LIMIT:?}, but {messages:?}")
                }
                Err(_) => return messages,
            }
        }
    }

    /// The connection below.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }
}

/// A message as a client writes it, masked with zeros.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 + u8::try_from(length).expect("a byte")),
        length => {
            frame.push(0x80 + 126);
            let length = u16::try_from(length).expect("a short text");
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}
