//! A device that identifies itself by a certificate.
//!
//! `cargo run --example client_cert`, or with a server of yours:
//! `cargo run --example client_cert -- https://example.com cert.pem key.pem [ca.pem]`

mod peer;

use std::time::Duration;

use siot::{Builder, Tls};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut server = None;
    let (url, tls, cert) = if let [url, cert, key, ca @ ..] = &args[..] {
        let tls = ca.iter().fold(Tls::new(), Tls::ca_file);
        // Both files are looked at again at each attempt to connect: a renewed certificate is
        // taken up without a restart. An encrypted key needs `Tls::passphrase` and the feature
        // `encrypted-keys`.
        (url.clone(), tls.clone(), tls.client_cert_files(cert, key))
    } else {
        let authority = peer::tls::Authority::new();
        let peer = peer::Peer::options().tls(authority.server(true)?).start()?;
        let url = server.insert(peer).url();
        let tls = Tls::new().ca_pem(authority.pem());
        let device = authority.issue("device-7");
        (url, tls.clone(), tls.client_cert_pem(device.cert, device.key))
    };

    for (what, tls) in [("without a certificate", tls), ("with a certificate", cert)] {
        let socket = Builder::new(&url).force_new(true).reconnection(false).tls(tls).build()?;
        match socket.wait_connected(LIMIT) {
            Ok(()) => println!("{what}: connected"),
            Err(error) => println!("{what}: {error:#}"),
        }
    }
    Ok(())
}
