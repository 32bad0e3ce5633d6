//! Floor 1: what a user can set. Plain data with documented defaults.

pub(crate) mod buffer;
pub(crate) mod check;
#[cfg(feature = "server")]
pub(crate) mod check_server;
#[cfg(feature = "serde")]
pub(crate) mod config;
#[cfg(feature = "server")]
pub(crate) mod cors;
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
#[cfg(feature = "server")]
pub(crate) mod server_tls;
#[cfg(feature = "server")]
pub(crate) mod session_cookie;
pub(crate) mod tcp;
pub(crate) mod timeouts;
pub(crate) mod tls;
#[cfg(feature = "server")]
pub(crate) mod web_origin;

pub use buffer::Buffer;
#[cfg(feature = "server")]
pub use cors::Cors;
pub use limits::{Limits, WhenFull};
pub(crate) use manager::ManagerOptions;
pub use manager::Transport;
pub use parser::ParserKind;
pub use proxy::Proxy;
pub(crate) use proxy::ProxyChoice;
pub use rejection::Rejection;
pub(crate) use rejection::Rejections;
pub use revision::Revision;
#[cfg(feature = "server")]
pub use server_tls::ServerTls;
#[cfg(feature = "server")]
pub use session_cookie::{SameSite, SessionCookie};
pub(crate) use tcp::TcpOptions;
pub use timeouts::Timeouts;
pub use tls::{Tls, TlsBackend, TlsVersion};
