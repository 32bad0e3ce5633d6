//! Binary data: alone, beside other arguments, and inside of your own types.
//!
//! ```sh
//! cargo run --example binary [-- URL]
//! ```
//!
//! A server of yours needs the event `echo`: it acknowledges with its arguments, or else emits them as an
//! event `echo`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use siot::{Binary, Value};
use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
struct Photo {
    name: String,
    /// Sent as it is. A `Vec<u8>` would be sent as an array of numbers.
    jpeg: Binary,
    /// For a `Vec<u8>` there is the crate `serde_bytes`.
    #[serde(with = "serde_bytes")]
    thumbnail: Vec<u8>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("binary.rs"), |_| ())?;
    let socket = siot::io(server.url())?;
    let echoes = socket.subscribe("echo");

    // Alone.
    socket.emit("echo", Binary::from([1, 2, 3]))?;
    let bytes: Binary = echoes.recv_timeout(LIMIT)?.args()?;
    println!("alone: {bytes:?}");

    // In a struct, as one argument of two.
    let photo = Photo {
        name: "front door".into(),
        jpeg: Binary::from(vec![0xff; 100_000]),
        thumbnail: vec![0xd8; 1000],
    };
    socket.emit("echo", (7, &photo))?;
    let event = echoes.recv_timeout(LIMIT)?;
    let (number, back): (u32, Photo) = event.args()?;
    println!("{number}: {}, {} and {} bytes", back.name, back.jpeg.len(), back.thumbnail.len());

    // The same event, without knowing its type.
    let value: Value = event.arg(1)?;
    println!("as a value: {value}");
    println!("its jpeg: {:?}", value["jpeg"].as_binary());

    // In an acknowledgement.
    let ack = socket.timeout(LIMIT).emit_with_ack("echo", (Binary::from([9]), "nine"))?;
    let (bytes, text): (Binary, String) = ack.wait()?;
    println!("acknowledged: {bytes:?}, {text:?}");
    Ok(())
}
