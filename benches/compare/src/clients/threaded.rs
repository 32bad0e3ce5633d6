//! The practical limit with the threads that a blocking library has: each connection has one, which connects, reads, and hands on
//! what comes by a channel; whoever has the client writes. What it takes more than [`Raw`] is the price of a second thread,
//! whatever else a library does.

use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::by_hand::Wire;
use super::raw::Raw;
use crate::Result;

pub(crate) struct Threaded {
    /// The half that writes. The other one writes as well, its answers to heartbeats, for which no measurement lasts long enough; frames
    /// that got mixed would fail it.
    socket: WebSocket<TcpStream>,
    packets: Receiver<Message>,
    thread: JoinHandle<()>,
}

impl Wire for Threaded {
    fn open(url: &str) -> Result<Self> {
        let url = url.to_owned();
        let (opened, stream) = channel();
        let (packet, packets) = channel();
        let thread = thread::spawn(move || {
            let raw = Raw::open(&url).and_then(|raw| Ok((raw.stream()?, raw)));
            match raw {
                Ok((stream, raw)) => {
                    if opened.send(Ok(stream)).is_ok() {
                        hand_on(raw, &packet);
                    }
                }
                Err(error) => drop(opened.send(Err(error.to_string()))),
            }
        });
        let stream = stream.recv()??;
        Ok(Self { socket: WebSocket::from_raw_socket(stream, Role::Client, None), packets, thread })
    }

    fn send(&mut self, packet: String) -> Result<()> {
        Ok(self.socket.send(Message::text(packet))?)
    }

    fn gather(&mut self, packet: String) -> Result<()> {
        Ok(self.socket.write(Message::text(packet))?)
    }

    fn receive(&mut self) -> Result<Message> {
        Ok(self.packets.recv()?)
    }

    fn close(mut self) -> Result<()> {
        self.send("41".to_owned())?;
        self.socket.close(None)?;
        self.thread.join().map_err(|_| "the thread panicked".into())
    }
}

/// Until the server has closed the connection, or nobody wants what comes.
fn hand_on(mut raw: Raw, packets: &Sender<Message>) {
    while let Ok(packet) = raw.receive() {
        if packets.send(packet).is_err() {
            return;
        }
    }
}
