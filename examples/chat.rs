//! A chat with rooms: a server of its own, and two guests who talk there.
//!
//! ```sh
//! cargo run --example chat [-- URL] [--listen ADDRESS]
//! ```
//!
//! With `--listen 127.0.0.1:3000` it is a server for guests of yours, until SIGTERM or SIGINT. With the URL
//! of such a server the two talk there. Its events: `enter` with a room and a name is acknowledged with the names of
//! all who are in the room; `say` with a text. Others in the room get `entered`, `said` and `left`.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use siot::server::{Server, ServerSocket};
use siot::{Builder, Event};
use siot_examples::{Arguments, until_told};

const LIMIT: Duration = Duration::from_secs(10);

/// What the server knows of a socket that is in a room.
struct Guest {
    name: String,
    room: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(include_str!("chat.rs"), &["--listen"]);
    if let Some(url) = arguments.url() {
        return talk(url);
    }
    let listen: Option<SocketAddr> = arguments.option("--listen");
    let address = listen.unwrap_or(([127, 0, 0, 1], 0).into());
    let server = Server::builder().bind_with(address, serve)?;
    let url = format!("http://{}", server.local_addrs()[0]);
    println!("{url}");
    if listen.is_some() {
        until_told()?;
    } else {
        talk(&url)?;
    }
    // All are told, and have what is left for them.
    println!("closed, and all was read: {}", server.close(LIMIT));
    Ok(())
}

fn serve(server: &Server) {
    server.on("enter", |socket, event| enter(socket, &event));
    server.on("say", |socket, event| say(socket, &event));
    server.on_disconnecting(|socket, _| leave(socket));
}

fn enter(socket: &ServerSocket, event: &Event) -> siot::Result<()> {
    let (room, name): (String, String) = event.args()?;
    leave(socket)?;
    socket.to(&room).emit("entered", &name)?;
    socket.join(&room);
    socket.set_data(Guest { name, room: room.clone() });
    let present = socket.namespace().to(&room).sockets();
    let guests = present.iter().filter_map(ServerSocket::data::<Guest>);
    let mut names: Vec<String> = guests.map(|guest| guest.name.clone()).collect();
    names.sort();
    event.ack(names)
}

fn say(socket: &ServerSocket, event: &Event) -> siot::Result<()> {
    let text: String = event.arg(0)?;
    let Some(guest) = socket.data::<Guest>() else { return Ok(()) };
    // To the others of the room; `socket.namespace().to(…)` would be for this one too.
    socket.to(&guest.room).emit("said", (&guest.name, text)).map(drop)
}

fn leave(socket: &ServerSocket) -> siot::Result<()> {
    let Some(guest) = socket.data::<Guest>() else { return Ok(()) };
    socket.leave(&guest.room);
    socket.to(&guest.room).emit("left", &guest.name).map(drop)
}

fn talk(url: &str) -> Result<(), Box<dyn Error>> {
    // Two guests, and not two sockets of one.
    let connect = || Builder::new(url).force_new(true).build();
    let (ann, ben) = (connect()?, connect()?);
    let [entered, said, left] = ["entered", "said", "left"].map(|event| ann.subscribe(event));

    let enter = |guest: &siot::Socket, room: &str, name: &str| {
        let names = guest.timeout(LIMIT).emit_with_ack("enter", (room, name))?;
        let names: Vec<String> = names.wait()?;
        println!("{name} is in the {room} with {}", names.join(", "));
        Ok::<_, siot::Error>(())
    };
    enter(&ann, "kitchen", "Ann")?;
    enter(&ben, "kitchen", "Ben")?;
    println!("Ann sees {} come", entered.recv_timeout(LIMIT)?.arg::<String>(0)?);
    ben.emit("say", "is there any tea?")?;
    let (name, text): (String, String) = said.recv_timeout(LIMIT)?.args()?;
    println!("Ann hears {name} say: {text}");

    enter(&ben, "garden", "Ben")?;
    println!("Ann sees {} leave", left.recv_timeout(LIMIT)?.arg::<String>(0)?);
    ben.emit("say", "only the birds hear this")?;
    enter(&ben, "kitchen", "Ben")?;
    println!("Ann has heard {} more", said.len());
    ben.manager().close(LIMIT);
    println!("Ann sees {} leave", left.recv_timeout(LIMIT)?.arg::<String>(0)?);
    ann.manager().close(LIMIT);
    Ok(())
}
