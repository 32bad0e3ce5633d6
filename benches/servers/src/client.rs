//! A client that does no more than is measured, so that the server is what takes the time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;
use crate::frames;

/// What takes longer than this is lost.
const LIMIT: Duration = Duration::from_secs(20);

const REQUEST: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// So many, who come in at the same time.
    pub(crate) fn connect(port: u16, count: usize) -> Result<Vec<Self>> {
        let begin = |_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            stream.write_all(REQUEST.as_bytes())?;
            Ok(Self { stream, unread: Vec::new() })
        };
        let mut clients = (0..count).map(begin).collect::<Result<Vec<_>>>()?;
        for client in &mut clients {
            client.pass_head()?;
            client.expect("0{")?;
            client.say("40")?;
        }
        for client in &mut clients {
            client.expect("40{")?;
        }
        Ok(clients)
    }

    fn pass_head(&mut self) -> Result<()> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                self.unread.drain(..at + 4);
                return Ok(());
            }
            self.read_more()?;
        }
    }

    pub(crate) fn say(&mut self, packet: &str) -> Result<()> {
        let mut bytes = Vec::new();
        frames::write_text(packet.as_bytes(), true, &mut bytes);
        self.write(&bytes)
    }

    /// Writes frames.
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames)?)
    }

    /// The next packet, but for heartbeats, which it answers.
    pub(crate) fn hear(&mut self) -> Result<String> {
        loop {
            if let Some((content, end)) = frames::read(&mut self.unread) {
                let packet = String::from_utf8(self.unread[content].to_vec())?;
                self.unread.drain(..end);
                if packet == "2" {
                    self.say("3")?;
                    continue;
                }
                return Ok(packet);
            }
            self.read_more()?;
        }
    }

    /// The next packet is to begin so.
    pub(crate) fn expect(&mut self, begin: &str) -> Result<String> {
        let packet = self.hear()?;
        if packet.starts_with(begin) {
            return Ok(packet);
        }
        Err(format!("{begin:?} was to come, not {packet:?}").into())
    }

    fn read_more(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err("the server has ended the connection".into());
        }
        self.unread.extend(&bytes[..count]);
        Ok(())
    }
}
