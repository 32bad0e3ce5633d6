//! A device that identifies itself by a certificate.
//!
//! ```sh
//! cargo run --example client_cert [-- https://example.com --cert FILE --key FILE] [--ca FILE]
//! ```
//!
//! `--ca` is for a server whose certificate is of an authority of your own.

use std::path::PathBuf;
use std::time::Duration;

use siot::server::Server;
use siot::{Builder, Tls};
use siot_examples::{Arguments, ExampleServer, tls};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("client_cert.rs"), &["--cert", "--key", "--ca"]);
    let builder = Server::builder().tls(tls::server().client_ca_pem(tls::AUTHORITY));
    let server = ExampleServer::of(&arguments, builder, |_| ())?;
    let file = |option| arguments.option::<PathBuf>(option);
    let without = match file("--ca") {
        Some(file) => Tls::new().ca_file(file),
        None if arguments.url().is_some() => Tls::new(),
        None => Tls::new().ca_pem(tls::AUTHORITY),
    };
    let with = match (file("--cert"), file("--key")) {
        // Both files are looked at again at each attempt to connect: a renewed certificate is
        // taken up without a restart. An encrypted key needs `Tls::passphrase` and the feature
        // `encrypted-keys`.
        (Some(cert), Some(key)) => without.clone().client_cert_files(cert, key),
        (None, None) => without.clone().client_cert_pem(tls::DEVICE.0, tls::DEVICE.1),
        _ => arguments.fail("--cert and --key go together"),
    };

    for (what, tls) in [("without a certificate", without), ("with a certificate", with)] {
        let socket =
            Builder::new(server.url()).force_new(true).reconnection(false).tls(tls).build()?;
        match socket.wait_connected(LIMIT) {
            Ok(()) => println!("{what}: connected"),
            Err(error) => println!("{what}: {error:#}"),
        }
    }
    Ok(())
}
