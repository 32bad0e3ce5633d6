//! The frames that these measurements need, made by hand.

use tungstenite::Utf8Bytes;

use super::Client;
use crate::Result;

/// A WebSocket on which the namespace `/` is joined.
pub(crate) trait Wire: Sized {
    fn open(url: &str) -> Result<Self>;

    /// Writes a packet at once.
    fn send(&mut self, packet: String) -> Result<()>;

    /// Writes packets when there are 128 KiB of them, or with the next that is sent at once.
    fn gather(&mut self, packet: String) -> Result<()>;

    /// The next packet that is no heartbeat.
    fn receive(&mut self) -> Result<Utf8Bytes>;

    fn close(self) -> Result<()>;
}

/// A client that has no queue, and keeps nothing of what it has sent.
pub(crate) struct ByHand<W> {
    wire: W,
    acks: u64,
}

impl<W: Wire> ByHand<W> {
    /// Emits an event, and gives the arguments of its acknowledgement.
    fn request(&mut self, event: &str) -> Result<String> {
        self.acks += 1;
        let number = self.acks;
        self.wire.send(format!("42{number}{event}"))?;
        let head = format!("43{number}");
        loop {
            if let Some(answer) = self.wire.receive()?.strip_prefix(&head) {
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
            let packet = self.wire.receive()?;
            let Some(event) = packet.strip_prefix("42") else { continue };
            if event == "[\"last\",0]" {
                return Ok(taken);
            }
            let (_, text): (String, String) = serde_json::from_str(event)?;
            taken += usize::from(!text.is_empty());
        }
    }

    fn close(self) -> Result<()> {
        self.wire.close()
    }
}
