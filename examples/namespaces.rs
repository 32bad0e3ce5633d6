//! Several namespaces over one connection.
//!
//! ```sh
//! cargo run --example namespaces [-- URL]
//! ```
//!
//! A server of yours needs the namespaces `/orders`, `/chat`, `/a` and `/b`, the first two with the events
//! `news` (emits `news` with the same arguments) and `sum` (acknowledges with the sum of its arguments).

use std::collections::HashSet;
use std::time::Duration;

use siot::{Builder, Socket};
use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("namespaces.rs"), |_| ())?;
    // The path of the URL is the namespace. The two share a connection by themselves.
    let orders = siot::io(&format!("{}/orders", server.url()))?;
    let chat = siot::io(&format!("{}/chat", server.url()))?;
    orders.wait_connected(LIMIT)?;
    chat.wait_connected(LIMIT)?;
    println!("/orders and /chat: {} connection", connections(&[&orders, &chat]));

    // Each has events of its own.
    let new_orders = orders.subscribe("news");
    let chatter = chat.subscribe("news");
    orders.emit("news", "three apples")?;
    chat.emit("news", "hi there")?;
    println!("order: {}", new_orders.recv_timeout(LIMIT)?.args::<String>()?);
    println!("chat: {}", chatter.recv_timeout(LIMIT)?.args::<String>()?);

    // One can leave, and the other stays.
    chat.disconnect();
    let sum: i64 = orders.timeout(LIMIT).emit_with_ack("sum", (2, 3))?.wait()?;
    println!("chat is connected: {}; orders still count: {sum}", chat.is_connected());

    // Who wants a connection of its own can have it, and manage it.
    let manager = Builder::new(server.url()).manager()?;
    let (a, b) = (manager.socket("/a")?, manager.socket("/b")?);
    a.wait_connected(LIMIT)?;
    b.wait_connected(LIMIT)?;
    println!("with /a and /b: {} connections", connections(&[&orders, &a, &b]));
    manager.close(LIMIT);
    println!("/a is connected: {}, orders: {}", a.is_connected(), orders.is_connected());
    Ok(())
}

/// Over how many connections sockets run.
fn connections(sockets: &[&Socket]) -> usize {
    let engines = sockets.iter().filter_map(|socket| socket.manager().engine()?.id);
    engines.collect::<HashSet<_>>().len()
}
