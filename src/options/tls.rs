//! How encrypted connections verify the server and identify this client.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Certificates, keys and verification for `https` and `wss`.
///
/// The default trusts the public certificate authorities, presents no certificate of its own, and
/// refuses a server whose certificate is not valid for the host of the URL.
///
/// Files are read when the connection is built, and one that cannot be used is an error there. At
/// each attempt to connect they are looked at again, and read if they have changed, so that
/// certificates can be replaced without a restart. While what has been put there cannot be used,
/// the old ones stay in force and a warning is logged.
///
/// Connections of equal options share what is made of them, some ten kilobytes, and the sessions that are
/// resumed.
///
/// ```
/// let tls = siot::Tls::new()
///     .ca_file("/etc/device/ca.pem")
///     .client_cert_files("/etc/device/cert.pem", "/etc/device/key.pem");
/// # drop(tls);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "give it to `Builder::tls`"]
pub struct Tls {
    pub(crate) backend: Option<TlsBackend>,
    pub(crate) cas: Vec<Ca>,
    pub(crate) no_built_in_roots: bool,
    pub(crate) system_roots: bool,
    pub(crate) client_cert: Option<ClientCert>,
    pub(crate) passphrase: Option<Secret>,
    pub(crate) accept_invalid: bool,
    pub(crate) server_name: Option<String>,
    pub(crate) min_version: Option<TlsVersion>,
    pub(crate) ciphers: Vec<String>,
    pub(crate) clock_floor: Option<SystemTime>,
}

/// A version of TLS. Older ones are not safe, and not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The library that does TLS.
///
/// Which ones are there depends on the features `rustls` and `native-tls`; to ask for one that is
/// not built in is an error of kind [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// `rustls` with ring, and Mozilla's root certificates. The default. A reconnection resumes the
    /// session, which saves the handshake's costly part.
    Rustls,
    /// The platform's library, OpenSSL on Linux, and the system's root certificates. The default
    /// where rustls is not built in. Each connection makes a full handshake.
    Native,
}

/// A certificate or a key: its bytes, or where they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// A file that has them.
    File(PathBuf),
}

/// Certificates of authorities to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ca {
    /// One certificate in DER.
    Der(Source),
    /// One or more certificates in PEM.
    Pem(Source),
    /// Either, told apart by the content.
    Any(Source),
}

impl Ca {
    pub(crate) fn source(&self) -> &Source {
        match self {
            Self::Der(source) | Self::Pem(source) | Self::Any(source) => source,
        }
    }
}

/// What identifies this client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientCert {
    /// The certificate and those that link it to its authority; and its private key.
    Pair {
        /// PEM, or one certificate in DER.
        chain: Source,
        /// PEM or DER.
        key: Source,
    },
    /// All of that in one, PKCS#12.
    Pfx(Source),
}

