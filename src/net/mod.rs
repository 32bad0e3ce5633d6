//! Floor 3: blocking I/O. Dialling, TLS, and the two transports as streams of frames and bodies.
//!
//! But for the limits of [`Timeouts`], no call here has a deadline of its own: whoever starts one
//! holds its [`Signal`] and may cancel it from another thread, upon which it returns at once.

mod cookies;
mod date;
mod dial;
mod headers;
#[cfg(feature = "polling")]
pub(crate) mod http;
mod network;
mod nonblocking;
mod proxy;
pub(crate) mod request;
pub(crate) mod signal;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
pub(crate) mod websocket;

pub(crate) use self::headers::check_header;
#[cfg(feature = "polling")]
pub(crate) use self::http::Http;
pub(crate) use self::network::{Net, NetOptions};
pub(crate) use self::request::Request;
pub(crate) use self::signal::Signal;
pub(crate) use self::websocket::WebSocket;
