//! Verifying certificates on a device whose clock is known to be wrong.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error as RustlsError, SignatureScheme};

use crate::error::Error;
use crate::net::date;
use crate::net::tls::errors::tls_error;
use crate::sync::lock::lock;

/// How often the assumed time is moved on to where the validity of a certificate of the chain
/// begins.
const MAX_STEPS: usize = 8;

/// The usual verification, at a time that is never before a floor.
#[derive(Debug)]
pub(super) struct FlooredVerifier {
    inner: Arc<WebPkiServerVerifier>,
    floor: Duration,
    /// The latest time at which a certificate was found good while the clock was wrong.
    seen: Mutex<Duration>,
}

impl FlooredVerifier {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>, floor: SystemTime) -> Self {
        let floor = since_epoch(floor);
        Self { inner, floor, seen: Mutex::new(floor) }
    }

    /// What to say if the clock is wrong.
    pub(super) fn suspicion(&self) -> Option<Error> {
        let now = SystemTime::now();
        if since_epoch(now) >= self.floor {
            return None;
        }
        let (today, used) = (date::civil(now), date::civil(UNIX_EPOCH + self.seen()));
        let what = format!(
            "the clock of this device says {today}, which is before the floor that was set; the \
             certificate is verified as of {used} or later"
        );
        Some(tls_error(what).with_hint("set the clock"))
    }

    fn seen(&self) -> Duration {
        *lock(&self.seen)
    }
}

impl ServerCertVerifier for FlooredVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        let verify = |now| {
            let inner = &self.inner;
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        if now.as_secs() >= self.floor.as_secs() {
            return verify(now);
        }
        let mut time = self.seen();
        for _ in 0..MAX_STEPS {
            match verify(UnixTime::since_unix_epoch(time)) {
                // The authority has signed a certificate that is valid from later on only: the real
                // time is at least that.
                Err(RustlsError::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if not_before.as_secs() > time.as_secs() => {
                    time = Duration::from_secs(not_before.as_secs());
                }
                Err(error) => return Err(error),
                Ok(verified) => {
                    *lock(&self.seen) = time;
                    return Ok(verified);
                }
            }
        }
        Err(RustlsError::InvalidCertificate(CertificateError::NotValidYet))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}
