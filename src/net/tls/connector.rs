//! The choice of the library, and what is the same for all of them.

use std::net::TcpStream;
use std::sync::Arc;

#[cfg(feature = "native-tls")]
use super::native;
use super::renewed::Stamp;
#[cfg(feature = "rustls")]
use super::rustls;
use crate::error::{Error, ErrorKind, Result};
use crate::net::attempt::Attempt;
use crate::net::stream::Stream;
use crate::options::endpoint::Endpoint;
use crate::options::{Tls, TlsBackend};
use crate::sync::logging::log_later;

/// Encrypts connections: one configuration with its cache of sessions.
#[derive(Debug)]
pub(in crate::net) struct TlsConnector {
    backend: Backend,
    options: Tls,
    /// Of the files that it was made from.
    stamps: Vec<Option<Stamp>>,
}

/// The configuration of one library.
#[derive(Debug)]
enum Backend {
    #[cfg(feature = "rustls")]
    Rustls(rustls::RustlsConnector),
    #[cfg(feature = "native-tls")]
    Native(native::NativeConnector),
}

impl TlsConnector {
    /// Reads the certificates, from files with these stamps; one that cannot be used is an error here.
    pub(super) fn new(options: &Tls, stamps: &[Option<Stamp>]) -> Result<Self> {
        let backend = backend(options)?;
        Ok(Self { backend, options: options.clone(), stamps: stamps.to_vec() })
    }

    /// Whether one of these options, and of files with these stamps, would be the same.
    pub(super) fn is_made_of(&self, options: &Tls, stamps: &[Option<Stamp>]) -> bool {
        self.stamps == stamps && self.options == *options
    }

    /// Does the handshake over a connected, non-blocking socket.
    // Its frame is large, and of no use to what is done before.
    #[inline(never)]
    // Without a library there is no value of this type, and nothing to do here.
    #[cfg_attr(
        not(any(feature = "rustls", feature = "native-tls")),
        allow(unused_variables, clippy::needless_pass_by_value)
    )]
    pub(in crate::net) fn connect(
        &self,
        socket: TcpStream,
        endpoint: &Endpoint,
        attempt: &Arc<Attempt>,
    ) -> Result<Stream> {
        let name =
            self.options.server_name.as_deref().unwrap_or_else(|| endpoint.host_without_zone());
        if self.options.accept_invalid {
            log_later!(
                Warn,
                "the certificate of {endpoint} is not verified (reject_unauthorized(false))"
            );
        }
        match self.backend {
            #[cfg(feature = "rustls")]
            Backend::Rustls(ref connector) => {
                Ok(Stream::rustls(connector.connect(Arc::new(socket), name, attempt)?, attempt))
            }
            #[cfg(feature = "native-tls")]
            Backend::Native(ref connector) => {
                Ok(Stream::native(connector.connect(Arc::new(socket), name, attempt)?, attempt))
            }
        }
    }
}

fn backend(options: &Tls) -> Result<Backend> {
    let default = if cfg!(feature = "rustls") { TlsBackend::Rustls } else { TlsBackend::Native };
    match options.backend.unwrap_or(default) {
        #[cfg(feature = "rustls")]
        TlsBackend::Rustls => Ok(Backend::Rustls(rustls::RustlsConnector::new(options)?)),
        #[cfg(feature = "native-tls")]
        TlsBackend::Native => Ok(Backend::Native(native::NativeConnector::new(options)?)),
        #[allow(unreachable_patterns)] // with both features
        other => Err(not_built_in(options.backend.map(|_| other))),
    }
}

/// The error where the library that was asked for, or any at all, is missing.
fn not_built_in(asked_for: Option<TlsBackend>) -> Error {
    let (what, hint) = match asked_for {
        Some(TlsBackend::Rustls) => ("TLS by rustls", "enable the feature `rustls`"),
        Some(TlsBackend::Native) => ("TLS by the platform", "enable the feature `native-tls`"),
        None => ("TLS (https, wss)", "enable the feature `rustls` or `native-tls`"),
    };
    Error::new(ErrorKind::Unsupported, format!("{what} is not built in")).with_hint(hint)
}
