//! Floor 3: blocking I/O. Dialling, TLS, and the two transports as streams of frames and bodies.
//!
//! But for the limits of [`Timeouts`], no call here has a deadline of its own: whoever starts one
//! holds its [`Signal`] and may cancel it from another thread, upon which it returns at once.

mod cookies;
mod date;
mod dial;
mod headers;
#[cfg(feature = "polling")]
pub(crate) mod http;
mod proxy;
pub(crate) mod request;
pub(crate) mod signal;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
pub(crate) mod websocket;

use std::net::TcpStream;
use std::sync::Arc;

pub(crate) use headers::check_header;
#[cfg(feature = "polling")]
pub(crate) use http::Http;
pub(crate) use request::Request;
pub(crate) use signal::Signal;
pub(crate) use websocket::WebSocket;

use self::cookies::Jar;
use self::dial::Dialler;
use self::dial::dns::Resolver;
use self::proxy::Proxies;
use self::stream::Stream;
use self::tls::Reloading;
use crate::error::{Result, Stage};
use crate::options::endpoint::Endpoint;
use crate::options::{ProxyChoice, TcpOptions, Timeouts, Tls};

/// How a manager's connections are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetOptions {
    /// Certificates and their verification.
    pub(crate) tls: Tls,
    /// The largest WebSocket message that is received, in bytes.
    pub(crate) max_message: usize,
    /// WebSocket subprotocols to ask for.
    pub(crate) subprotocols: Vec<String>,
    /// The proxy on the way.
    pub(crate) proxy: ProxyChoice,
    /// The sockets.
    pub(crate) tcp: TcpOptions,
    /// How long each stage may take.
    pub(crate) timeouts: Timeouts,
    /// Whether to keep the server's cookies and to send them back.
    pub(crate) with_credentials: bool,
}

/// The network as one manager sees it; shared by its threads.
#[derive(Debug)]
pub(crate) struct Net {
    max_message: usize,
    subprotocols: Vec<String>,
    dialler: Dialler,
    proxies: Proxies,
    jar: Option<Jar>,
    tls: Reloading,
}

impl Net {
    /// Prepares the connections; an option that cannot be used is an error here.
    pub(crate) fn new(options: NetOptions) -> Result<Self> {
        let proxies = Proxies::new(&options.proxy)?;
        let given = options.tls.is_given();
        let net = Self {
            max_message: options.max_message,
            subprotocols: options.subprotocols,
            dialler: Dialler {
                resolver: Resolver::default(),
                tcp: options.tcp,
                timeouts: options.timeouts,
            },
            proxies,
            jar: options.with_credentials.then(Jar::default),
            tls: Reloading::new(options.tls),
        };
        if given {
            net.tls.prepare()?;
        }
        Ok(net)
    }

    /// Opens a WebSocket.
    pub(crate) fn websocket(&self, request: &Request, signal: &Arc<Signal>) -> Result<WebSocket> {
        signal.begin();
        // Before dialling: a header that cannot be sent fails even when the server is away.
        let upgrade =
            websocket::handshake::upgrade_request(request, &self.subprotocols, self.jar.as_ref())?;
        let open = || {
            let stream = self.stream(&request.endpoint, signal)?;
            signal.enter(Stage::Http, self.dialler.timeouts.http);
            let note = |headers: &::http::HeaderMap| self.note_cookies(request, headers);
            let secrets = request.secrets();
            let websocket = WebSocket::open(stream, upgrade, self.max_message, &secrets, note)?;
            signal.enter(Stage::Engine, None);
            Ok(websocket)
        };
        open().map_err(|error| signal.describe(error))
    }

    /// Prepares HTTP requests to one server; the first of them dials.
    #[cfg(feature = "polling")]
    pub(crate) fn http(self: &Arc<Self>, signal: &Arc<Signal>) -> Http {
        Http::new(self, signal)
    }

    /// Takes the cookies out of an answer, if there is a jar for them.
    fn note_cookies(&self, request: &Request, headers: &::http::HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.note(request, headers);
        }
    }

    /// Dials an endpoint.
    fn stream(&self, endpoint: &Endpoint, signal: &Arc<Signal>) -> Result<Stream> {
        if !endpoint.secure {
            return Ok(Stream::plain(self.dial(endpoint, signal)?, signal));
        }
        let tls = self.tls.for_attempt(signal)?;
        let socket = self.dial(endpoint, signal)?;
        signal.enter(Stage::Tls, self.dialler.timeouts.tls);
        let stream = tls.connect(socket, endpoint, signal)?;
        signal.lift_limit();
        Ok(stream)
    }

    /// Connects to an endpoint, directly or through a proxy.
    fn dial(&self, endpoint: &Endpoint, signal: &Signal) -> Result<TcpStream> {
        let Some(proxy) = self.proxies.for_endpoint(endpoint) else {
            return self.dialler.dial(&endpoint.host, endpoint.port, signal);
        };
        let socket = self
            .dialler
            .dial(&proxy.host, proxy.port, signal)
            .map_err(|error| proxy::unreachable(proxy, error))?;
        signal.enter(Stage::Proxy, self.dialler.timeouts.proxy);
        proxy::open_tunnel(&socket, proxy, endpoint, signal)?;
        signal.lift_limit();
        Ok(socket)
    }
}
