//! Talks to a server with `socket.io-msgpack-parser`: the one whose URL is given, or one that is
//! started here.
//!
//! ```sh
//! cargo run --features msgpack --example msgpack [-- URL]
//! ```
//!
//! A server of yours needs the event `echo`, which acknowledges with its arguments.

use std::time::Duration;

use siot::server::Server;
use siot::{Binary, Builder, EngineEvent, PacketType, ParserKind, Result};
use siot_examples::{Arguments, ExampleServer};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("msgpack.rs"), &[]);
    let builder = Server::builder().parser(ParserKind::MessagePack);
    let server = ExampleServer::of(&arguments, builder, |_| ())?;
    Ok(talk(server.url())?)
}

fn talk(url: &str) -> Result<()> {
    // One word, and what the server has: a connection has one parser, and both sides need the same.
    let manager = Builder::new(url).parser(ParserKind::MessagePack).manager()?;
    let socket = manager.socket("/")?;
    socket.wait_connected(LIMIT)?;
    println!("connected as {}", socket.id().unwrap_or_default());

    // The types are those of JSON, and binary. A packet with binary is one message.
    let packets = manager.engine_events();
    let photo = Binary::from([0xff, 0xd8, 0xff, 0xe0]);
    let ack = socket.timeout(LIMIT).emit_with_ack("echo", ("photo.jpg", &photo, 21.5))?;
    let (name, back, number): (String, Binary, f64) = ack.wait()?;
    println!("ack: {name:?}, {back:?}, {number}");
    for event in packets.try_iter() {
        let EngineEvent::Packet(packet) = event else { continue };
        if let (PacketType::Message, Some(bytes)) = (packet.packet_type(), packet.binary()) {
            println!("received: {} bytes of MessagePack", bytes.len());
        }
    }
    manager.close(LIMIT);
    println!("done");
    Ok(())
}
