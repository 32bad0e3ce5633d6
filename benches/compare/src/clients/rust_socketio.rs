//! The blocking client of the crate `rust_socketio`, over WebSocket alone. Its events come by callbacks only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rust_socketio::client::Client as Socket;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

use super::Client;
use crate::Result;
use crate::modes::BLOB;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct RustSocketIo {
    socket: Socket,
    items: Arc<AtomicUsize>,
    last: Receiver<()>,
}

impl RustSocketIo {
    /// Emits an event, and gives the first argument of its acknowledgement.
    fn request(&self, event: &str, argument: Value) -> Result<Value> {
        let (answers, answer) = channel();
        let take = move |payload: Payload, _| {
            let Payload::Text(values) = payload else { return };
            let first = match values.into_iter().next() {
                Some(Value::Array(values)) => values.into_iter().next(),
                other => other,
            };
            // Whoever has given up does not listen any more.
            let _ = answers.send(first.unwrap_or_default());
        };
        self.socket.emit_with_ack(event, argument, LIMIT, take)?;
        Ok(answer.recv_timeout(LIMIT)?)
    }

    /// Asks for so many events, and waits until all have come; gives how many did.
    fn take(&self, what: &str, count: usize) -> Result<usize> {
        self.items.store(0, Ordering::Relaxed);
        self.socket.emit(what, json!(count))?;
        self.last.recv_timeout(LIMIT)?;
        Ok(self.items.load(Ordering::Relaxed))
    }
}

fn tell(whom: &Sender<()>) {
    // Whoever has given up does not listen any more.
    let _ = whom.send(());
}

impl Client for RustSocketIo {
    fn connect(url: &str) -> Result<Self> {
        let (opened, open) = channel();
        let (ended, last) = channel();
        let items = Arc::new(AtomicUsize::new(0));
        let (counter, counter_of_blobs) = (Arc::clone(&items), Arc::clone(&items));
        let socket = ClientBuilder::new(url)
            .transport_type(TransportType::Websocket)
            .on(Event::Connect, move |_, _| tell(&opened))
            .on("item", move |payload, _| {
                let Payload::Text(values) = payload else { return };
                let is_text = values.first().and_then(Value::as_str).is_some();
                counter.fetch_add(usize::from(is_text), Ordering::Relaxed);
            })
            .on("blob", move |payload, _| {
                let Payload::Binary(blob) = payload else { return };
                counter_of_blobs.fetch_add(usize::from(blob.len() == BLOB), Ordering::Relaxed);
            })
            .on("last", move |_, _| tell(&ended))
            .connect()?;
        open.recv_timeout(LIMIT)?;
        Ok(Self { socket, items, last })
    }

    fn ask(&mut self, text: &str) -> Result<()> {
        let answer = self.request("ask", json!(text))?;
        if answer.as_str().is_none_or(|answer| answer.len() < text.len()) {
            return Err(format!("the answer is {answer}").into());
        }
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.emit("note", json!(text))?)
    }

    fn count_notes(&mut self) -> Result<usize> {
        let count = self.request("count", json!([]))?;
        Ok(usize::try_from(count.as_u64().ok_or("no number")?)?)
    }

    fn take_items(&mut self, count: usize) -> Result<usize> {
        self.take("items", count)
    }

    fn take_blobs(&mut self, count: usize) -> Result<usize> {
        self.take("blobs", count)
    }

    fn close(self) -> Result<()> {
        Ok(self.socket.disconnect()?)
    }
}
