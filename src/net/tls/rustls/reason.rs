//! rustls's errors in the words of this crate.

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

use crate::error::Error;
use crate::net::tls::errors::{BadCertificate, tls_error};

/// Names the reason for which a handshake failed; `name` is the server's.
pub(super) fn explain(error: RustlsError, name: &str) -> Error {
    let explained = match &error {
        RustlsError::InvalidCertificate(reason) => bad_certificate(reason).error(name),
        RustlsError::AlertReceived(alert) => alert_received(*alert),
        RustlsError::InvalidMessage(_) => tls_error(format!("`{name}` does not answer in TLS"))
            .with_hint("is this the port for https and wss, or does it want http and ws?"),
        RustlsError::PeerIncompatible(_) => {
            tls_error(format!("`{name}` offers no TLS that is still safe"))
                .with_hint("TLS 1.2 or 1.3 is needed")
        }
        _ => tls_error(format!("the TLS handshake with `{name}` failed"))
            .with_hint("`openssl s_client` shows what the server says"),
    };
    explained.with_source(error)
}

fn bad_certificate(reason: &CertificateError) -> BadCertificate {
    use CertificateError as E;
    match reason {
        E::Expired | E::ExpiredContext { .. } => BadCertificate::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => BadCertificate::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => BadCertificate::WrongHost,
        // A bad signature is that of another authority of the same name, made anew perhaps.
        E::UnknownIssuer | E::BadSignature => BadCertificate::UnknownIssuer,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => BadCertificate::NotForServers,
        // webpki's name for a CA in a server's place, which rustls hands on as it is.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            BadCertificate::CaAsServer
        }
        _ => BadCertificate::Other,
    }
}

fn alert_received(alert: AlertDescription) -> Error {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => tls_error("the server asks for a client certificate")
            .with_hint("give one by `Tls::client_cert_files`"),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => tls_error("the server refused the client certificate")
            .with_hint("is it of the right authority, and still valid?"),
        A::HandshakeFailure => tls_error("the server ended the TLS handshake")
            .with_hint("it may want a client certificate, or know none of our ciphers"),
        A::ProtocolVersion => tls_error("the server offers no TLS that is still safe")
            .with_hint("TLS 1.2 or 1.3 is needed"),
        A::NoApplicationProtocol => tls_error("the server speaks no HTTP/1.1")
            .with_hint("WebSocket and long-polling need it: the server may be for HTTP/2 alone"),
        A::UnrecognisedName => tls_error("the server does not know the name it was asked for")
            .with_hint("`Tls::server_name` can say which name to ask for"),
        _ => tls_error("the server ended the TLS session")
            .with_hint("its log may tell why; `openssl s_client` shows what it says"),
    }
}
