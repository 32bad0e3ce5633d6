//! This library, with its default options but for the transport.

use std::time::Duration;

use siot::{Builder, Socket, Subscription, Transport};

use super::Client;
use crate::Result;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Siot {
    socket: Socket,
    /// Made when it is needed: a connection that gets no events has none.
    items: Option<Subscription>,
}

impl Client for Siot {
    fn connect(url: &str) -> Result<Self> {
        let socket = Builder::new(url).transports([Transport::WebSocket]).build()?;
        socket.wait_connected(LIMIT)?;
        Ok(Self { socket, items: None })
    }

    fn ask(&mut self, text: &str) -> Result<()> {
        let answer: String = self.socket.timeout(LIMIT).emit_with_ack("ask", text)?.wait()?;
        if answer.len() < text.len() {
            return Err(format!("the answer is {answer}").into());
        }
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.emit("note", text)?)
    }

    fn count_notes(&mut self) -> Result<usize> {
        Ok(self.socket.timeout(LIMIT).emit_with_ack("count", ())?.wait()?)
    }

    fn take_items(&mut self, count: usize) -> Result<usize> {
        let items = match self.items.take() {
            Some(items) => items,
            None => self.socket.subscribe_any(),
        };
        self.socket.emit("items", count)?;
        let mut taken = 0;
        loop {
            let event = items.recv_timeout(LIMIT)?;
            if event.name() == "last" {
                self.items = Some(items);
                return Ok(taken);
            }
            let text: String = event.args()?;
            taken += usize::from(!text.is_empty());
        }
    }

    fn close(self) -> Result<()> {
        let undelivered = self.socket.manager().close(LIMIT);
        if undelivered.is_empty() { Ok(()) } else { Err("events are left".into()) }
    }
}
