//! Options: plain data with documented defaults.

pub(crate) mod tls;

pub use tls::{Tls, TlsBackend};
