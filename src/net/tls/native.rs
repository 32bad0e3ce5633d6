//! TLS by the platform's library, over a non-blocking socket.

mod pkcs8;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use native_tls::{Certificate, HandshakeError, Identity, Protocol, TlsStream};
use rustix::event::PollFlags;

use super::alpn::HTTP;
use super::errors::{BadCertificate, tls_error, unsupported};
use super::material;
use crate::error::{Error, ErrorKind, Result};
use crate::net::attempt::Attempt;
use crate::net::nonblocking::{retry, would_block, write_all_that_fits};
use crate::net::passed::Passed;
use crate::options::{Tls, TlsVersion};

/// How to call it in an error.
const LIBRARY: &str = "the platform's TLS library";

/// A configuration.
#[derive(Debug)]
pub(super) struct NativeConnector {
    connector: native_tls::TlsConnector,
}

/// An encrypted connection.
#[derive(Debug)]
pub(in crate::net) struct NativeStream {
    inner: TlsStream<NotingSocket>,
}

/// A socket that notes for which direction the library waits, which it does not say itself.
struct NotingSocket {
    socket: Arc<TcpStream>,
    full: bool,
    passed: Passed,
}

impl NativeConnector {
    pub(super) fn new(options: &Tls) -> Result<Self> {
        const RUSTLS: &str = "TlsBackend::Rustls can do it";
        if !options.ciphers.is_empty() {
            return Err(unsupported("ciphers", LIBRARY, RUSTLS));
        }
        if options.clock_floor.is_some() {
            return Err(unsupported("clock_floor", LIBRARY, RUSTLS));
        }
        let min_version = match options.min_version {
            None | Some(TlsVersion::Tls12) => Protocol::Tlsv12,
            Some(TlsVersion::Tls13) => Protocol::Tlsv13,
        };
        let mut builder = native_tls::TlsConnector::builder();
        builder
            .min_protocol_version(Some(min_version))
            .request_alpns(&[HTTP])
            .disable_built_in_roots(options.no_built_in_roots && !options.system_roots)
            .danger_accept_invalid_certs(options.accept_invalid)
            .danger_accept_invalid_hostnames(options.accept_invalid);
        for ca in &options.cas {
            let (material, certs) = material::ca(ca)?;
            for cert in certs {
                builder.add_root_certificate(Certificate::from_der(&cert).map_err(|error| {
                    material.invalid("has a certificate that cannot be used").with_source(error)
                })?);
            }
        }
        if let Some(identity) = identity(options)? {
            builder.identity(identity);
        }
        let connector = builder.build().map_err(|error| {
            let what = "the certificates cannot be used, or do not fit together";
            Error::new(ErrorKind::InvalidOption, what).with_source(error)
        })?;
        Ok(Self { connector })
    }

    pub(super) fn connect(
        &self,
        socket: Arc<TcpStream>,
        name: &str,
        attempt: &Attempt,
    ) -> Result<NativeStream> {
        let mut result = self
            .connector
            .connect(name, NotingSocket { socket, full: false, passed: Passed::default() });
        loop {
            result = match result {
                Ok(inner) => return Ok(NativeStream { inner }),
                Err(HandshakeError::Failure(error)) => {
                    return Err(explain(&error.to_string(), name).with_source(error));
                }
                Err(HandshakeError::WouldBlock(handshake)) => {
                    let NotingSocket { socket, full, .. } = handshake.get_ref();
                    let flags = if *full { PollFlags::OUT } else { PollFlags::IN };
                    attempt.wait_for_io(socket.as_fd(), flags)?;
                    handshake.handshake()
                }
            };
        }
    }
}

impl NativeStream {
    /// Says to the peer that nothing more will be written, in TLS and then in TCP.
    pub(in crate::net) fn half_close(&mut self) {
        // If this cannot be sent now, the end of the TCP stream says the same.
        let _ = self.inner.shutdown();
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    pub(in crate::net) fn socket(&self) -> &Arc<TcpStream> {
        &self.inner.get_ref().socket
    }

    /// How many bytes the socket has given and taken so far.
    pub(in crate::net) fn passed(&self) -> Passed {
        self.inner.get_ref().passed
    }
}

impl Read for NativeStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| self.inner.read(buffer))
    }
}

