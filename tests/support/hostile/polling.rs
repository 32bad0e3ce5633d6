//! A hostile session over long-polling: each order is one response.

use std::io::{self, Write};

use crossbeam_channel::never;

use super::order::{Order, in_large_pieces};
use super::{HostileSession, RawConnection};
use crate::support::raw::RawRequest;

const TEXT: &str = "Content-Type: text/plain; charset=UTF-8\r\n";

/// Answers one request.
pub(super) fn serve(
    connection: &mut RawConnection,
    request: &RawRequest,
    session: &HostileSession,
) -> io::Result<()> {
    if request.method == "POST" {
        session.0.gate.pass();
        for (packet, bytes) in session.framing().read(&request.body) {
            session.arrived(&packet, bytes);
        }
        return connection.respond(200, "Content-Type: text/html\r\n", b"ok");
    }
    if request.parameter("sid").is_none() {
        let packets = session.greeting(&["websocket"]);
        let mut body = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            session.framing().write(&mut body, n, packet)?;
        }
        return connection.respond(200, TEXT, &body);
    }
    answer(connection, session)
}

/// Answers a poll with the next thing to do.
fn answer(connection: &mut RawConnection, session: &HostileSession) -> io::Result<()> {
    let ended = never();
    loop {
        match session.next_order(&ended) {
            Some(Order::Packets { count, length, make }) if count > 0 => {
                let framing = session.framing();
                begin(connection, framing.body_length(count, length))?;
                let mut body = in_large_pieces(connection.stream());
                for n in 0..count {
                    framing.write(&mut body, n, &make(n))?;
                }
                return body.flush();
            }
            Some(Order::Stall(bytes)) => {
                let framing = session.framing();
                begin(connection, framing.body_length(1, 2 * bytes))?;
                framing.write_half(&mut connection.stream(), bytes)?;
                session.wait_for_end(&ended);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            None | Some(Order::HangUp) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Order::Frames(_)) => panic!("this session is not on WebSocket"),
            // Who waits for it may have gone.
            Some(Order::Tell(waiting)) => drop(waiting.send(())),
            Some(Order::Packets { .. }) => {}
        }
    }
}

fn begin(connection: &mut RawConnection, length: usize) -> io::Result<()> {
    connection
        .write(format!("HTTP/1.1 200 OK\r\n{TEXT}Content-Length: {length}\r\n\r\n").as_bytes())
}
