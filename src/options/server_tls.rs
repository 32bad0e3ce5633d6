//! How a server encrypts, and what it asks of its clients.

use std::fmt;
use std::path::PathBuf;

use super::tls::{Ca, Secret, Source, TlsVersion};

/// Certificate and key of a server, for `https` and `wss`, and which clients it takes.
///
/// By default clients need no certificate, and TLS 1.2 and 1.3 are spoken, by rustls.
///
/// Files are read when the server is built, and one that cannot be used is an error there. At each new
/// connection they are looked at again, and read if they have changed, so that certificates can be
/// replaced without a restart. While what has been put there cannot be used, the old ones stay in
/// force and a warning is logged. To replace two files, rename new ones over them: until both are there
/// and fit together, the old ones stay.
///
/// ```
/// let tls = siot::ServerTls::files("/etc/gw/cert.pem", "/etc/gw/key.pem")
///     .client_ca_file("/etc/gw/devices.pem");
/// # drop(tls);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "give it to the server's builder"]
pub struct ServerTls {
    pub(crate) chain: Source,
    pub(crate) key: Source,
    pub(crate) passphrase: Option<Secret>,
    pub(crate) client_cas: Vec<Ca>,
    pub(crate) client_cert_optional: bool,
    pub(crate) min_version: Option<TlsVersion>,
}

impl ServerTls {
    /// Two files, each PEM or DER: the server's certificate, which those that link it to its authority
    /// may follow; and its private key (PKCS#8, PKCS#1 or SEC1).
    #[doc(alias = "cert")]
    #[doc(alias = "key")]
    pub fn files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::new(Source::File(chain.into()), Source::File(key.into()))
    }

    /// The same as bytes, which never change.
    pub fn pem(chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self::new(Source::Bytes(chain.into()), Source::Bytes(key.into()))
    }

    fn new(chain: Source, key: Source) -> Self {
        Self {
            chain,
            key,
            passphrase: None,
            client_cas: Vec::new(),
            client_cert_optional: false,
            min_version: None,
        }
    }

    /// What the private key is encrypted with; needs the feature `encrypted-keys`.
    pub fn passphrase(mut self, passphrase: impl Into<String>) -> Self {
        self.passphrase = Some(Secret(passphrase.into()));
        self
    }

    /// Takes clients alone that have a certificate of one of the authorities in this file, PEM or
    /// DER. May be called several times.
    #[doc(alias = "requestCert")]
    pub fn client_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_cas.push(Ca::Any(Source::File(path.into())));
        self
    }

    /// The same, with one or more certificates in PEM.
    pub fn client_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client_cas.push(Ca::Pem(Source::Bytes(pem.into())));
        self
    }

    /// Whether clients without a certificate are taken too, where
    /// [`client_ca_file`](Self::client_ca_file) asks for one. Default: `false`. A certificate that is not of
    /// these authorities is refused all the same.
    #[doc(alias = "rejectUnauthorized")]
    pub fn client_cert_optional(mut self, optional: bool) -> Self {
        self.client_cert_optional = optional;
        self
    }

    /// The oldest version of TLS to speak. Default: 1.2.
    #[doc(alias = "minVersion")]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = Some(version);
        self
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("chain", &self.chain)
            .field("key", &self.key)
            .field("client_cas", &self.client_cas)
            .field("client_cert_optional", &self.client_cert_optional)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let tls = ServerTls::pem("the chain", "the key").passphrase("the key");
        let text = format!("{tls:?}");
        assert!(text.contains("7 bytes") && !text.contains("the key"), "{text}");
    }
}
