//! The errors of TLS, in the same words for every library.

use std::borrow::Cow;
#[cfg(feature = "rustls")]
use std::io;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Stage};
use crate::net::date;

/// The error of an option that the library in use has no means for.
pub(super) fn unsupported(option: &str, library: &str, hint: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{library} has no means for `Tls::{option}`"))
        .with_hint(hint)
}

/// An error of the handshake.
pub(super) fn tls_error(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Connect(Stage::Tls), what)
}

/// The error of a handshake that the connection did not outlive.
#[cfg(feature = "rustls")]
pub(super) fn cut_off(error: io::Error, name: &str) -> Error {
    let how = match error.kind() {
        io::ErrorKind::UnexpectedEof => "ended the connection within",
        io::ErrorKind::ConnectionReset => "reset the connection within",
        _ => "did not go on with",
    };
    tls_error(format!("`{name}` {how} the TLS handshake"))
        .with_hint(
            "is this the port for https and wss, and does the server, or a firewall on the way, know \
             this name?",
        )
        .with_source(error)
}

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadCertificate {
    Expired,
    NotYetValid,
    WrongHost,
    UnknownIssuer,
    NotForServers,
    /// OpenSSL tells it from an unknown issuer.
    #[cfg(feature = "native-tls")]
    SelfSigned,
    /// webpki tells it.
    #[cfg(feature = "rustls")]
    CaAsServer,
    Other,
}

impl BadCertificate {
    /// The error of a refusal; `name` is the server's.
    pub(super) fn error(self, name: &str) -> Error {
        let today = date::civil(SystemTime::now());
        let clock = format!("is the clock of this device right? It says {today}");
        let (what, hint) = match self {
            Self::Expired => ("has expired", &*clock),
            Self::NotYetValid => ("is not valid yet", &*clock),
            Self::WrongHost => (
                "is for another host",
                "is the URL right? `Tls::server_name` can say which name to expect",
            ),
            Self::UnknownIssuer => (
                "is of an authority that is not trusted",
                "give the authority by `Tls::ca_file`; or does the server not send its \
                 intermediate certificate, or the network want a login first?",
            ),
            #[cfg(feature = "native-tls")]
            Self::SelfSigned => {
                ("is signed by itself, and not trusted", "give it by `Tls::ca_file`")
            }
            #[cfg(feature = "rustls")]
            Self::CaAsServer => (
                "is that of an authority, in the place of a server's",
                "make the server a certificate without CA:TRUE (openssl: \
                 -addext basicConstraints=CA:FALSE)",
            ),
            Self::NotForServers => ("is not made for servers", "get one with the usage serverAuth"),
            Self::Other => ("is not acceptable", "look at it with `openssl s_client`"),
        };
        let error = tls_error(format!("the certificate of `{name}` {what}"));
        let error = error.with_hint(hint.to_owned());
        // The clock may be set before the next attempt.
        if matches!(self, Self::Expired | Self::NotYetValid) { error } else { error.fatal() }
    }
}
