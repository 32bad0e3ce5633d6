//! A server whose certificate is of an authority of one's own.
//!
//! `cargo run --example custom_ca`, or with a server of yours:
//! `cargo run --example custom_ca -- https://example.com ca.pem`

mod peer;

use std::time::Duration;

use siot::{Builder, Tls};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut server = None;
    let (url, tls) = if let [url, ca] = &args[..] {
        // The file is looked at again at each attempt to connect: it may be replaced.
        (url.clone(), Tls::new().ca_file(ca))
    } else {
        let authority = peer::tls::Authority::new();
        let peer = peer::Peer::options().tls(authority.server(false)?).start()?;
        let url = server.insert(peer).url();
        (url, Tls::new().ca_pem(authority.pem()))
    };

    // Without it, the server is refused, and the error says why and what to do.
    let stranger = Builder::new(&url).force_new(true).reconnection(false).build()?;
    match stranger.wait_connected(LIMIT) {
        Ok(()) => println!("its authority is a public one"),
        Err(error) => println!("without the authority: {error:#}"),
    }

    // Only this authority; `built_in_roots(false)` drops the public ones.
    let socket = Builder::new(&url).force_new(true).tls(tls.built_in_roots(false)).build()?;
    socket.wait_connected(LIMIT)?;
    println!("with the authority: connected");
    Ok(())
}
