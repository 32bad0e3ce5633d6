//! TLS, by whichever library is asked for and built in.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod alpn;
mod connector;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod errors;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod material;
#[cfg(feature = "native-tls")]
pub(super) mod native;
pub(super) mod reload;
mod renewed;
#[cfg(feature = "rustls")]
pub(super) mod rustls;
mod shared;
#[cfg(feature = "rustls")]
mod system;

use std::io;

use crate::error::Error;

/// What an alert says that came after the handshake, as the cause of a failed read or write.
pub(super) fn late_refusal(error: &io::Error) -> Option<Error> {
    #[cfg(feature = "rustls")]
    if let Some(refusal) = rustls::late_refusal(error) {
        return Some(refusal);
    }
    #[cfg(feature = "native-tls")]
    if let Some(refusal) = native::late_refusal(error) {
        return Some(refusal);
    }
    let _ = error;
    None
}

#[cfg(all(test, feature = "rustls"))]
mod tests;
