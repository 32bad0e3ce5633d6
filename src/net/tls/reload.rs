//! Taking up certificates that have changed, without a restart.

use std::path::PathBuf;
use std::sync::Arc;

use super::connector::TlsConnector;
use super::renewed::{Renewed, Stamp, stamp, stamps};
use super::shared;
use crate::error::{Error, Result};
use crate::net::attempt::Attempt;
use crate::options::Tls;
use crate::options::tls::{Ca, ClientCert};

/// A connector that follows the files it is made from.
#[derive(Debug)]
pub(in crate::net) struct Reloading {
    options: Tls,
    /// Made when first needed: it takes some ten kilobytes, which unencrypted connections save.
    current: Renewed<TlsConnector>,
}

impl Reloading {
    pub(in crate::net) fn new(options: Tls) -> Self {
        Self { options, current: Renewed::default() }
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
        self.current.get(|| self.stamps(), |stamps| shared::connector(&self.options, stamps))
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let client = match &self.options.client_cert {
            None => [None, None],
            Some(ClientCert::Pfx(pfx)) => [Some(pfx), None],
            Some(ClientCert::Pair { chain, key }) => [Some(chain), Some(key)],
        };
        let sources = self.options.cas.iter().map(Ca::source).chain(client.into_iter().flatten());
        stamps(sources).chain(self.system().map(|path| stamp(&path))).collect()
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
