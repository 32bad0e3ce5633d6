//! Certificates for trying out: of a server on loopback and of a device, both of one authority. `make` beside has made them.

use std::error::Error;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The certificate of the authority, in PEM.
pub const AUTHORITY: &str = include_str!("authority.pem");
/// The device's certificate and its key, in PEM.
pub const DEVICE: (&str, &str) = (include_str!("device.pem"), include_str!("device.key"));
const SERVER: (&str, &str) = (include_str!("server.pem"), include_str!("server.key"));

/// What a server on loopback needs; with `mutual`, it asks clients for a certificate of this
/// authority.
pub fn server(mutual: bool) -> Result<ServerConfig, Box<dyn Error>> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = if mutual {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(AUTHORITY.as_bytes())?)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build()?)
    } else {
        builder.with_no_client_auth()
    };
    let (chain, key) = SERVER;
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>()?;
    Ok(builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?)
}
