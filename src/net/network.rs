//! The network as one manager sees it: its options, and how its streams are opened.

use std::borrow::Cow;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use super::answer::Head;
use super::attempt::Attempt;
use super::begun::BegunConnect;
use super::cookies::Jar;
use super::dial::dns::Resolver;
use super::dial::{Dialler, Remembered};
#[cfg(feature = "polling")]
use super::http::keep_alive::KeepAlive;
use super::jars::Jars;
use super::proxy::{self, Proxies};
use super::redirection::Redirections;
use super::request::Request;
use super::status::{Sent, StatusRefusal};
use super::stream::Stream;
use super::tls::reload::Reloading;
use super::websocket::WebSocket;
use super::websocket::handshake::{HandshakeAnswer, UpgradeRequest, shake_hands};
use crate::error::{Result, Stage};
use crate::options::endpoint::Endpoint;
use crate::options::{Proxy, ProxyChoice, TcpOptions, Timeouts, Tls};
use crate::sync::logging::log_later;

/// How a manager's connections are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetOptions {
    /// Certificates and their verification.
    pub(crate) tls: Tls,
    /// The largest WebSocket message that is received, in bytes.
    pub(crate) max_message: usize,
    /// How many bytes of received events may wait for one consumer.
    pub(crate) receive_bytes: usize,
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
    /// Whether the last address of a host is tried when its name cannot be looked up.
    pub(crate) remember_address: bool,
}

/// The network as one manager sees it; shared by its threads.
#[derive(Debug)]
pub(crate) struct Net {
    max_message: usize,
    receive_bytes: usize,
    subprotocols: Vec<String>,
    pub(super) dialler: Dialler,
    proxies: Proxies,
    jars: Option<Jars>,
    tls: Reloading,
    pub(super) redirections: Redirections,
    #[cfg(feature = "polling")]
    pub(super) keep_alive: KeepAlive,
}

/// What one request has led to.
pub(super) enum Answered<T> {
    Expected(T),
    Other(OtherAnswer),
}

/// An answer that is not the expected one.
pub(super) struct OtherAnswer {
    pub(super) status: u16,
    pub(super) headers: ::http::HeaderMap,
    /// The start of its body.
    pub(super) body: Vec<u8>,
    /// How many bytes the head of the request had.
    pub(super) sent: usize,
}

