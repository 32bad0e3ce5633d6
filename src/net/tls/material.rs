//! Reading certificates and keys, before any library sees them.

use std::borrow::Cow;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, ErrorKind, Result};
use crate::options::Tls;
use crate::options::tls::{Ca, ClientCert, Secret, Source};

/// What begins every item of a PEM file.
const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// A key that PKCS#8 encrypts.
const ENCRYPTED_BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// What marks a key in the old encryption of PEM.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// Bytes, and how to call them in an error.
pub(super) struct Material<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    name: Cow<'a, str>,
}

/// What identifies this client.
pub(super) enum Identity<'a> {
    /// The chain, and the key of its first certificate.
    Pair { chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static> },
    /// PKCS#12.
    Pfx(#[cfg_attr(not(feature = "native-tls"), allow(dead_code))] Material<'a>),
}

/// The certificates of a CA.
pub(super) fn ca(ca: &Ca) -> Result<(Material<'_>, Vec<CertificateDer<'static>>)> {
    let (source, pem) = match ca {
        Ca::Der(source) => (source, Some(false)),
        Ca::Pem(source) => (source, Some(true)),
        Ca::Any(source) => (source, None),
    };
    let material = Material::read(source, "the given CA")?;
    let certs = material.certs(pem)?;
    Ok((material, certs))
}

/// The client's own certificate, if there is one.
pub(super) fn identity(options: &Tls) -> Result<Option<Identity<'_>>> {
    match &options.client_cert {
        None => Ok(None),
        Some(ClientCert::Pfx(source)) => {
            Material::read(source, "the given PKCS#12").map(|pfx| Some(Identity::Pfx(pfx)))
        }
        Some(ClientCert::Pair { chain, key }) => {
            let names = ["the given client certificate", "the given client key"];
            let (chain, key) = pair([chain, key], names, options.passphrase.as_ref())?;
            Ok(Some(Identity::Pair { chain, key }))
        }
    }
}

/// A chain of certificates and the key of its first one; `names` is how to call them in an error, where
/// they are no files.
pub(super) fn pair(
    [chain, key]: [&Source; 2],
    names: [&'static str; 2],
    passphrase: Option<&Secret>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = Material::read(chain, names[0])?.certs(None)?;
    let key = Material::read(key, names[1])?;
    let key = private_key(&key, passphrase.map(|secret| secret.0.as_str()))?;
    Ok((chain, key))
}

impl<'a> Material<'a> {
    fn read(source: &'a Source, name: &'static str) -> Result<Self> {
        match source {
            Source::Bytes(bytes) => Ok(Self { bytes: bytes.into(), name: name.into() }),
            Source::File(path) => Self::read_file(path),
        }
    }

    pub(super) fn read_file(path: &'a Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| {
            let what = format!("cannot read {} ({})", path.display(), error.kind());
            Error::new(ErrorKind::InvalidOption, what).with_source(error)
        })?;
        Ok(Self { bytes: bytes.into(), name: path.to_string_lossy() })
    }

    /// The certificates in it; where it is not said whether it is PEM, it is when it contains
    /// the beginning of an item of PEM.
    pub(super) fn certs(&self, pem: Option<bool>) -> Result<Vec<CertificateDer<'static>>> {
        if !pem.unwrap_or_else(|| contains(&self.bytes, PEM_BEGIN)) {
            return Ok(vec![CertificateDer::from(self.bytes.to_vec())]);
        }
        let certs: Vec<_> = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| self.invalid("is damaged PEM").with_source(error))?;
        if certs.is_empty() {
            return Err(self.invalid("has no certificate in PEM"));
        }
        Ok(certs)
    }

    /// The error of bytes that are not what they should be.
    pub(super) fn invalid(&self, what: &str) -> Error {
        Error::new(ErrorKind::InvalidOption, format!("{} {what}", self.name))
    }
}

/// The private key of a file, decrypted if need be.
fn private_key(
    material: &Material<'_>,
    passphrase: Option<&str>,
) -> Result<PrivateKeyDer<'static>> {
    if let Some(der) = encrypted(material)? {
        return decrypt(material, &der, passphrase);
    }
    if contains(&material.bytes, OLD_ENCRYPTION) {
        let what = format!("{} is a key in the old encryption of PEM", material.name);
        return Err(Error::new(ErrorKind::Unsupported, what)
            .with_hint("convert it: openssl pkcs8 -topk8 -in key.pem -out new.pem"));
    }
    if contains(&material.bytes, PEM_BEGIN) {
        return PrivateKeyDer::from_pem_slice(&material.bytes)
            .map_err(|error| material.invalid("has no private key in PEM").with_source(error));
    }
    PrivateKeyDer::try_from(material.bytes.to_vec())
        .map_err(|error| material.invalid("has no private key").with_source(error))
}

/// The content of an encrypted key in PEM.
fn encrypted(material: &Material<'_>) -> Result<Option<Vec<u8>>> {
    let bytes = &material.bytes;
    let Some(begin) = position(bytes, ENCRYPTED_BEGIN) else { return Ok(None) };
    let rest = &bytes[begin + ENCRYPTED_BEGIN.len()..];
    let end = position(rest, b"-----END").unwrap_or(rest.len());
    let text: Vec<u8> =
        rest[..end].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD
        .decode(text)
        .map_err(|error| material.invalid("is damaged PEM").with_source(error))?;
    Ok(Some(der))
}

#[cfg(feature = "encrypted-keys")]
fn decrypt(
    material: &Material<'_>,
    der: &[u8],
    passphrase: Option<&str>,
) -> Result<PrivateKeyDer<'static>> {
    let Some(passphrase) = passphrase else {
        return Err(material
            .invalid("is an encrypted key")
            .with_hint("`Tls::passphrase` says how to decrypt it"));
    };
    let encrypted = pkcs8::EncryptedPrivateKeyInfo::try_from(der).map_err(|error| {
        material.invalid("is encrypted in an unknown way").with_source(error.to_string())
    })?;
    let key = encrypted.decrypt(passphrase).map_err(|error| {
        material
            .invalid("cannot be decrypted")
            .with_source(error.to_string())
            .with_hint("is the passphrase right?")
    })?;
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.as_bytes().to_vec());
    Ok(PrivateKeyDer::Pkcs8(key))
}

#[cfg(not(feature = "encrypted-keys"))]
fn decrypt(material: &Material<'_>, _: &[u8], _: Option<&str>) -> Result<PrivateKeyDer<'static>> {
    let what = format!("{} is an encrypted key, which this build cannot read", material.name);
    Err(Error::new(ErrorKind::Unsupported, what).with_hint(
        "enable the feature `encrypted-keys`, or decrypt it: openssl pkey -in key.pem -out plain.pem",
    ))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    position(bytes, part).is_some()
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
