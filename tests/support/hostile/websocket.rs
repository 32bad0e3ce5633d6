//! A hostile session over WebSocket, from its start or from an upgrade: one thread reads, another writes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::order::{Order, described, in_large_pieces};
use super::{HostileSession, RawConnection};
use crate::support::raw::RawRequest;

/// The first byte of a text frame.
const TEXT: u8 = 0x81;

/// Serves a session until the client leaves or the server ends.
pub(super) fn serve(
    connection: RawConnection,
    request: &RawRequest,
    session: &HostileSession,
) -> io::Result<()> {
    let (stream, early) = connection.upgrade_stream(request)?;
    stream.set_nodelay(true)?;
    let ear = Ear { stream: &stream, session, speaks: true };
    let mut socket = WebSocket::from_partially_read(ear, early, Role::Server, None);
    if request.parameter("sid").is_some() {
        take_over(&mut socket, session).map_err(io::Error::other)?;
    } else {
        for packet in session.greeting(&[]) {
            socket.send(Message::text(packet)).map_err(io::Error::other)?;
        }
    }
    socket.get_mut().speaks = false;
    let (end, ended) = unbounded::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            // The client may have left.
            let _ = write(&stream, session, &ended);
            let _ = stream.shutdown(Shutdown::Both);
        });
        listen(&mut socket, session);
        drop(end);
    });
    Ok(())
}

/// How soon a poll that waits is ended during an upgrade, as servers do it.
const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// Lets a session of long-polling come over.
fn take_over(socket: &mut WebSocket<Ear<'_>>, session: &HostileSession) -> tungstenite::Result<()> {
    let stream = socket.get_ref().stream;
    loop {
        match socket.read() {
            Ok(message) => match message.to_text()? {
                "2probe" => {
                    session.0.probe.pass();
                    socket.send(Message::text("3probe"))?;
                    stream.set_read_timeout(Some(NOOP_INTERVAL))?;
                    session.send("6");
                }
                "5" => return Ok(stream.set_read_timeout(None)?),
                other => panic!("no packet of an upgrade: {other}"),
            },
            // The poll that waited may have ended before the answer to the probe was there.
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                session.send("6");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Notes what arrives until the client leaves.
fn listen(socket: &mut WebSocket<Ear<'_>>, session: &HostileSession) {
    while let Ok(message) = socket.read() {
        match message {
            Message::Text(text) => session.arrived(text.as_str(), text.len()),
            Message::Binary(bytes) => {
                // An old client puts the type of the packet before it.
                let length = bytes.len() - usize::from(session.0.options.old);
                let (packet, length) = described(length);
                session.arrived(&packet, length);
            }
            Message::Close(_) => session.said_goodbye(),
            _ => {}
        }
    }
}

/// Does what is to be done until the client leaves.
fn write(mut stream: &TcpStream, session: &HostileSession, ended: &Receiver<()>) -> io::Result<()> {
    while let Some(order) = session.next_order(ended) {
        match order {
            Order::Packets { count, length, make } => {
                let mut out = in_large_pieces(stream);
                for n in 0..count {
                    out.write_all(&head(length))?;
                    out.write_all(make(n).as_bytes())?;
                }
                out.flush()?;
            }
            Order::Frames(bytes) => stream.write_all(&bytes)?,
            Order::Stall(bytes) => {
                stream.write_all(&head(2 * bytes))?;
                stream.write_all(&vec![b'4'; bytes])?;
                session.wait_for_end(ended);
                return Ok(());
            }
            Order::HangUp => return Ok(()),
            // Who waits for it may have gone.
            Order::Tell(waiting) => drop(waiting.send(())),
        }
    }
    Ok(())
}

/// What stands before a text of this length.
fn head(length: usize) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => vec![TEXT, short],
        (_, Ok(long)) => [&[TEXT, 126][..], &long.to_be_bytes()].concat(),
        _ => [&[TEXT, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// What tungstenite has of the connection: it reads, and what it says by itself (pongs) waits for its
/// turn behind what the session is told to do, once another thread writes that.
struct Ear<'a> {
    stream: &'a TcpStream,
    session: &'a HostileSession,
    /// Whether it is the only one that writes.
    speaks: bool,
}

impl Read for Ear<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.0.gate.pass();
        self.stream.read(buffer)
    }
}

impl Write for Ear<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.speaks {
            return self.stream.write(bytes);
        }
        if !self.session.0.options.deaf {
            self.session.order(Order::Frames(bytes.to_vec()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
