//! What tests do with certificates.

use serde_json::{Value, json};
use siot::TlsBackend;

pub(crate) use super::x509::{CertAuthority, Identity};

/// The backends of TLS that this build has.
pub(crate) const TLS_BACKENDS: &[TlsBackend] = &[
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::Native,
];

impl Identity {
    /// What the test server takes as `tls`.
    pub(crate) fn server(&self) -> Value {
        json!({ "key": self.key, "cert": self.cert })
    }

    /// The same, for clients with a certificate of this authority only.
    pub(crate) fn mutual(&self, clients: &str) -> Value {
        let mut tls = self.server();
        tls["ca"] = json!(clients);
        tls["requestCert"] = json!(true);
        tls["rejectUnauthorized"] = json!(true);
        tls
    }
}
