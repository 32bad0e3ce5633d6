//! Through a proxy.
//!
//! ```sh
//! cargo run --example proxy [-- URL] [--proxy http://user:password@proxy.example:3128]
//! ```
//!
//! Without `--proxy`, a small one is started here. A program without [`Builder::proxy`], the environment decides: `https_proxy`, `http_proxy`, `all_proxy`
//! and `no_proxy`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use siot::server::Server;
use siot::{Builder, Proxy};
use siot_examples::{Arguments, ExampleServer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("proxy.rs"), &["--proxy"]);
    let server = ExampleServer::of(&arguments, Server::builder(), |_| ())?;
    let proxy = if let Some(proxy) = arguments.option::<String>("--proxy") {
        Proxy::parse(&proxy)?
    } else {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Proxy::http("127.0.0.1", listener.local_addr()?.port());
        thread::spawn(move || serve(&listener));
        proxy
    };
    println!("through {proxy}");
    let socket = Builder::new(server.url()).proxy(proxy).reconnection(false).build()?;
    socket.wait_connected(Duration::from_secs(10))?;
    println!("connected, as {}", socket.id().unwrap_or_default());
    Ok(())
}

/// The smallest proxy that knows CONNECT; for this example only.
fn serve(listener: &TcpListener) -> io::Result<()> {
    for client in listener.incoming() {
        let mut client = client?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        println!("  the proxy is asked for {target}");
        let mut server = TcpStream::connect(target)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || io::copy(&mut from_client, &mut to_server));
        thread::spawn(move || io::copy(&mut server, &mut client));
    }
    Ok(())
}
