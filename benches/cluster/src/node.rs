//! One server: it joins clients to rooms, and emits when it is told to.

use serde_json::{Value, json};
use siot::server::{RedisAdapter, Server};

/// Serves until it is killed.
pub(crate) fn serve(port: &str, socket: &str) {
    let adapter = RedisAdapter::new(format!("redis+unix://{socket}"));
    let server = Server::builder().adapter(adapter);
    let server = server.bind_with(format!("127.0.0.1:{port}"), handle).expect("a server");
    let _server = server;
    loop {
        std::thread::park();
    }
}

fn handle(server: &Server) {
    let root = server.of("/");
    server.on("join", |socket, event| {
        socket.join(&event.arg::<String>(0)?);
        event.ack(())
    });
    server.on("do", move |_, event| {
        let operation: Value = event.arg(0)?;
        let room = operation["to"][0].as_str().unwrap_or_default();
        let name = operation["event"].as_str().unwrap_or_default();
        match operation["op"].as_str() {
            Some("count") => event.ack(root.count_servers()?),
            Some("flood") => {
                for number in 0..operation["count"].as_u64().unwrap_or(0) {
                    root.to(room).emit(name, (&operation["args"][0], number))?;
                }
                event.ack(json!({}))
            }
            _ => {
                root.to(room).emit(name, &operation["args"][0])?;
                event.ack(json!({}))
            }
        }
    });
}
