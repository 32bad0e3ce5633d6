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

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use siot::{Ack, Builder};
use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(10);

/// Tells the program that this event came. It may have stopped waiting.
fn tell(program: &Sender<&'static str>, event: &'static str) {
    let _ = program.send(event);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("callbacks.rs"), |_| ())?;
    // Registered before it connects, a callback misses nothing.
    let socket = Builder::new(server.url()).auto_connect(false).build()?;
    let (program, came) = channel();

    let (asker, of_news) = (socket.clone(), program.clone());
    socket.on("news", move |event| {
        tell(&of_news, "news");
        println!("news: {}", event.json());
        // Meanwhile no other callback runs.
        let question = asker.timeout(LIMIT / 2).emit_with_ack("sum", (20, 22));
        match question.and_then(Ack::wait::<i64>) {
            Ok(sum) => println!("the server says {sum}, which the callback waited for"),
            Err(error) => println!("the server says nothing: {error:#}"),
        }
    })?;

    let of_questions = program.clone();
    socket.on("question", move |event| {
        tell(&of_questions, "question");
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
        tell(&program, "answer");
    })?;

    socket.connect();
    socket.emit("news", "it rains")?;
    socket.emit("ask", "do you have an umbrella?")?;
    socket.emit("ask", "are you sure?")?;
    socket.wait_connected(LIMIT)?;
    let mut missing = vec!["news", "question", "answer", "question", "answer"];
    while !missing.is_empty() {
        let Ok(event) = came.recv_timeout(LIMIT) else {
            let missing = missing.join(", ");
            return Err(
                format!("the server (has it `news` and `ask`?) did not emit {missing}").into()
            );
        };
        if let Some(place) = missing.iter().position(|missing| *missing == event) {
            missing.remove(place);
        }
    }
    // The callback that owns a clone of the socket would keep the connection open.
    socket.manager().close(LIMIT);
    println!("closed");
    Ok(())
}
