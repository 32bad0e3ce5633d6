//! The server's end of TLS.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token, event};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, Error as RustlsError, RootCertStore, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
};

use super::session::TlsSession;
use crate::error::{Error, ErrorKind, Result};
use crate::net::tls::alpn::HTTP;
use crate::net::tls::material;
use crate::net::tls::renewed::{Renewed, Stamp, stamps};
use crate::options::tls::Ca;
use crate::options::{ServerTls, TlsVersion};
use crate::sync::logging::log_later;

/// Encrypts the connections that a server takes, by certificates that it follows.
#[derive(Debug)]
pub(in crate::net) struct TlsAcceptor {
    options: ServerTls,
    current: Renewed<ServerConfig>,
}

/// The server's end of an encrypted connection. Reading and writing drive the handshake, which the
/// first of them begins.
///
/// While it is idle, it takes some 8 kB of memory, and 20 kB once large messages have come: rustls keeps the buffer
/// for the largest record that has. Up to 64 KiB more wait in it for a socket that is full.
#[derive(Debug)]
pub(crate) struct TlsServerStream {
    session: TlsSession<ServerConnection>,
    socket: TcpStream,
}

impl TlsAcceptor {
    /// Reads the certificates; one that cannot be used is an error here.
    pub(in crate::net) fn new(options: ServerTls) -> Result<Self> {
        let acceptor = Self { options, current: Renewed::default() };
        acceptor.config()?;
        Ok(acceptor)
    }

    /// A session over a socket that was just accepted.
    pub(in crate::net) fn accept(&self, socket: TcpStream) -> Result<TlsServerStream> {
        let connection = ServerConnection::new(self.config()?).map_err(|error| {
            Error::new(ErrorKind::Resource, "cannot begin a TLS session").with_source(error)
        })?;
        Ok(TlsServerStream { session: TlsSession::new(connection), socket })
    }

    /// The configuration of the files as they are now; or as they were, if they cannot be used now.
    fn config(&self) -> Result<Arc<ServerConfig>> {
        let (config, trouble) =
            self.current.get(|| self.stamps(), |_| server_config(&self.options).map(Arc::new))?;
        if let Some(error) = trouble {
            log_later!(Warn, "{error:#}");
        }
        Ok(config)
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let own = [&self.options.chain, &self.options.key];
        stamps(own.into_iter().chain(self.options.client_cas.iter().map(Ca::source))).collect()
    }
}

fn server_config(options: &ServerTls) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = match options.min_version {
        None | Some(TlsVersion::Tls12) => &[&TLS13, &TLS12],
        Some(TlsVersion::Tls13) => &[&TLS13],
    };
    let verifier = client_verifier(options, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| invalid("TLS cannot be set up").with_source(error))?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let names = ["the given certificate", "the given key"];
    let (chain, key) =
        material::pair([&options.chain, &options.key], names, options.passphrase.as_ref())?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        invalid("the server's certificate and its key do not fit together").with_source(error)
    })?;
    config.alpn_protocols = vec![HTTP.as_bytes().to_vec()];
    Ok(config)
}

/// Who verifies the certificates of clients, if they are asked for any.
fn client_verifier(
    options: &ServerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
    if options.client_cas.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for ca in &options.client_cas {
        let (material, certs) = material::ca(ca)?;
        for cert in certs {
            roots.add(cert).map_err(|error| {
                material.invalid("has a certificate that cannot be used").with_source(error)
            })?;
        }
    }
    let provider = Arc::clone(provider);
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder =
        if options.client_cert_optional { builder.allow_unauthenticated() } else { builder };
    let verifier = builder.build();
    verifier.map(Some).map_err(|error| invalid("TLS cannot be set up").with_source(error))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOption, what)
}

impl TlsServerStream {
    /// Whether there are encrypted bytes that the socket has not taken. The next read, write or flush sends
    /// them.
    pub(in crate::net) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    pub(in crate::net) fn is_socket_emptied(&self) -> bool {
        self.session.is_socket_emptied()
    }

    /// The certificate of the client in DER, and those that link it to its authority; empty where it
    /// has none, and within the handshake.
    pub(in crate::net) fn client_chain(&self) -> Vec<Bytes> {
        let certs = self.session.connection().peer_certificates().unwrap_or_default();
        certs.iter().map(|cert| Bytes::copy_from_slice(cert)).collect()
    }

    /// Says to the peer that nothing more will be written, in TLS and then in TCP.
    pub(in crate::net) fn half_close(&mut self) {
        self.session.say_end(&self.socket);
        // It fails only if the connection is gone already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Read for TlsServerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.read(&self.socket, buffer)
    }
}

impl Write for TlsServerStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.write(&self.socket, bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session.write_vectored(&self.socket, pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.session.push(&self.socket)
    }
}

impl AsFd for TlsServerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl event::Source for TlsServerStream {
    fn register(&mut self, registry: &Registry, token: Token, wanted: Interest) -> io::Result<()> {
        self.socket.register(registry, token, wanted)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        wanted: Interest,
    ) -> io::Result<()> {
        self.socket.reregister(registry, token, wanted)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}

/// What a read or a write says that failed in TLS; `None`: it failed in something else.
pub(in crate::net) fn tls_failure(error: &io::Error) -> Option<Error> {
    let cause = error.get_ref()?.downcast_ref::<RustlsError>()?;
    let what = match cause {
        RustlsError::NoCertificatesPresented => "the client has no certificate",
        RustlsError::InvalidCertificate(reason) => bad_client_certificate(reason),
        RustlsError::AlertReceived(alert) => alert_of_client(*alert),
        RustlsError::InvalidMessage(_) => "the client does not speak TLS",
        RustlsError::PeerIncompatible(_) => "the client offers no TLS that is still safe",
        RustlsError::NoApplicationProtocol => "the client speaks no HTTP/1.1",
        _ => "the client broke the protocol of TLS",
    };
    Some(Error::new(ErrorKind::Transport, what).with_source(cause.clone()))
}

fn bad_client_certificate(reason: &CertificateError) -> &'static str {
    use CertificateError as E;
    match reason {
        E::Expired | E::ExpiredContext { .. } => "the client's certificate has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "the client's certificate is not valid yet: is the clock of this device right?"
        }
        E::UnknownIssuer | E::BadSignature => {
            "the client's certificate is of an authority that is not trusted"
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "the client's certificate is not made for clients"
        }
        _ => "the client's certificate is not acceptable",
    }
}

fn alert_of_client(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        // A signature cannot be verified also where the authority was made anew.
        A::UnknownCA
        | A::BadCertificate
        | A::CertificateUnknown
        | A::UnsupportedCertificate
        | A::DecryptError => "the client does not trust the server's certificate",
        A::CertificateExpired => "to the client, the server's certificate has expired",
        A::ProtocolVersion | A::HandshakeFailure | A::InsufficientSecurity => {
            "the client speaks no TLS that is still safe"
        }
        _ => "the client ended the TLS session",
    }
}

#[cfg(test)]
pub(in crate::net) mod tests;
