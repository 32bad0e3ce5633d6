//! Acknowledgements in both directions.
//!
//! ```sh
//! cargo run --example ack [-- URL]
//! ```
//!
//! A server of yours needs the events `sum` (acknowledges with the sum of its arguments), `echo`
//! (acknowledges with its arguments), `silence` (never acknowledges) and `ask` (emits `question` with the
//! same arguments, and what it is acknowledged with as `answer`).

use std::time::Duration;

use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("ack.rs"), |server| {
        server.on("silence", |_, _| ());
    })?;
    let socket = siot::io(server.url())?;

    // We ask, the server answers.
    let sum: i64 = socket.timeout(LIMIT).emit_with_ack("sum", (1, 2, 3))?.wait()?;
    println!("1 + 2 + 3 = {sum}");

    // An answer may have several values, of any types.
    let echo = socket.timeout(LIMIT).emit_with_ack("echo", ("a", [1, 2], None::<bool>))?;
    let (text, numbers, nothing): (String, Vec<u8>, Option<bool>) = echo.wait()?;
    println!("echo: {text:?}, {numbers:?}, {nothing:?}");

    // Many questions may be under way at a time.
    let sums: Vec<_> = (1..=3)
        .map(|n| socket.timeout(LIMIT).emit_with_ack("sum", (n, n)))
        .collect::<siot::Result<_>>()?;
    for ack in sums {
        println!("the next sum: {}", ack.wait::<i64>()?);
    }

    // A server that does not answer.
    let silence = socket.timeout(Duration::from_millis(200)).emit_with_ack("silence", ())?;
    match silence.wait::<()>() {
        Err(error) if error.is_timeout() => println!("no answer: {error:#}"),
        other => println!("unexpected: {other:?}"),
    }

    // The server asks, we answer.
    let questions = socket.subscribe("question");
    let answers = socket.subscribe("answer");
    socket.emit("ask", "what time is it?")?;
    let question = questions.recv_timeout(LIMIT)?;
    println!("the server asks: {}", question.args::<String>()?);
    question.ack(("tea time", 17))?;
    let (what, hour): (String, u32) = answers.recv_timeout(LIMIT)?.args()?;
    println!("the server has our answer: {what}, {hour}");
    Ok(())
}
