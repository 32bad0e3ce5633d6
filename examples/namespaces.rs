//! Several namespaces over one connection.

mod peer;

use std::time::Duration;

use siot::Builder;

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let peer = peer::Peer::start()?;
    // The path of the URL is the namespace. The two share a connection by themselves.
    let orders = siot::io(&format!("{}/orders", peer.url()))?;
    let chat = siot::io(&format!("{}/chat", peer.url()))?;
    orders.wait_connected(LIMIT)?;
    chat.wait_connected(LIMIT)?;
    println!("{} and {}: {} connection", orders.namespace(), chat.namespace(), peer.sessions());

    // Each has events of its own.
    let new_orders = orders.subscribe("news");
    let chatter = chat.subscribe("news");
    peer.emit("/orders", "news", "three apples")?;
    peer.emit("/chat", "news", "hi there")?;
    println!("order: {}", new_orders.recv_timeout(LIMIT)?.args::<String>()?);
    println!("chat: {}", chatter.recv_timeout(LIMIT)?.args::<String>()?);

    // One can leave, and the other stays.
    chat.disconnect();
    let sum: i64 = orders.timeout(LIMIT).emit_with_ack("sum", (2, 3))?.wait()?;
    println!("chat is connected: {}; orders still count: {sum}", chat.is_connected());

    // Who wants a connection of its own can have it, and manage it.
    let manager = Builder::new(peer.url()).manager()?;
    let (a, b) = (manager.socket("/a")?, manager.socket("/b")?);
    a.wait_connected(LIMIT)?;
    b.wait_connected(LIMIT)?;
    println!("with /a and /b: {} connections", peer.sessions());
    manager.close(LIMIT);
    println!("/a is connected: {}, orders: {}", a.is_connected(), orders.is_connected());
    Ok(())
}
