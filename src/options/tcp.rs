//! How TCP connections are made.

use std::net::IpAddr;
use std::time::Duration;

/// What [`Builder`](crate::Builder) collects for the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpOptions {
    /// The address that connections come from.
    pub(crate) local_address: Option<IpAddr>,
    /// The network interface that connections go through.
    pub(crate) interface: Option<String>,
    /// After this long without traffic the system probes whether the peer is there.
    pub(crate) keepalive: Option<Duration>,
    /// How long sent data may stay unconfirmed before the system gives the connection up.
    pub(crate) user_timeout: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            local_address: None,
            interface: None,
            keepalive: Some(Duration::from_secs(60)),
            user_timeout: None,
        }
    }
}
