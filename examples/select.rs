//! Waiting for several things at a time: events, news of the connection, and an acknowledgement.
//!
//! ```sh
//! cargo run --example select [-- URL]
//! ```
//!
//! A server of yours needs the events `sum` (acknowledges with the sum of its arguments), `news` and
//! `echo` (emit an event of the same name and arguments) and `leave` (disconnects the socket).

use std::time::Duration;

use siot::Status;
use siot::crossbeam_channel::{never, select};
use siot_examples::ExampleServer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("select.rs"), |_| ())?;
    let socket = siot::io(server.url())?;
    let status = socket.status();
    let news = socket.subscribe("news");
    let echoes = socket.subscribe("echo");
    let mut sum = socket.emit_with_ack("sum", (1, 2))?.receiver();
    socket.emit("news", "the sun shines")?;

    loop {
        select! {
            recv(status.receiver()) -> status => match status? {
                Status::Connected { .. } => println!("connected"),
                Status::Disconnected { reason, .. } => {
                    println!("disconnected: {reason}");
                    break;
                }
                other => println!("{other:?}"),
            },
            recv(news.receiver()) -> event => {
                println!("news: {}", event?.args::<String>()?);
                socket.emit("echo", "heard it")?;
            }
            recv(echoes.receiver()) -> event => {
                println!("echo: {}", event?.args::<String>()?);
                // The server will put us out.
                socket.emit("leave", ())?;
            }
            recv(sum) -> reply => {
                println!("1 + 2 = {}", reply??.args::<i64>()?);
                // There is one answer, and none after it.
                sum = never();
            }
            default(Duration::from_secs(10)) => return Err("nothing happened".into()),
        }
    }
    Ok(())
}
