//! How encrypted connections verify the server and identify this client.

use std::fmt;
use std::path::PathBuf;

/// Certificates, keys and verification for `https` and `wss`.
///
/// The default trusts the public certificate authorities, presents no certificate of its own, and
/// refuses a server whose certificate is not valid for the host of the URL.
///
/// ```
/// let tls = siot::Tls::new()
///     .ca_file("/etc/device/ca.pem")
///     .client_cert_files("/etc/device/cert.pem", "/etc/device/key.pem");
/// # drop(tls);
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    pub(crate) backend: Option<TlsBackend>,
    pub(crate) cas: Vec<Ca>,
    pub(crate) no_built_in_roots: bool,
    pub(crate) client_cert: Option<ClientCert>,
    pub(crate) accept_invalid: bool,
    pub(crate) server_name: Option<String>,
}

/// The library that does TLS.
///
/// Which ones are there depends on the features `rustls` and `native-tls`; to ask for one that is
/// not built in is an error of kind [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// [rustls](https://docs.rs/rustls) with ring, and Mozilla's root certificates. The default.
    Rustls,
    /// The platform's library, OpenSSL on Linux, and the system's root certificates. The default
    /// where rustls is not built in.
    Native,
}

/// Where bytes come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// A file that has them.
    File(PathBuf),
}

/// Certificates of authorities to trust.
#[derive(Clone, Debug)]
pub(crate) enum Ca {
    /// One certificate in DER.
    Der(Source),
    /// One or more certificates in PEM.
    Pem(Source),
    /// Either, told apart by the content.
    Any(Source),
}

/// What identifies this client.
#[derive(Clone, Debug)]
pub(crate) struct ClientCert {
    /// The certificate and those that link it to its authority, in PEM.
    pub(crate) chain: Source,
    /// Its private key, in PEM.
    pub(crate) key: Source,
}

impl Tls {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificate authorities too: one or more certificates in PEM.
    #[doc(alias = "ca")]
    pub fn ca_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca(Ca::Pem(Source::Bytes(pem.into())))
    }

    /// Trusts this certificate authority too: one certificate in DER.
    #[doc(alias = "ca")]
    pub fn ca_der(self, der: impl Into<Vec<u8>>) -> Self {
        self.ca(Ca::Der(Source::Bytes(der.into())))
    }

    /// Trusts the certificate authorities in this file too, which is PEM or DER.
    ///
    /// The file is not read here; that it cannot be read is an error of whatever connects first.
    #[doc(alias = "ca")]
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        self.ca(Ca::Any(Source::File(path.into())))
    }

    fn ca(mut self, ca: Ca) -> Self {
        self.cas.push(ca);
        self
    }

    /// Whether the public certificate authorities are trusted besides the given ones; `true` by
    /// default.
    ///
    /// With `false`, only the given ones are, as with JavaScript's `ca` option.
    pub fn built_in_roots(mut self, trusted: bool) -> Self {
        self.no_built_in_roots = !trusted;
        self
    }

    /// Identifies this client by a certificate, both parts in PEM.
    ///
    /// `chain` begins with the client's own certificate. `key` is PKCS#8 (`BEGIN PRIVATE KEY`);
    /// rustls also takes PKCS#1 and SEC1. It must not be encrypted.
    #[doc(alias = "cert")]
    #[doc(alias = "key")]
    pub fn client_cert_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let (chain, key) = (Source::Bytes(chain.into()), Source::Bytes(key.into()));
        self.client_cert = Some(ClientCert { chain, key });
        self
    }

    /// Identifies this client by a certificate in two files, as
    /// [`client_cert_pem`](Self::client_cert_pem) has them.
    ///
    /// The files are not read here; that they cannot be read is an error of whatever connects
    /// first.
    #[doc(alias = "cert")]
    #[doc(alias = "key")]
    pub fn client_cert_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (chain, key) = (Source::File(chain.into()), Source::File(key.into()));
        self.client_cert = Some(ClientCert { chain, key });
        self
    }

    /// Whether a server is refused whose certificate cannot be verified; `true` by default.
    ///
    /// # Dangerous
    ///
    /// With `false` anyone on the way can read and change everything, passwords included. It is
    /// logged as a warning at each connection. For a server with a certificate of its own, give
    /// that certificate or its authority by [`ca_pem`](Self::ca_pem) instead.
    #[doc(alias = "rejectUnauthorized")]
    pub fn reject_unauthorized(mut self, reject: bool) -> Self {
        self.accept_invalid = !reject;
        self
    }

    /// The name to ask for (SNI) and to verify, in place of the host of the URL.
    ///
    /// For a server that is reached by its address, or by another name than its certificate has.
    #[doc(alias = "servername")]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The library that does TLS.
    pub fn backend(mut self, backend: TlsBackend) -> Self {
        self.backend = Some(backend);
        self
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("backend", &self.backend)
            .field("cas", &self.cas)
            .field("built_in_roots", &!self.no_built_in_roots)
            .field("client_cert", &self.client_cert)
            .field("reject_unauthorized", &!self.accept_invalid)
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Never the bytes: they may be a key.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let tls = Tls::new().client_cert_pem("the chain", "the key").ca_der(*b"the ca");
        let text = format!("{tls:?}");
        assert!(text.contains("9 bytes"), "{text}");
        assert!(!text.contains("the key") && !text.contains("116"), "{text}");
    }

    #[test]
    fn the_default_is_strict() {
        let tls = Tls::new();
        assert!(!tls.accept_invalid && !tls.no_built_in_roots && tls.cas.is_empty());
    }
}
