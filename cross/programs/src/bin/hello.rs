//! A small but whole program: connects, emits, waits for an acknowledgement, and prints what comes.

#[cfg(feature = "no-backtraces")]
#[path = "../../../no_backtraces.rs"]
mod no_backtraces;

use std::time::Duration;

use siot::{Builder, Result};

fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let socket = Builder::new(url).build()?;
    let news = socket.subscribe("news");
    socket.wait_connected(Duration::from_secs(20))?;
    socket.emit("hello", ("world", 42))?;
    let sum: i64 = socket.timeout(Duration::from_secs(5)).emit_with_ack("sum", (1, 2))?.wait()?;
    println!("1 + 2 = {sum}");
    loop {
        let event = news.recv()?;
        println!("{}: {}", event.name(), event.arg::<String>(0)?);
    }
}
