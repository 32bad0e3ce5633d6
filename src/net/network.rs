//! The network as one manager sees it: its options, and how its streams are opened.

use std::net::TcpStream;
use std::sync::Arc;

use super::answer::Head;
use super::attempt::Attempt;
use super::cookies::Jar;
use super::dial::Dialler;
use super::dial::dns::Resolver;
#[cfg(feature = "polling")]
use super::http::keep_alive::KeepAlive;
use super::proxy::{self, Proxies};
use super::redirection::Redirections;
use super::request::Request;
use super::status::{Refusal, Sent};
use super::stream::Stream;
use super::tls::reload::Reloading;
use super::websocket::WebSocket;
use super::websocket::handshake::{HandshakeAnswer, UpgradeRequest, shake_hands};
use crate::error::{Result, Stage};
use crate::options::endpoint::Endpoint;
use crate::options::{ProxyChoice, TcpOptions, Timeouts, Tls};
use crate::sync::logging::log_later;

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
    pub(super) dialler: Dialler,
    proxies: Proxies,
    pub(super) jar: Option<Jar>,
    tls: Reloading,
    pub(super) redirections: Redirections,
    #[cfg(feature = "polling")]
    pub(super) keep_alive: KeepAlive,
}

/// What one request for a WebSocket has led to.
enum Opened {
    WebSocket(Box<WebSocket>),
    /// Another answer, with the start of its body, to a request whose head had so many bytes.
    Refused {
        head: Head,
        body: Vec<u8>,
        sent: usize,
    },
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
            redirections: Redirections::default(),
            #[cfg(feature = "polling")]
            keep_alive: KeepAlive::default(),
        };
        if given {
            net.tls.prepare()?;
        }
        Ok(net)
    }

    /// Opens a WebSocket.
    pub(crate) fn websocket(&self, asked: &Request, attempt: &Arc<Attempt>) -> Result<WebSocket> {
        attempt.begin();
        let mut request = self.redirections.place(asked);
        let mut open = || loop {
            match self.open(&request, attempt)? {
                Opened::WebSocket(websocket) => return Ok(*websocket),
                Opened::Refused { head, body, sent } => {
                    let sent = Sent { request: &request, head: sent, upgrade: true };
                    let refusal =
                        Refusal { status: head.status, headers: &head.headers, body: &body, sent };
                    request = self.after_refusal(asked, &refusal)?;
                }
            }
        };
        open().map_err(|error| attempt.describe(error))
    }

    /// Asks once for a WebSocket.
    fn open(&self, request: &Request, attempt: &Arc<Attempt>) -> Result<Opened> {
        // Before dialling: a header that cannot be sent fails even when the server is away.
        let upgrade = UpgradeRequest::new(request, &self.subprotocols, self.jar.as_ref())?;
        let mut stream = self.stream(&request.endpoint, attempt)?;
        attempt.enter(Stage::Http, self.dialler.timeouts.http);
        let note = |headers: &::http::HeaderMap| self.note_cookies(request, headers);
        match shake_hands(&mut stream, &upgrade, note)? {
            HandshakeAnswer::Accepted(behind) => {
                attempt.enter(Stage::Engine, None);
                let websocket = WebSocket::new(stream, behind, self.max_message);
                Ok(Opened::WebSocket(Box::new(websocket)))
            }
            HandshakeAnswer::Refused(head, body) => {
                Ok(Opened::Refused { head, body, sent: upgrade.size() })
            }
        }
    }

    /// What to do about an answer that is not the expected one: the request to send instead, or else
    /// the error. `asked` is what the caller wants.
    pub(super) fn after_refusal(&self, asked: &Request, refusal: &Refusal<'_>) -> Result<Request> {
        let Refusal { status, headers, sent, .. } = refusal;
        self.redirections.follow(asked, sent.request, *status, headers).map_err(|why_here| {
            let error = refusal.error(why_here);
            // Else they would be sent, and refused, until this device starts anew.
            if refusal.is_about_size() && self.jar.as_ref().is_some_and(Jar::clear) {
                log_later!(
                    Warn,
                    "the server's cookies are dropped: with them, requests are too long"
                );
            }
            error
        })
    }

    /// Takes the cookies out of an answer, if there is a jar for them.
    pub(super) fn note_cookies(&self, request: &Request, headers: &::http::HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.note(request, headers);
        }
    }

    /// Dials an endpoint.
    pub(super) fn stream(&self, endpoint: &Endpoint, attempt: &Arc<Attempt>) -> Result<Stream> {
        if !endpoint.secure {
            return Ok(Stream::plain(self.dial(endpoint, attempt)?, attempt));
        }
        let tls = self.tls.for_attempt(attempt)?;
        let socket = self.dial(endpoint, attempt)?;
        attempt.enter(Stage::Tls, self.dialler.timeouts.tls);
        let stream = tls.connect(socket, endpoint, attempt)?;
        attempt.lift_limit();
        Ok(stream)
    }

    /// Connects to an endpoint, directly or through a proxy.
    fn dial(&self, endpoint: &Endpoint, attempt: &Attempt) -> Result<TcpStream> {
        let Some(proxy) = self.proxies.for_endpoint(endpoint) else {
            return self.dialler.dial(&endpoint.host, endpoint.port, attempt);
        };
        let socket = self
            .dialler
            .dial(&proxy.host, proxy.port, attempt)
            .map_err(|error| proxy::unreachable(proxy, error))?;
        attempt.enter(Stage::Proxy, self.dialler.timeouts.proxy);
        proxy::open_tunnel(&socket, proxy, endpoint, attempt)?;
        attempt.lift_limit();
        Ok(socket)
    }
}
