//! A server that is faster than any client: a thread for each connection, and of Socket.IO no more than is measured.

use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::{Bytes, Message, WebSocket};

use crate::Result;
use crate::modes::{BLOB, SIZE};

const HANDSHAKE: &str =
    r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Starts it; gives its URL.
pub(crate) fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that leaves is no failure.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    Ok(url)
}

fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = tungstenite::accept(stream)?;
    socket.send(Message::text(HANDSHAKE))?;
    let mut notes = 0;
    loop {
        let Message::Text(packet) = socket.read()? else { continue };
        answer(&mut socket, &packet, &mut notes)?;
    }
}

fn answer(socket: &mut WebSocket<TcpStream>, packet: &str, notes: &mut usize) -> Result<()> {
    if packet.ends_with("]") && packet.starts_with("42[\"note\"") {
        *notes += 1;
        return Ok(());
    }
    if packet.starts_with("40") {
        return Ok(socket.send(Message::text("40{\"sid\":\"s\"}"))?);
    }
    let Some(event) = packet.strip_prefix("42") else { return Ok(()) };
    let (number, event) = event.split_at(event.find('[').unwrap_or(0));
    if let Some(text) = event.strip_prefix("[\"ask\",") {
        socket.send(Message::text(format!("43{number}[{text}")))?;
    } else if event.starts_with("[\"count\"") {
        let had = std::mem::take(notes);
        socket.send(Message::text(format!("43{number}[{had}]")))?;
    } else if let Some(count) = event.strip_prefix("[\"items\",") {
        flood(socket, count.trim_end_matches(']').parse()?)?;
    } else if let Some(count) = event.strip_prefix("[\"blobs\",") {
        flood_of_blobs(socket, count.trim_end_matches(']').parse()?)?;
    }
    Ok(())
}

fn flood(socket: &mut WebSocket<TcpStream>, count: usize) -> Result<()> {
    let item = format!("42[\"item\",\"{}\"]", "x".repeat(SIZE));
    for _ in 0..count {
        // Written in blocks of 128 KiB.
        socket.write(Message::text(item.as_str()))?;
    }
    Ok(socket.send(Message::text("42[\"last\",0]"))?)
}

fn flood_of_blobs(socket: &mut WebSocket<TcpStream>, count: usize) -> Result<()> {
    let blob = Bytes::from(vec![7; BLOB]);
    for _ in 0..count {
        socket.write(Message::text("451-[\"blob\",{\"_placeholder\":true,\"num\":0}]"))?;
        socket.write(Message::Binary(blob.clone()))?;
    }
    Ok(socket.send(Message::text("42[\"last\",0]"))?)
}
