//! A server for an asynchronous runtime, with its default options.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};

use super::TOLD;
use crate::Result;

async fn welcome(socket: SocketRef) {
    let notes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&notes);
    socket.on("ask", async |Data::<Value>(question), ack: AckSender| drop(ack.send(&question)));
    socket.on("note", move |Data::<Value>(_)| {
        notes.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    });
    socket.on("count", move |ack: AckSender| {
        let counted = Arc::clone(&counted);
        async move {
            drop(ack.send(&counted.swap(0, Ordering::Relaxed)));
        }
    });
    socket.on("tell", async |io: SocketIo, Data::<usize>(times)| {
        let text = "x".repeat(TOLD);
        for _ in 0..times {
            // One that is behind loses it, which the client finds out.
            drop(io.emit("told", &text).await);
        }
    });
}

pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (layer, io) = SocketIo::new_layer();
        io.ns("/", welcome);
        let app = axum::Router::new().layer(layer);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, app).await?;
        Ok(())
    })
}
