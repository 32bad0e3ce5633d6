//! From options to a rustls configuration.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
};

use super::clock::FlooredVerifier;
use crate::error::{Error, ErrorKind, Result};
use crate::net::tls::alpn::HTTP;
use crate::net::tls::errors::unsupported;
use crate::net::tls::material::{self, Identity, Material};
use crate::net::tls::system;
use crate::options::{Tls, TlsVersion};

/// How many sessions are kept, of which rustls takes eight for each server: those of eight servers. Connections of equal
/// options have them in common.
const SESSIONS: usize = 64;

pub(super) fn client_config(options: &Tls) -> Result<(ClientConfig, Option<Arc<FlooredVerifier>>)> {
    let provider = Arc::new(provider(&options.ciphers)?);
    let versions: &[&SupportedProtocolVersion] = match options.min_version {
        None | Some(TlsVersion::Tls12) => &[&TLS13, &TLS12],
        Some(TlsVersion::Tls13) => &[&TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| {
            invalid("the versions and ciphers do not fit together").with_source(error)
        })?;
    let roots = roots(options)?;
    let mut floored = None;
    let builder = if options.accept_invalid {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAll(provider)))
    } else if let Some(floor) = options.clock_floor {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| invalid("TLS cannot be set up").with_source(error))?;
        let verifier = Arc::new(FlooredVerifier::new(verifier, floor));
        floored = Some(Arc::clone(&verifier));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        builder.with_root_certificates(roots)
    };
    let mut config = match material::identity(options)? {
        None => builder.with_no_client_auth(),
        Some(Identity::Pair { chain, key }) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                invalid("the client certificate and its key do not fit together").with_source(error)
            })?
        }
        Some(Identity::Pfx(_)) => {
            let hint = "use TlsBackend::Native, or convert it: openssl pkcs12 -in all.p12 -nodes \
                        -out all.pem";
            return Err(unsupported("pfx", "rustls", hint));
        }
    };
    config.alpn_protocols = vec![HTTP.as_bytes().to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok((config, floored))
}

/// ring, with the cipher suites that were asked for.
fn provider(ciphers: &[String]) -> Result<CryptoProvider> {
    let mut provider = ring::default_provider();
    if ciphers.is_empty() {
        return Ok(provider);
    }
    let known: Vec<String> =
        provider.cipher_suites.iter().map(|suite| standard_name(suite.suite())).collect();
    if let Some(name) = ciphers.iter().find(|name| !known.iter().any(|suite| is_name(name, suite)))
    {
        let what = format!("the cipher {name:?} is not one that rustls has");
        let hint = format!("there are {}", known.join(", "));
        return Err(Error::new(ErrorKind::InvalidOption, what).with_hint(hint));
    }
    provider.cipher_suites.retain(|suite| {
        let suite = standard_name(suite.suite());
        ciphers.iter().any(|name| is_name(name, &suite))
    });
    Ok(provider)
}

/// `TLS_AES_128_GCM_SHA256`, where rustls says `TLS13_…`.
fn standard_name(suite: CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

/// Whether a name in the way of the standards or of OpenSSL (`ECDHE-RSA-AES128-GCM-SHA256`) means
/// a suite.
fn is_name(name: &str, standard: &str) -> bool {
    let openssl = standard
        .replacen("TLS_", "", 1)
        .replacen("WITH_", "", 1)
        .replace("AES_", "AES")
        .replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305")
        .replace('_', "-");
    name.eq_ignore_ascii_case(standard) || name.eq_ignore_ascii_case(&openssl)
}

fn roots(options: &Tls) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if !options.no_built_in_roots {
        // No more room than they need: there are some hundred and twenty.
        roots.roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
    }
    if options.system_roots {
        add_system(&mut roots)?;
    }
    for ca in &options.cas {
        let (material, certs) = material::ca(ca)?;
        roots.roots.reserve_exact(certs.len());
        for cert in certs {
            roots.add(cert).map_err(|error| {
                material.invalid("has a certificate that cannot be used").with_source(error)
            })?;
        }
    }
    Ok(roots)
}

/// Adds the system's authorities; those that rustls cannot read are left out.
fn add_system(roots: &mut RootCertStore) -> Result<()> {
    let path = system::bundle()?;
    let material = Material::read_file(&path)?;
    let (added, _) = roots.add_parsable_certificates(material.certs(Some(true))?);
    if added == 0 {
        return Err(material.invalid("has no certificate that can be used"));
    }
    Ok(())
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOption, what)
}

/// Accepts every certificate; that the server has its key is still verified.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_have_the_names_of_the_standards_and_of_openssl() {
        for (name, suite) in [
            ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
            ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
            (
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            ),
            (
                "tls_ecdhe_ecdsa_with_aes_256_gcm_sha384",
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            ),
        ] {
            let suites = provider(&[name.to_owned()]).unwrap().cipher_suites;
            let suites: Vec<_> = suites.iter().map(::rustls::SupportedCipherSuite::suite).collect();
            assert_eq!(suites, [suite], "{name}");
        }
        let error = provider(&["RC4-MD5".to_owned()]).unwrap_err();
        assert!(error.hint().unwrap().contains("TLS_AES_128_GCM_SHA256"), "{error}");
    }

    #[test]
    fn ciphers_of_another_version_than_the_lowest_are_refused() {
        let tls = Tls::new().ciphers(["ECDHE-RSA-AES128-GCM-SHA256"]);
        client_config(&tls).unwrap();
        let error = client_config(&tls.min_version(TlsVersion::Tls13)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
}
