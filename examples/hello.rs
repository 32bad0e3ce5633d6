//! Talks to a Socket.IO server: the one whose URL is given, or one that is started here.
//!
//! ```sh
//! cargo run --example hello [-- URL]
//! ```
//!
//! A server of yours needs the events `echo` (emits `echo` with the same arguments) and `sum` (acknowledges with
//! the sum of its arguments) to answer all of this.

use std::time::Duration;

use siot::{Binary, Builder, Result, Value};
use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(2);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("hello.rs"), |_| ())?;
    Ok(talk(server.url())?)
}

fn talk(url: &str) -> Result<()> {
    // Subscribed before it connects, a socket misses nothing.
    let socket = Builder::new(url).auto_connect(false).build()?;
    let echoes = socket.subscribe("echo");
    socket.connect();
    socket.wait_connected(Duration::from_secs(10))?;
    println!("connected to {url} as {}", socket.id().unwrap_or_default());

    // An event with two arguments; the server sends it back.
    socket.emit("echo", ("hello", 42))?;
    match echoes.recv_timeout(LIMIT) {
        Ok(event) => {
            let (text, number): (String, u32) = event.args()?;
            println!("event: {} came back with {text:?} and {number}", event.name());
        }
        Err(error) => println!("event: no echo ({error})"),
    }

    // An event that the server acknowledges.
    match socket.timeout(LIMIT).emit_with_ack("sum", (1, 2, 3))?.wait::<i64>() {
        Ok(sum) => println!("ack: the server says that 1 + 2 + 3 = {sum}"),
        Err(error) => println!("ack: no sum ({error})"),
    }

    // Binary data may stand anywhere, here beside a text.
    socket.emit("echo", ("photo.jpg", Binary::from([0xff, 0xd8, 0xff, 0xe0])))?;
    match echoes.recv_timeout(LIMIT) {
        Ok(event) => println!("binary: {} and {}", event.arg::<Value>(0)?, event.arg::<Value>(1)?),
        Err(error) => println!("binary: no echo ({error})"),
    }

    // Waits until all is sent and the server knows.
    socket.manager().close(LIMIT);
    println!("done");
    Ok(())
}
