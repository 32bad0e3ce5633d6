//! The practical limit: a WebSocket by itself, without a thread and without a heartbeat of its own.

use std::net::TcpStream;

use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use super::by_hand::Wire;
use crate::Result;

pub(crate) struct Raw(WebSocket<MaybeTlsStream<TcpStream>>);

impl Raw {
    /// Its stream, for another to write to.
    pub(super) fn stream(&self) -> Result<TcpStream> {
        match self.0.get_ref() {
            MaybeTlsStream::Plain(stream) => Ok(stream.try_clone()?),
            _ => Err("the stream is not a plain one".into()),
        }
    }
}

impl Wire for Raw {
    fn open(url: &str) -> Result<Self> {
        let (mut socket, _) = tungstenite::connect(url)?;
        if let MaybeTlsStream::Plain(stream) = socket.get_mut() {
            stream.set_nodelay(true)?;
        }
        let mut raw = Self(socket);
        raw.receive()?;
        raw.send("40".to_owned())?;
        raw.receive()?;
        Ok(raw)
    }

    fn send(&mut self, packet: String) -> Result<()> {
        Ok(self.0.send(Message::text(packet))?)
    }

    fn gather(&mut self, packet: String) -> Result<()> {
        Ok(self.0.write(Message::text(packet))?)
    }

    fn receive(&mut self) -> Result<Message> {
        loop {
            match self.0.read()? {
                Message::Text(packet) if packet.as_str() == "2" => self.send("3".to_owned())?,
                packet @ (Message::Text(_) | Message::Binary(_)) => return Ok(packet),
                _ => {}
            }
        }
    }

    fn close(mut self) -> Result<()> {
        self.send("41".to_owned())?;
        self.0.close(None)?;
        Ok(())
    }
}
