//! A server whose certificate is of an authority of one's own.
//!
//! ```sh
//! cargo run --example custom_ca [-- https://example.com --ca FILE]
//! ```

use std::path::PathBuf;
use std::time::Duration;

use siot::server::Server;
use siot::{Builder, Tls};
use siot_examples::{Arguments, ExampleServer, tls};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("custom_ca.rs"), &["--ca"]);
    let builder = Server::builder().tls(tls::server());
    let server = ExampleServer::of(&arguments, builder, |_| ())?;
    let tls = match arguments.option::<PathBuf>("--ca") {
        // The file is looked at again at each attempt to connect: it may be replaced.
        Some(file) => Tls::new().ca_file(file),
        None => Tls::new().ca_pem(tls::AUTHORITY),
    };

    // Without it, the server is refused, and the error says why and what to do.
    let stranger = Builder::new(server.url()).force_new(true).reconnection(false).build()?;
    match stranger.wait_connected(LIMIT) {
        Ok(()) => println!("its authority is a public one"),
        Err(error) => println!("without the authority: {error:#}"),
    }

    // Only this authority; `built_in_roots(false)` drops the public ones.
    let socket =
        Builder::new(server.url()).force_new(true).tls(tls.built_in_roots(false)).build()?;
    socket.wait_connected(LIMIT)?;
    println!("with the authority: connected");
    Ok(())
}
