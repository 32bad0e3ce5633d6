//! Reading certificates and keys, before any library sees them.

use std::borrow::Cow;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::options::tls::{Ca, ClientCert, Source};

/// What begins every item of a PEM file.
const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// Bytes, and how to call them in an error.
pub(super) struct Material<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    name: Cow<'a, str>,
}

/// The bytes of a CA, and whether they are PEM.
pub(super) fn ca(ca: &Ca) -> Result<(Material<'_>, bool)> {
    let (source, pem) = match ca {
        Ca::Der(source) => (source, Some(false)),
        Ca::Pem(source) => (source, Some(true)),
        Ca::Any(source) => (source, None),
    };
    let material = Material::read(source, "the given CA")?;
    let pem = pem.unwrap_or_else(|| contains(&material.bytes, PEM_BEGIN));
    Ok((material, pem))
}

/// The bytes of a client's certificate chain and of its key.
pub(super) fn client_cert(cert: &ClientCert) -> Result<(Material<'_>, Material<'_>)> {
    let chain = Material::read(&cert.chain, "the given client certificate")?;
    let key = Material::read(&cert.key, "the given client key")?;
    if contains(&key.bytes, b"ENCRYPTED") {
        return Err(key
            .invalid("is an encrypted key")
            .with_hint("decrypt it: openssl pkey -in key.pem -out plain.pem"));
    }
    Ok((chain, key))
}

impl<'a> Material<'a> {
    fn read(source: &'a Source, name: &'static str) -> Result<Self> {
        match source {
            Source::Bytes(bytes) => Ok(Self { bytes: bytes.into(), name: name.into() }),
            Source::File(path) => {
                let bytes = std::fs::read(path).map_err(|error| cannot_read(path, error))?;
                Ok(Self { bytes: bytes.into(), name: path.to_string_lossy() })
            }
        }
    }

    /// The error of bytes that are not what they should be.
    pub(super) fn invalid(&self, what: &str) -> Error {
        Error::new(ErrorKind::InvalidOption, format!("{} {what}", self.name))
    }
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    let what = format!("cannot read {}", path.display());
    Error::new(ErrorKind::InvalidOption, what).with_source(error)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
