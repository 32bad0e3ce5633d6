//! Receiving by callbacks, on a thread of siot's. They may do whatever other code may: block, emit,
//! wait for acknowledgements.
//!
//! ```sh
//! cargo run --example callbacks [-- URL]
//! ```
//!
//! A server of yours needs the events `sum` (acknowledges with the sum of its arguments), `news` (emits
//! `news` with the same arguments) and `ask` (emits `question` with the same arguments, and what it is
//! acknowledged with as `answer`).

use std::sync::mpsc::channel;
use std::time::Duration;

use siot::{Ack, Builder};
use siot_examples::Server;
use siot_examples::peer::Peer;

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(include_str!("callbacks.rs"), Peer::options())?;
    // Registered before it connects, a callback misses nothing.
    let socket = Builder::new(server.url()).auto_connect(false).build()?;
    let (done, wait) = channel();

    let asker = socket.clone();
    socket.on("news", move |event| {
        println!("news: {}", event.json());
        let question = asker.timeout(LIMIT).emit_with_ack("sum", (20, 22));
        match question.and_then(Ack::wait::<i64>) {
            Ok(sum) => println!("the server says {sum}, which the callback waited for"),
            Err(error) => println!("the server says nothing: {error:#}"),
        }
    })?;

    socket.on("question", |event| {
        println!("question: {}", event.json());
        if let Err(error) = event.ack("yes") {
            println!("cannot answer: {error:#}");
        }
    })?;

    // One callback at a time runs, so that a counter needs no lock.
    let mut count = 0;
    socket.on("answer", move |event| {
        count += 1;
        println!("answer {count}: {}", event.json());
        if count == 2 {
            // The program may have stopped waiting.
            let _ = done.send(());
        }
    })?;

    socket.connect();
    socket.emit("news", "it rains")?;
    socket.emit("ask", "do you have an umbrella?")?;
    socket.emit("ask", "are you sure?")?;
    wait.recv_timeout(LIMIT)?;
    // The callback that owns a clone of the socket would keep the connection open.
    socket.manager().close(LIMIT);
    println!("closed");
    Ok(())
}
