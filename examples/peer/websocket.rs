//! The WebSocket transport, from the start or by an upgrade.

use std::io;
use std::sync::Arc;

use siot::Transport;
use siot::internal::{Dialect, Frame, Packet, Probe};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::http::{Request, is_early};
use super::session::Session;
use super::{Shared, Stream, lock};

/// Serves a connection that asks for a WebSocket; `buffered` was read already.
pub(super) fn serve(
    shared: &Arc<Shared>,
    request: &Request,
    mut stream: impl Stream,
    buffered: Vec<u8>,
) -> io::Result<()> {
    let allowed = shared.options.transports.contains(&Transport::WebSocket)
        && request.transport() == "websocket";
    let session = match request.sid() {
        _ if !allowed => None,
        None => Session::open(shared, request, Transport::WebSocket),
        Some(sid) => lock(&shared.sessions).get(sid).cloned(),
    };
    let Some(session) = session else {
        return stream.write_all(b"HTTP/1.1 400 -\r\nContent-Length: 0\r\n\r\n");
    };
    let accept = derive_accept_key(request.header("sec-websocket-key").as_bytes());
    let head = format!(
        "HTTP/1.1 101 -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let max = Some(shared.options.max_payload);
    let config = WebSocketConfig::default().max_message_size(max).max_frame_size(max);
    let socket = WebSocket::from_partially_read(stream, buffered, Role::Server, Some(config));
    let mut connection = Connection { probing: request.sid().is_some(), session, socket };
    let result = connection.run();
    if connection.probing {
        connection.session.set_probed(false);
    } else {
        connection.session.close();
    }
    result.map_err(io::Error::other)
}

struct Connection<S> {
    session: Arc<Session>,
    socket: WebSocket<S>,
    /// The session is still on long-polling.
    probing: bool,
}

impl<S: Stream> Connection<S> {
    fn run(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let dialect = self.session.dialect;
        while !self.session.is_closed() {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    self.receive(dialect.decode_frame(Frame::Text(text))?)?;
                }
                Ok(Message::Binary(bytes)) => {
                    self.receive(dialect.decode_frame(Frame::Binary(bytes))?)?;
                }
                Ok(_) => {}
                Err(Error::Io(error)) if is_early(&error) => {}
                Err(error) => return Err(error.into()),
            }
            if !self.probing {
                for packet in self.session.take() {
                    self.socket.write(message(dialect, packet))?;
                }
                self.socket.flush()?;
            }
        }
        self.socket.close(None)?;
        self.socket.flush()?;
        Ok(())
    }

    fn receive(&mut self, packet: Packet) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match packet {
            Packet::Ping(Probe::Probe) if self.probing => {
                let pong = Packet::Pong(Probe::Probe);
                self.socket.send(message(self.session.dialect, pong))?;
                self.session.set_probed(true);
            }
            Packet::Upgrade if self.probing => {
                self.session.upgrade();
                self.probing = false;
            }
            packet => self.session.receive(packet)?,
        }
        Ok(())
    }
}

fn message(dialect: &dyn Dialect, packet: Packet) -> Message {
    match dialect.encode_frame(packet, false) {
        Frame::Text(text) => Message::text(text),
        Frame::Binary(bytes) => Message::binary(bytes),
    }
}