impl Net {
    /// Prepares the connections; an option that cannot be used is an error here.
    pub(crate) fn new(options: NetOptions) -> Result<Self> {
        let proxies = Proxies::new(&options.proxy)?;
        let given = options.tls.is_given();
        let net = Self {
            max_message: options.max_message,
            receive_bytes: options.receive_bytes,
            subprotocols: options.subprotocols,
            dialler: Dialler {
                resolver: Resolver::default(),
                tcp: options.tcp,
                timeouts: options.timeouts,
                remembered: options.remember_address.then(Remembered::default),
            },
            proxies,
            jars: options.with_credentials.then(Jars::default),
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

    /// Whether another one with these options, in the environment of now, would reach, trust and tell
    /// the same.
    pub(crate) fn is_made_of(&self, options: &NetOptions) -> bool {
        // By name, so that who adds an option has to decide here.
        let NetOptions {
            tls,
            max_message,
            receive_bytes,
            subprotocols,
            proxy,
            tcp,
            timeouts,
            with_credentials,
            remember_address,
        } = options;
        self.tls.options() == tls
            && self.max_message == *max_message
            && self.receive_bytes == *receive_bytes
            && self.subprotocols == *subprotocols
            && Proxies::new(proxy).is_ok_and(|proxies| proxies == self.proxies)
            && self.dialler.tcp == *tcp
            && self.dialler.timeouts == *timeouts
            && self.jars.is_some() == *with_credentials
            && self.dialler.remembered.is_some() == *remember_address
    }

    /// Begins to connect to where a WebSocket will be asked for, and asks for it if the connection is made at once; never
    /// blocks. `None` where something else comes before, or takes so much longer that it is not worth it: a look-up, a proxy,
    /// TLS.
    pub(crate) fn begin_websocket(
        &self,
        asked: &Request,
    ) -> Option<(BegunConnect, UpgradeRequest)> {
        let request = self.redirections.place(asked);
        let begun = self.begin_to(&request.endpoint)?;
        let upgrade = self.upgrade_request(&request).ok()?;
        Some((begun.send(upgrade.as_bytes())?, upgrade))
    }

    pub(super) fn begin_to(&self, endpoint: &Endpoint) -> Option<BegunConnect> {
        let is_direct = !endpoint.secure && self.proxies.for_endpoint(endpoint).is_none();
        is_direct.then(|| self.dialler.begin(&endpoint.host, endpoint.port))?
    }

    /// Opens a WebSocket.
    #[cfg(test)]
    pub(crate) fn websocket(&self, asked: &Request, attempt: &Arc<Attempt>) -> Result<WebSocket> {
        self.go_on_to_websocket(asked, None, attempt)
    }

    /// Opens a WebSocket, where that was begun by this request.
    // Its frame is large, and of no use to the connection that it has opened.
    #[inline(never)]
    pub(crate) fn go_on_to_websocket(
        &self,
        asked: &Request,
        mut begun: Option<UpgradeRequest>,
        attempt: &Arc<Attempt>,
    ) -> Result<WebSocket> {
        attempt.begin();
        self.follow(asked, true, |request| self.ask_for_websocket(request, begun.take(), attempt))
            .map_err(|error| attempt.describe(error))
    }

    /// Asks where the session is, or where its handshake is sent, until the answer is the expected one. `asked` is
    /// what the caller wants, and `upgrade` whether that is a WebSocket.
    pub(super) fn follow<T>(
        &self,
        asked: &Request,
        upgrade: bool,
        mut ask: impl FnMut(&Request) -> Result<Answered<T>>,
    ) -> Result<T> {
        let mut request = self.redirections.place(asked);
        loop {
            let OtherAnswer { status, headers, body, sent } = match ask(&request)? {
                Answered::Expected(answer) => return Ok(answer),
                Answered::Other(other) => other,
            };
            let sent = Sent { request: &request, head: sent, upgrade };
            let refusal = StatusRefusal { status, headers: &headers, body: &body, sent };
            request = Cow::Owned(self.after_refusal(asked, &refusal)?);
        }
    }

    /// The cookies of a server, if they are kept.
    pub(super) fn jar(&self, endpoint: &Endpoint) -> Option<Arc<Jar>> {
        self.jars.as_ref().map(|jars| jars.of(endpoint))
    }

    /// Asks once for a WebSocket.
    fn ask_for_websocket(
        &self,
        request: &Request,
        begun: Option<UpgradeRequest>,
        attempt: &Arc<Attempt>,
    ) -> Result<Answered<WebSocket>> {
        // Before dialling: a header that cannot be sent fails even when the server is away.
        let upgrade = begun.map_or_else(|| self.upgrade_request(request), Ok)?;
        let mut stream = self.stream(&request.endpoint, attempt)?;
        attempt.enter(Stage::Http, self.dialler.timeouts.http);
        let note = |headers: &::http::HeaderMap| self.note_cookies(request, headers);
        match shake_hands(&mut stream, &upgrade, attempt.take_sent_ahead(), note)? {
            HandshakeAnswer::Accepted(behind) => {
                attempt.enter(Stage::Engine, None);
                let (most, lendable) = (self.max_message, self.receive_bytes);
                Ok(Answered::Expected(WebSocket::new(stream, behind, most, lendable)))
            }
            HandshakeAnswer::Refused(Head { status, headers, .. }, body) => {
                Ok(Answered::Other(OtherAnswer { status, headers, body, sent: upgrade.size() }))
            }
        }
    }

    fn upgrade_request(&self, request: &Request) -> Result<UpgradeRequest> {
        let jar = self.jar(&request.endpoint);
        UpgradeRequest::new(request, &self.subprotocols, jar.as_deref())
    }

    /// What to do about an answer that is not the expected one: the request to send instead, or else
    /// the error. `asked` is what the caller wants.
    fn after_refusal(&self, asked: &Request, refusal: &StatusRefusal<'_>) -> Result<Request> {
        let StatusRefusal { status, headers, sent, .. } = refusal;
        self.redirections.follow(asked, sent.request, *status, headers).map_err(|why_here| {
            let error = refusal.error(why_here);
            // Else they would be sent, and refused, until this device starts anew.
            let jar = self.jar(&sent.request.endpoint);
            if refusal.is_about_size() && jar.is_some_and(|jar| jar.clear()) {
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
        if let Some(jar) = self.jar(&request.endpoint) {
            jar.note(request, headers);
        }
    }

    /// Why a connection between these addresses carries nothing any more, if the system knows it.
    pub(crate) fn cut_off(&self, local: SocketAddr, peer: SocketAddr) -> Option<String> {
        self.dialler.cut_off(local, peer)
    }

    /// Dials an endpoint.
    pub(super) fn stream(&self, endpoint: &Endpoint, attempt: &Arc<Attempt>) -> Result<Stream> {
        let stream = self.open(endpoint, attempt)?;
        let proxy = self.proxies.for_endpoint(endpoint);
        let host = proxy.map_or(&endpoint.host, |proxy| &proxy.host);
        self.dialler.note_worked(host, attempt.so_far().address);
        Ok(stream)
    }

    fn open(&self, endpoint: &Endpoint, attempt: &Arc<Attempt>) -> Result<Stream> {
        if endpoint.secure {
            return self.open_secured(endpoint, attempt);
        }
        Ok(Stream::plain(self.dial(endpoint, attempt)?, attempt))
    }

    // Apart, so that who connects without TLS has no frame that is large enough for it.
    #[inline(never)]
    fn open_secured(&self, endpoint: &Endpoint, attempt: &Arc<Attempt>) -> Result<Stream> {
        let tls = self.tls.for_attempt(attempt)?;
        let socket = self.dial(endpoint, attempt)?;
        attempt.enter(Stage::Tls, self.dialler.timeouts.tls);
        let stream = tls.connect(socket, endpoint, attempt)?;
        attempt.lift_limit();
        Ok(stream)
    }

    /// Connects to an endpoint, directly or through a proxy.
    fn dial(&self, endpoint: &Endpoint, attempt: &Attempt) -> Result<TcpStream> {
        match self.proxies.for_endpoint(endpoint) {
            None => self.dialler.dial(&endpoint.host, endpoint.port, attempt),
            Some(proxy) => self.dial_through(proxy, endpoint, attempt),
        }
    }

    // Apart, so that who connects directly has no frame that is large enough for a proxy.
    #[inline(never)]
    fn dial_through(
        &self,
        proxy: &Proxy,
        endpoint: &Endpoint,
        attempt: &Attempt,
    ) -> Result<TcpStream> {
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
