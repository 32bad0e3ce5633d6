//! This library, with its default options but for the transport.

use std::time::Duration;

use siot::{Binary, Builder, Event, Socket, Subscription, Transport};

use super::Client;
use crate::Result;
use crate::modes::BLOB;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Siot {
    socket: Socket,
    /// Made when it is needed: a connection that gets no events has none.
    items: Option<Subscription>,
}

impl Siot {
    /// Asks for so many events, and waits until all have come; gives how many were as they should be.
    fn take(
        &mut self,
        what: &str,
        count: usize,
        is_right: impl Fn(&Event) -> Result<bool>,
    ) -> Result<usize> {
        let items = match self.items.take() {
            Some(items) => items,
            None => self.socket.subscribe_any(),
        };
        self.socket.emit(what, count)?;
        let mut taken = 0;
        loop {
            let event = items.recv_timeout(LIMIT)?;
            if event.name() == "last" {
                self.items = Some(items);
                return Ok(taken);
            }
            taken += usize::from(is_right(&event)?);
        }
    }
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
        self.take("items", count, |item| {
            let text: String = item.args()?;
            Ok(!text.is_empty())
        })
    }

    fn take_blobs(&mut self, count: usize) -> Result<usize> {
        self.take("blobs", count, |blob| {
            let blob: Binary = blob.args()?;
            Ok(blob.len() == BLOB)
        })
    }

    fn close(self) -> Result<()> {
        let undelivered = self.socket.manager().close(LIMIT);
        if undelivered.is_empty() { Ok(()) } else { Err("events are left".into()) }
    }
}
