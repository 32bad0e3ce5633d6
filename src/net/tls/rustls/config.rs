//! From options to a rustls configuration.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
};

use crate::error::{Error, ErrorKind, Result};
use crate::net::tls::material::{self, Material};
use crate::options::Tls;
use crate::options::tls::ClientCert;

/// How many servers' sessions are kept: a manager has one server, behind some addresses.
const SESSIONS: usize = 8;

pub(super) fn client_config(options: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS cannot be set up").with_source(error))?;
    let roots = roots(options)?;
    let builder = if options.accept_invalid {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAll(provider)))
    } else {
        builder.with_root_certificates(roots)
    };
    let mut config = match &options.client_cert {
        None => builder.with_no_client_auth(),
        Some(cert) => {
            let (chain, key) = identity(cert)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                invalid("the client certificate and its key do not fit together").with_source(error)
            })?
        }
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(config)
}

fn roots(options: &Tls) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if !options.no_built_in_roots {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for ca in &options.cas {
        let (material, pem) = material::ca(ca)?;
        let certs = if pem {
            pem_certs(&material)?
        } else {
            vec![CertificateDer::from(material.bytes.to_vec())]
        };
        for cert in certs {
            roots.add(cert).map_err(|error| {
                material.invalid("has a certificate that cannot be used").with_source(error)
            })?;
        }
    }
    if roots.is_empty() && !options.accept_invalid {
        return Err(invalid("no certificate authority is trusted")
            .with_hint("give one by `Tls::ca_file`, or leave the built-in ones"));
    }
    Ok(roots)
}

fn identity(cert: &ClientCert) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (chain, key) = material::client_cert(cert)?;
    let private = PrivateKeyDer::from_pem_slice(&key.bytes)
        .map_err(|error| key.invalid("has no private key in PEM").with_source(error))?;
    Ok((pem_certs(&chain)?, private))
}

fn pem_certs(material: &Material<'_>) -> Result<Vec<CertificateDer<'static>>> {
    let certs: Vec<_> = CertificateDer::pem_slice_iter(&material.bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| material.invalid("is damaged PEM").with_source(error))?;
    if certs.is_empty() {
        return Err(material.invalid("has no certificate in PEM"));
    }
    Ok(certs)
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOption, what)
}

/// Takes every certificate, if only the server has the key of it.
#[derive(Debug)]
struct AcceptAll(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
