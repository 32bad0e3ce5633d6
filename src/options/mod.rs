//! Floor 1: what a user can set. Plain data with documented defaults.

pub(crate) mod buffer;
pub(crate) mod check;
#[cfg(feature = "serde")]
pub(crate) mod config;
pub(crate) mod endpoint;
pub(crate) mod limits;
pub(crate) mod manager;
mod names;
mod parser;
pub(crate) mod proxy;
mod proxy_url;
pub(crate) mod rejection;
pub(crate) mod retry_limits;
mod revision;
pub(crate) mod tcp;
pub(crate) mod timeouts;
pub(crate) mod tls;

pub use buffer::Buffer;
pub use limits::{Limits, WhenFull};
pub(crate) use manager::ManagerOptions;
pub use manager::Transport;
pub use parser::ParserKind;
pub use proxy::Proxy;
pub(crate) use proxy::ProxyChoice;
pub use rejection::Rejection;
pub(crate) use rejection::Rejections;
pub use revision::Revision;
pub(crate) use tcp::TcpOptions;
pub use timeouts::Timeouts;
pub use tls::{Tls, TlsBackend, TlsVersion};
