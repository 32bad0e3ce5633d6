//! Options: plain data with documented defaults.

mod tls;

pub use tls::{Tls, TlsBackend};
