//! The practical limit: a WebSocket, and the few frames that these measurements need, made by hand. It has no queue, no
//! heartbeat of its own, no thread, and keeps nothing of what it has sent.

use std::net::TcpStream;

use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use super::Client;
use crate::Result;

pub(crate) struct Raw {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    acks: u64,
}

impl Raw {
    fn send(&mut self, packet: String) -> Result<()> {
        Ok(self.socket.send(Message::text(packet))?)
    }

    /// The next packet that is no heartbeat.
    fn receive(&mut self) -> Result<tungstenite::Utf8Bytes> {
        loop {
            match self.socket.read()? {
                Message::Text(text) if text.as_str() == "2" => self.send("3".to_owned())?,
                Message::Text(text) => return Ok(text),
                _ => {}
            }
        }
    }

    /// Emits an event, and gives the arguments of its acknowledgement.
    fn request(&mut self, event: &str) -> Result<String> {
        self.acks += 1;
        let number = self.acks;
        self.send(format!("42{number}{event}"))?;
        let head = format!("43{number}");
        loop {
            if let Some(answer) = self.receive()?.strip_prefix(&head) {
                return Ok(answer.to_owned());
            }
        }
    }
}

impl Client for Raw {
    fn connect(url: &str) -> Result<Self> {
        let url = url.replacen("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket";
        let (mut socket, _) = tungstenite::connect(url)?;
        if let MaybeTlsStream::Plain(stream) = socket.get_mut() {
            stream.set_nodelay(true)?;
        }
        let mut raw = Self { socket, acks: 0 };
        raw.receive()?;
        raw.send("40".to_owned())?;
        raw.receive()?;
        Ok(raw)
    }

    fn ask(&mut self, text: &str) -> Result<()> {
        let answer = self.request(&serde_json::to_string(&("ask", text))?)?;
        if answer.len() < text.len() {
            return Err(format!("the answer is {answer}").into());
        }
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        let packet = "42".to_owned() + &serde_json::to_string(&("note", text))?;
        // Gathered into blocks of 128 KiB.
        Ok(self.socket.write(Message::text(packet))?)
    }

    fn count_notes(&mut self) -> Result<usize> {
        let [count] = serde_json::from_str(&self.request("[\"count\"]")?)?;
        Ok(count)
    }

    fn take_items(&mut self, count: usize) -> Result<usize> {
        self.send(format!("42[\"items\",{count}]"))?;
        let mut taken = 0;
        loop {
            let packet = self.receive()?;
            let Some(event) = packet.strip_prefix("42") else { continue };
            if event == "[\"last\",0]" {
                return Ok(taken);
            }
            let (_, text): (String, String) = serde_json::from_str(event)?;
            taken += usize::from(!text.is_empty());
        }
    }

    fn close(mut self) -> Result<()> {
        self.send("41".to_owned())?;
        self.socket.close(None)?;
        Ok(())
    }
}
