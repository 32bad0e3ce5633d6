//! Floor 3: blocking I/O. Dialling, TLS, and the two transports as streams of frames and bodies.
//!
//! No call here has a deadline of its own: whoever starts one holds its [`Signal`] and may cancel
//! it from another thread, upon which it returns at once.

mod dial;
mod dns;
mod eyeballs;
mod handshake;
mod headers;
#[cfg(feature = "polling")]
pub(crate) mod http;
pub(crate) mod request;
pub(crate) mod signal;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
pub(crate) mod websocket;

use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "polling")]
pub(crate) use headers::check_header;
pub(crate) use http::Http;
pub(crate) use request::Request;
pub(crate) use signal::Signal;
pub(crate) use websocket::WebSocket;

use self::dns::Resolver;
use self::stream::Stream;
use self::tls::TlsConnector;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::options::Tls;

/// How a manager's connections are made.
#[derive(Clone, Debug)]
pub(crate) struct NetOptions {
    /// Certificates and their verification.
    pub(crate) tls: Tls,
    /// The largest WebSocket message that is received, in bytes.
    pub(crate) max_message: usize,
    /// WebSocket subprotocols to ask for.
    pub(crate) subprotocols: Vec<String>,
}

/// The network as one manager sees it; shared by its threads.
#[derive(Debug)]
pub(crate) struct Net {
    options: NetOptions,
    resolver: Resolver,
    /// Made when first needed: it takes some ten kilobytes, which unencrypted connections save.
    tls: Mutex<Option<Arc<TlsConnector>>>,
}

impl Net {
    /// Prepares the connections; a certificate that cannot be used is an error here.
    pub(crate) fn new(options: NetOptions) -> Result<Self> {
        let net = Self { options, resolver: Resolver::default(), tls: Mutex::new(None) };
        let tls = &net.options.tls;
        let given = !tls.cas.is_empty() || tls.no_built_in_roots || tls.client_cert.is_some();
        if given || tls.backend.is_some() {
            net.tls()?;
        }
        Ok(net)
    }

    /// Opens a WebSocket.
    pub(crate) fn websocket(&self, request: &Request, signal: &Arc<Signal>) -> Result<WebSocket> {
        // Before dialling: a header that cannot be sent fails even when the server is away.
        let upgrade = handshake::upgrade_request(request, &self.options.subprotocols)?;
        let stream = self.stream(&request.endpoint, signal)?;
        WebSocket::open(stream, upgrade, self.options.max_message, signal)
    }

    /// Prepares HTTP requests to one server; the first of them dials.
    #[cfg(feature = "polling")]
    pub(crate) fn http(self: &Arc<Self>, signal: &Arc<Signal>) -> Http {
        Http::new(self, signal)
    }

    /// Dials an endpoint.
    fn stream(&self, endpoint: &Endpoint, signal: &Arc<Signal>) -> Result<Stream> {
        if !endpoint.secure {
            let socket = dial::dial(endpoint, &self.resolver, signal)?;
            return Ok(Stream::plain(socket, signal));
        }
        let tls = self.tls()?;
        let socket = dial::dial(endpoint, &self.resolver, signal)?;
        tls.connect(socket, endpoint, signal)
    }

    fn tls(&self) -> Result<Arc<TlsConnector>> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = &*tls {
            return Ok(Arc::clone(connector));
        }
        let connector = Arc::new(TlsConnector::new(&self.options.tls)?);
        *tls = Some(Arc::clone(&connector));
        Ok(connector)
    }
}