impl Write for NativeStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all_that_fits(&mut self.inner, bytes)
    }

    /// What the socket did not take is not kept by the library: the next write repeats it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for NotingSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.full = false;
        let read = retry(|| (&*self.socket).read(buffer))?;
        self.passed.read = self.passed.read.wrapping_add(read);
        Ok(read)
    }
}

impl Write for NotingSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = retry(|| (&*self.socket).write(bytes));
        self.full = would_block(&result);
        let written = result?;
        self.passed.written = self.passed.written.wrapping_add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for NotingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

fn identity(options: &Tls) -> Result<Option<Identity>> {
    match material::identity(options)? {
        None => Ok(None),
        Some(material::Identity::Pfx(pfx)) => {
            let passphrase = options.passphrase.as_ref().map_or("", |secret| &secret.0);
            Identity::from_pkcs12(&pfx.bytes, passphrase).map(Some).map_err(|error| {
                pfx.invalid("cannot be used").with_source(error).with_hint(
                    "is it PKCS#12, is the passphrase right, and its encryption one that this \
                     OpenSSL still has?",
                )
            })
        }
        Some(material::Identity::Pair { chain, key }) => {
            let mut certs = String::new();
            for cert in chain {
                certs.push_str(&pem("CERTIFICATE", &cert));
            }
            let key = pem("PRIVATE KEY", &pkcs8::from_any(&key)?);
            Identity::from_pkcs8(certs.as_bytes(), key.as_bytes()).map(Some).map_err(|error| {
                let what = "the client certificate or its key cannot be used";
                Error::new(ErrorKind::InvalidOption, what).with_source(error)
            })
        }
    }
}

/// The only form in which the library takes both.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    format!("{pem}-----END {label}-----\n")
}

/// An alert that comes after the handshake: with TLS 1.3 the server looks at the client's
/// certificate only then.
pub(in crate::net) fn late_refusal(error: &io::Error) -> Option<Error> {
    let text = error.to_string();
    text.contains("SSL alert number").then(|| explain(&text, "").with_source(text))
}

/// Names the reason for which a handshake failed. OpenSSL tells it in its text only.
fn explain(text: &str, name: &str) -> Error {
    let has = |part: &str| text.contains(part);
    let problem = if has("certificate has expired") {
        BadCertificate::Expired
    } else if has("not yet valid") {
        BadCertificate::NotYetValid
    } else if has("ostname mismatch") || has("IP address mismatch") {
        BadCertificate::WrongHost
    } else if has("self-signed certificate)") || has("self signed certificate)") {
        BadCertificate::SelfSigned
    } else if has("local issuer")
        || has("signature failure")
        || has("verify the first")
        || has("certificate in certificate chain")
    {
        BadCertificate::UnknownIssuer
    } else if has("purpose") {
        BadCertificate::NotForServers
    } else if has("certificate verify failed") {
        BadCertificate::Other
    } else {
        return other_reason(text, name);
    };
    let error = problem.error(name);
    if problem == BadCertificate::UnknownIssuer {
        return error.with_hint(
            "give the authority by `Tls::ca_file`; or does the server not send its intermediate \
             certificate, or are this system's root certificates not installed?",
        );
    }
    error
}

/// The reasons that are not in the server's certificate.
fn other_reason(text: &str, name: &str) -> Error {
    let has = |part: &str| text.contains(part);
    if has("certificate required") {
        tls_error("the server asks for a client certificate")
            .with_hint("give one by `Tls::client_cert_files`")
    } else if has("alert") && (has("certificate") || has("unknown ca") || has("access denied")) {
        tls_error("the server refused the client certificate")
            .with_hint("is it of the right authority, and still valid?")
    } else if has("no application protocol") {
        tls_error("the server speaks no HTTP/1.1")
            .with_hint("WebSocket and long-polling need it: the server may be for HTTP/2 alone")
    } else if has("wrong version number") || has("packet length too long") {
        tls_error(format!("`{name}` does not answer in TLS"))
            .with_hint("is this the port for https and wss, or does it want http and ws?")
    } else if has("unsupported protocol") || has("protocol version") {
        tls_error(format!("`{name}` offers no TLS that is still safe"))
            .with_hint("TLS 1.2 or 1.3 is needed")
    } else {
        tls_error(format!("the TLS handshake with `{name}` failed")).with_hint(
            "is this the port for https and wss? `openssl s_client` shows what the server says",
        )
    }
}
