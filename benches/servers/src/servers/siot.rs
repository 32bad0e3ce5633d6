//! Ours, with its default options.

use std::sync::Mutex;

use serde_json::Value;
use siot::Event;
use siot::server::{Server, ServerSocket};

use super::TOLD;
use crate::Result;

/// How many notes a client has sent.
#[derive(Default)]
struct Notes(Mutex<usize>);

impl Notes {
    fn change<R>(socket: &ServerSocket, change: impl FnOnce(&mut usize) -> R) -> R {
        let notes = socket.data::<Self>().unwrap_or_else(|| {
            socket.set_data(Self::default());
            socket.data::<Self>().unwrap_or_default()
        });
        change(&mut notes.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

pub(crate) fn serve() -> Result<()> {
    let server = Server::builder().bind_with(("127.0.0.1", 0), |server| {
        server.on("ask", |_: &ServerSocket, event: Event| {
            let question: Value = event.arg(0)?;
            event.ack((question,))
        });
        server.on("note", |socket: &ServerSocket, event: Event| {
            let _: Value = event.arg(0)?;
            Notes::change(socket, |notes| *notes += 1);
            Ok::<_, siot::Error>(())
        });
        server.on("count", |socket: &ServerSocket, event: Event| {
            event.ack(Notes::change(socket, std::mem::take))
        });
        server.on("tell", |socket: &ServerSocket, event: Event| {
            let text = "x".repeat(TOLD);
            for _ in 0..event.arg::<usize>(0)? {
                socket.namespace().emit("told", &text)?;
            }
            Ok::<_, siot::Error>(())
        });
    })?;
    println!("{}", server.local_addrs()[0].port());
    loop {
        std::thread::park();
    }
}
