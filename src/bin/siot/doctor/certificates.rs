//! The chain of certificates that a server shows, read without any judgement.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::report::{Finding, Rating};

/// A certificate that ends sooner should be on its way to be renewed.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// How many names of a certificate are shown.
const MOST_NAMES: usize = 10;

/// Accepts any server, and keeps what it has shown. Nothing that is worth anything may be sent over such a
/// connection.
#[derive(Debug)]
pub(super) struct ChainKeeper {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ChainKeeper {
    pub(super) fn new() -> Arc<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Arc::new(Self { provider, chain: Mutex::default() })
    }

    /// Options of a connection whose chain it keeps.
    pub(super) fn config(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        Ok(ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth())
    }

    /// What is to be said of the chain: a finding for each certificate.
    pub(super) fn findings(&self, now: SystemTime) -> Vec<Finding> {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings: Vec<Finding> = Vec::new();
        let mut issuer_before = None;
        for (number, der) in chain.iter().enumerate() {
            let check = format!("certificate {}", number + 1);
            match Certificate::from_der(der) {
                Ok(certificate) => {
                    let subject = certificate.tbs_certificate.subject.to_string();
                    if issuer_before.is_some_and(|issuer| issuer != subject) {
                        let detail = "it is not the issuer of the one before";
                        findings.push(
                            Finding::new(Rating::Warning, check.clone(), detail)
                                .hint("put the server's chain in order: its own certificate, then each one's issuer"),
                        );
                    }
                    issuer_before = Some(certificate.tbs_certificate.issuer.to_string());
                    findings.push(finding(check, &certificate, now));
                }
                Err(error) => {
                    let detail = format!("cannot be read: {error}");
                    findings.push(Finding::new(Rating::Warning, check, detail));
                }
            }
        }
        findings
    }
}

impl ServerCertVerifier for ChainKeeper {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = [end_entity].into_iter().chain(intermediates);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|certificate| certificate.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn finding(check: String, certificate: &Certificate, now: SystemTime) -> Finding {
    let content = &certificate.tbs_certificate;
    let (subject, issuer) = (content.subject.to_string(), content.issuer.to_string());
    let by = if subject == issuer { "itself".to_owned() } else { issuer };
    let (from, to) = (&content.validity.not_before, &content.validity.not_after);
    let mut detail = format!("{subject}, by {by}, valid from {from} to {to}");
    let names = names(certificate);
    if !names.is_empty() {
        let _ = write!(detail, ", for {}", names.join(", "));
    }
    let (from, to) = (from.to_system_time(), to.to_system_time());
    if now < from {
        return Finding::new(Rating::Warning, check, format!("{detail}: NOT VALID YET"))
            .hint("is this machine's clock right?");
    }
    if now > to {
        return Finding::new(Rating::Warning, check, format!("{detail}: EXPIRED"))
            .hint("renew the server's certificate, if this machine's clock is right");
    }
    if now + SOON > to {
        return Finding::new(Rating::Warning, check, format!("{detail}: expires soon"))
            .hint("renew the server's certificate");
    }
    Finding::ok(check, detail)
}

/// The first of the hosts and addresses that a certificate is for.
fn names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate.get() else {
        return Vec::new();
    };
    let mut shown: Vec<String> = names.iter().filter_map(name).take(MOST_NAMES).collect();
    if names.len() > MOST_NAMES {
        shown.push("…".to_owned());
    }
    shown
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            bytes if bytes.len() == 4 => {
                <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).to_string())
            }
            bytes => {
                <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string())
            }
        },
        _ => None,
    }
}
