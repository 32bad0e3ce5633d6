//! TLS.

/// TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {}

/// Backend.
#[derive(Clone, Copy, Debug)]
pub enum TlsBackend {
    /// r
    Rustls,
}
