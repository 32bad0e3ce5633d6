//! Where the system keeps the certificate authorities that it trusts.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The bundles of the distributions, the most frequent first.
const BUNDLES: [&str; 6] = [
    // Debian, Alpine, Arch, OpenWrt, Yocto, Buildroot
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    // openSUSE
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    // OpenWrt, with a package of its own
    "/etc/ssl/certs/ca-bundle.crt",
];

/// The file that has them.
pub(super) fn bundle() -> Result<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    find(named.map(PathBuf::from), &BUNDLES)
}

fn find(named: Option<PathBuf>, bundles: &[&str]) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path);
    }
    bundles.iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf).ok_or_else(
        || {
            Error::new(ErrorKind::InvalidOption, "the system's certificate authorities are nowhere")
                .with_hint("install them (ca-certificates), or say where in SSL_CERT_FILE")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_usual_places_and_nothing_is_an_error() {
        let there = env!("CARGO_MANIFEST_DIR");
        let named = PathBuf::from("/named.pem");
        assert_eq!(find(Some(named.clone()), &[there]).unwrap(), named);
        assert_eq!(find(None, &["/no/such/file", there]).unwrap(), Path::new(there));
        let error = find(None, &["/no/such/file"]).unwrap_err();
        assert!(error.hint().unwrap().contains("SSL_CERT_FILE"), "{error}");
    }
}
