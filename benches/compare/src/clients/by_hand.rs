//! The frames that these measurements need, made by hand.

use serde::de::IgnoredAny;
use tungstenite::{Message, Utf8Bytes};

use super::Client;
use crate::Result;
use crate::modes::BLOB;

/// A WebSocket on which the namespace `/` is joined.
pub(crate) trait Wire: Sized {
    fn open(url: &str) -> Result<Self>;

    /// Writes a packet at once.
    fn send(&mut self, packet: String) -> Result<()>;

    /// Writes packets when there are 128 KiB of them, or with the next that is sent at once.
    fn gather(&mut self, packet: String) -> Result<()>;

    /// The next packet that is no heartbeat.
    fn receive(&mut self) -> Result<Message>;

    fn close(self) -> Result<()>;
}

/// A client that has no queue, and keeps nothing of what it has sent.
pub(crate) struct ByHand<W> {
    wire: W,
    acks: u64,
}

impl<W: Wire> ByHand<W> {
    /// The next packet that is a text.
    fn text(&mut self) -> Result<Utf8Bytes> {
        loop {
            if let Message::Text(packet) = self.wire.receive()? {
                return Ok(packet);
            }
        }
    }

    /// Emits an event, and gives the arguments of its acknowledgement.
    fn request(&mut self, event: &str) -> Result<String> {
        self.acks += 1;
        let number = self.acks;
        self.wire.send(format!("42{number}{event}"))?;
        let head = format!("43{number}");
        loop {
            if let Some(answer) = self.text()?.strip_prefix(&head) {
                return Ok(answer.to_owned());
            }
        }
    }
}

impl<W: Wire> Client for ByHand<W> {
    fn connect(url: &str) -> Result<Self> {
        let url = url.replacen("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket";
        Ok(Self { wire: W::open(&url)?, acks: 0 })
    }

    fn ask(&mut self, text: &str) -> Result<()> {
        let answer = self.request(&serde_json::to_string(&("ask", text))?)?;
        let [answer]: [String; 1] = serde_json::from_str(&answer)?;
        if answer.len() < text.len() {
            return Err(format!("the answer is {answer}").into());
        }
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        self.wire.gather("42".to_owned() + &serde_json::to_string(&("note", text))?)
    }

    fn count_notes(&mut self) -> Result<usize> {
        let [count] = serde_json::from_str(&self.request("[\"count\"]")?)?;
        Ok(count)
    }

    fn take_items(&mut self, count: usize) -> Result<usize> {
        self.wire.send(format!("42[\"items\",{count}]"))?;
        let mut taken = 0;
        loop {
            let packet = self.text()?;
            let Some(event) = packet.strip_prefix("42") else { continue };
            if event == "[\"last\",0]" {
                return Ok(taken);
            }
            let (_, text): (String, String) = serde_json::from_str(event)?;
            taken += usize::from(!text.is_empty());
        }
    }

    fn take_blobs(&mut self, count: usize) -> Result<usize> {
        self.wire.send(format!("42[\"blobs\",{count}]"))?;
        let mut taken = 0;
        loop {
            match self.wire.receive()? {
                Message::Binary(blob) => taken += usize::from(blob.len() == BLOB),
                Message::Text(packet) => match packet.strip_prefix("451-") {
                    Some(event) => {
                        serde_json::from_str::<IgnoredAny>(event)?;
                    }
                    None if packet.as_str() == "42[\"last\",0]" => return Ok(taken),
                    None => {}
                },
                _ => {}
            }
        }
    }

    fn close(self) -> Result<()> {
        self.wire.close()
    }
}
