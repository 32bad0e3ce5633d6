//! A server's configuration of TLS, with certificates made on the spot.

use std::error::Error;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

#[path = "../../src/net/tls/tests/x509.rs"]
mod x509;

pub(crate) use x509::CertAuthority as Authority;

impl Authority {
    /// What a server on loopback needs; with `mutual`, it asks clients for a certificate of this
    /// authority.
    pub(crate) fn server(&self, mutual: bool) -> Result<ServerConfig, Box<dyn Error>> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.der().into())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build()?)
        } else {
            builder.with_no_client_auth()
        };
        let identity = self.issue("127.0.0.1");
        let key = PrivateKeyDer::try_from(identity.key_der)?;
        Ok(builder.with_single_cert(vec![identity.cert_der.into()], key)?)
    }
}
