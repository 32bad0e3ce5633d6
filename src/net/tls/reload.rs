//! Taking up certificates that have changed, without a restart.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::connector::TlsConnector;
use crate::error::{Error, Result};
use crate::net::attempt::Attempt;
use crate::options::Tls;
use crate::options::tls::{Ca, ClientCert, Source};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;

/// A connector that follows the files it is made from.
#[derive(Debug)]
pub(in crate::net) struct Reloading {
    options: Tls,
    /// Made when first needed: it takes some ten kilobytes, which unencrypted connections save.
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    connector: Arc<TlsConnector>,
    stamps: Vec<Option<Stamp>>,
}

/// What changes with a file. A new file under the same name has another number.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    number: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Reloading {
    pub(in crate::net) fn new(options: Tls) -> Self {
        Self { options, current: Mutex::new(None) }
    }

    /// What it is made from.
    pub(in crate::net) fn options(&self) -> &Tls {
        &self.options
    }

    /// Reads everything; what cannot be used is an error.
    pub(in crate::net) fn prepare(&self) -> Result<()> {
        self.connector().map(drop)
    }

    /// The connector of the files as they are now; or as they were, if they cannot be used now.
    pub(in crate::net) fn for_attempt(&self, attempt: &Attempt) -> Result<Arc<TlsConnector>> {
        let (connector, trouble) = self.connector()?;
        if let Some(error) = trouble {
            attempt.warn(error);
        }
        Ok(connector)
    }

    /// The connector, and why it is not that of the new files; once for each change.
    fn connector(&self) -> Result<(Arc<TlsConnector>, Option<Error>)> {
        let mut current = lock(&self.current);
        // Before they are read: what changes meanwhile is noticed the next time.
        let stamps = self.stamps();
        let Some(old) = current.as_mut() else {
            let connector = Arc::new(TlsConnector::new(&self.options)?);
            *current = Some(Current { connector: Arc::clone(&connector), stamps });
            return Ok((connector, None));
        };
        let mut trouble = None;
        if old.stamps != stamps {
            match TlsConnector::new(&self.options) {
                // The sessions of the old certificates end with their connector: nobody who is no
                // longer trusted is resumed.
                Ok(connector) => {
                    log_later!(Info, "the certificates have changed and are read again");
                    old.connector = Arc::new(connector);
                }
                Err(error) => trouble = Some(not_used(error)),
            }
            old.stamps = stamps;
        }
        Ok((Arc::clone(&old.connector), trouble))
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let client = match &self.options.client_cert {
            None => [None, None],
            Some(ClientCert::Pfx(pfx)) => [Some(pfx), None],
            Some(ClientCert::Pair { chain, key }) => [Some(chain), Some(key)],
        };
        let sources = self.options.cas.iter().map(Ca::source).chain(client.into_iter().flatten());
        let files = sources.filter_map(|source| match source {
            Source::File(path) => Some(stamp(path)),
            Source::Bytes(_) => None,
        });
        files.chain(self.system().map(|path| stamp(&path))).collect()
    }

    /// The system's file, if it is asked for.
    #[cfg(feature = "rustls")]
    fn system(&self) -> Option<PathBuf> {
        if self.options.system_roots { super::system::bundle().ok() } else { None }
    }

    #[cfg(not(feature = "rustls"))]
    #[allow(clippy::unused_self, reason = "what it is with rustls")]
    fn system(&self) -> Option<PathBuf> {
        None
    }
}

/// Says that new files are not used.
fn not_used(error: Error) -> Error {
    let what = "the certificates have changed but cannot be used; the old ones stay";
    let what = format!("{what}: {}", error.message());
    Error::new(error.kind(), what).with_source(error)
}

/// `None` where there is no file.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        number: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