/// Text that is neither shown nor logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(
    #[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
    pub(crate)  String,
);

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

    /// Whether the certificate authorities of the system are trusted too; `false` by default.
    ///
    /// With rustls they come from the file that the variable `SSL_CERT_FILE` names, or from where
    /// distributions keep them; that there is none is an error. The platform's library trusts them
    /// anyhow: they are its built-in ones, and this keeps them where
    /// [`built_in_roots(false)`](Self::built_in_roots) would not.
    pub fn system_roots(mut self, trusted: bool) -> Self {
        self.system_roots = trusted;
        self
    }

    /// Identifies this client by a certificate, both parts in PEM or DER.
    ///
    /// `chain` begins with the client's own certificate. `key` is PKCS#8, PKCS#1 or SEC1
    /// (`BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY`, `BEGIN EC PRIVATE KEY`); one that is
    /// encrypted (`BEGIN ENCRYPTED PRIVATE KEY`) needs a [`passphrase`](Self::passphrase) and the
    /// feature `encrypted-keys`.
    #[doc(alias = "cert")]
    #[doc(alias = "key")]
    pub fn client_cert_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let (chain, key) = (Source::Bytes(chain.into()), Source::Bytes(key.into()));
        self.client_cert = Some(ClientCert::Pair { chain, key });
        self
    }

    /// Identifies this client by a certificate in two files, as
    /// [`client_cert_pem`](Self::client_cert_pem) has them.
    #[doc(alias = "cert")]
    #[doc(alias = "key")]
    pub fn client_cert_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (chain, key) = (Source::File(chain.into()), Source::File(key.into()));
        self.client_cert = Some(ClientCert::Pair { chain, key });
        self
    }

    /// Identifies this client by a certificate with its key in one piece: PKCS#12, whose password
    /// is the [`passphrase`](Self::passphrase).
    ///
    /// Only [`TlsBackend::Native`] can read it. For rustls, convert it once:
    /// `openssl pkcs12 -in all.p12 -nodes -out all.pem`, which is both chain and key of
    /// [`client_cert_files`](Self::client_cert_files).
    #[doc(alias = "PKCS12")]
    pub fn pfx(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.client_cert = Some(ClientCert::Pfx(Source::Bytes(bytes.into())));
        self
    }

    /// As [`pfx`](Self::pfx), from a file.
    pub fn pfx_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_cert = Some(ClientCert::Pfx(Source::File(path.into())));
        self
    }

    /// What the private key is encrypted with.
    pub fn passphrase(mut self, passphrase: impl Into<String>) -> Self {
        self.passphrase = Some(Secret(passphrase.into()));
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

    /// Whether an option is set that can turn out to be unusable when certificates are read or the
    /// library is set up.
    pub(crate) fn is_given(&self) -> bool {
        self.backend.is_some()
            || !self.cas.is_empty()
            || self.no_built_in_roots
            || self.system_roots
            || self.client_cert.is_some()
            || self.min_version.is_some()
            || !self.ciphers.is_empty()
            || self.clock_floor.is_some()
    }

    /// The name to ask for (SNI) and to verify, in place of the host of the URL.
    ///
    /// For a server that is reached by its address, or by another name than its certificate has. It
    /// is a host name in ASCII or an IP address; anything else is refused when the connection is
    /// built.
    #[doc(alias = "servername")]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The oldest version of TLS to accept. Default: 1.2.
    #[doc(alias = "minVersion")]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = Some(version);
        self
    }

    /// The cipher suites to offer, by their names in the standards
    /// (`TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`) or by OpenSSL's
    /// (`ECDHE-RSA-AES128-GCM-SHA256`). Default: all that are safe.
    ///
    /// Only [`TlsBackend::Rustls`] can restrict them.
    pub fn ciphers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.ciphers = names.into_iter().map(Into::into).collect();
        self
    }

    /// A time that has certainly passed, such as that of the build, for devices that start with a
    /// wrong clock.
    ///
    /// While the clock is before it, certificates are verified as of the floor, or of the last
    /// time that was good for a connection; and one that is not valid yet at that time is
    /// accepted, since the real time is later. Everything else is verified as ever: that it has
    /// not expired by then, its authority, its name and its key. A warning is logged at each such
    /// connection. Once the clock is right, nothing is different.
    ///
    /// Only [`TlsBackend::Rustls`] can do this.
    pub fn clock_floor(mut self, floor: SystemTime) -> Self {
        self.clock_floor = Some(floor);
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
            .field("system_roots", &self.system_roots)
            .field("client_cert", &self.client_cert)
            .field("reject_unauthorized", &!self.accept_invalid)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Shows how many bytes there are rather than the bytes, which may be a key.
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
        let text = format!("{:?}", tls.passphrase("the key"));
        assert!(text.contains("9 bytes"), "{text}");
        assert!(!text.contains("the key") && !text.contains("116"), "{text}");
    }

    #[test]
    fn the_default_is_strict() {
        let tls = Tls::new();
        assert!(!tls.accept_invalid && !tls.no_built_in_roots && tls.cas.is_empty());
    }
}
