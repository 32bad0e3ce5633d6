//! Talks to a server of the age of socket.io 1.x and 2.x, or to any other: the one whose URL is given,
//! or one that is started here.
//!
//! ```sh
//! cargo run --example legacy_server [-- URL]
//! ```
//!
//! A server of yours needs the event `echo`, which emits `echo` with the same arguments and acknowledges with them,
//! and the namespace `/orders`.

use std::time::Duration;

use serde_json::json;
use siot::{Builder, Manager, Result, Revision, SocketOptions, Value};
use siot_examples::{Arguments, ExampleServer};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("legacy_server.rs"), &[]);
    let server = ExampleServer::of_old(&arguments, |server| {
        // Asked before the client is answered.
        server.authorize(|socket| {
            println!("  server: / is asked for, with the query {}", socket.handshake().query());
            Ok(())
        });
        server.of("/orders").authorize(|socket| {
            let auth = socket.handshake().auth_json();
            println!("  server: /orders is asked for, with the credentials {auth}");
            Ok(())
        });
    })?;
    Ok(talk(server.url())?)
}

fn talk(url: &str) -> Result<()> {
    // What the server speaks is known by its first answer. Old servers take credentials as a query.
    let manager = Builder::new(url).query("token", "of the URL").manager()?;
    let socket = manager.socket("/")?;
    socket.wait_connected(LIMIT)?;
    println!("found: {}", revision(&manager));

    // From here on nothing differs.
    let echoes = socket.subscribe("echo");
    socket.emit("echo", ("€", 42))?;
    match echoes.recv_timeout(LIMIT) {
        Ok(event) => println!("event: {} came back with {}", event.name(), event.json()),
        Err(error) => println!("event: no echo ({error})"),
    }
    match socket.timeout(LIMIT).emit_with_ack("echo", "again")?.wait::<Value>() {
        Ok(answer) => println!("ack: {answer}"),
        Err(error) => println!("ack: none ({error})"),
    }

    // The credentials of a namespace go to old servers as a query of its own.
    let options = SocketOptions::new().auth(json!({ "token": "of the namespace" }));
    let orders = manager.socket_with("/orders", options)?;
    match orders.wait_connected(LIMIT) {
        Ok(()) => println!("namespace: {} is joined", orders.namespace()),
        Err(error) => println!("namespace: {error}"),
    }
    manager.close(LIMIT);

    // Who knows what the server speaks can say so: then nothing is found out, or doubted.
    let told = Builder::new(url).revision(Revision::V3).reconnection(false).manager()?;
    let socket = told.socket("/")?;
    match socket.wait_connected(LIMIT) {
        Ok(()) => println!("told: {}", revision(&told)),
        Err(error) => println!("told: {error}"),
    }
    told.close(LIMIT);
    println!("done");
    Ok(())
}

fn revision(manager: &Manager) -> String {
    match manager.engine() {
        Some(engine) => format!("Engine.IO {} over {}", engine.protocol, engine.transport),
        None => "no connection".to_owned(),
    }
}
