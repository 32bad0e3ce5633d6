//! An authority, a server's certificate and a client's, made on the spot.

use std::error::Error;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

/// A certificate authority.
pub(crate) struct Authority {
    cert: Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of an example");
        Ok(Self { cert: params.self_signed(&key)?, key })
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.cert.pem()
    }

    /// A certificate for a name, and its key, in PEM.
    pub(crate) fn issue(&self, name: &str) -> Result<(String, String), rcgen::Error> {
        let (cert, key) = self.sign(name)?;
        Ok((cert.pem(), key.serialize_pem()))
    }

    /// What a server on loopback needs; with `mutual`, it asks clients for a certificate of this
    /// authority.
    pub(crate) fn server(&self, mutual: bool) -> Result<ServerConfig, Box<dyn Error>> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.cert.der().clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build()?)
        } else {
            builder.with_no_client_auth()
        };
        let (cert, key) = self.sign("127.0.0.1")?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        Ok(builder.with_single_cert(vec![cert.der().clone()], key)?)
    }

    fn sign(&self, name: &str) -> Result<(Certificate, KeyPair), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.cert, &self.key)?, key))
    }
}
