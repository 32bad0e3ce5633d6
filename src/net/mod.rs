//! Floor 5: blocking I/O. Dialling, TLS, and the two transports as streams of frames and bodies.
//!
//! But for the limits of `Timeouts`, no call here has a deadline of its own: whoever starts one
//! holds its [`Waker`] and may cancel it from another thread, upon which it returns at once.

mod address;
mod answer;
pub(crate) mod attempt;
mod begun;
mod cookies;
mod date;
mod dial;
mod framing;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod headers;
#[cfg(feature = "polling")]
pub(crate) mod http;
mod interest;
mod jars;
mod lists;
mod lookout;
#[cfg(target_os = "linux")]
mod netlink;
mod network;
mod nonblocking;
mod passed;
mod proxy;
mod redirection;
pub(crate) mod request;
#[cfg(feature = "server")]
pub(crate) mod server;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
mod waker;
pub(crate) mod websocket;

pub(crate) use self::address::{Address, CacheBuster, ExtraHeader, Site};
pub(crate) use self::attempt::Attempt;
pub(crate) use self::headers::check_header;
#[cfg(feature = "polling")]
pub(crate) use self::http::Http;
pub(crate) use self::interest::{Interest, Ready};
pub(crate) use self::lookout::Lookout;
#[cfg(target_os = "linux")]
pub(crate) use self::netlink::{NetworkChange, NetworkNews};
pub(crate) use self::network::{Net, NetOptions};
pub(crate) use self::request::Request;
pub(crate) use self::waker::Waker;
pub(crate) use self::websocket::WebSocket;
pub(crate) use self::websocket::handshake::UpgradeRequest;
