//! How TCP connections are made.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// What [`Builder`](crate::Builder) collects for the sockets.
#[derive(Clone, Debug)]
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

impl TcpOptions {
    /// The longest name of an interface (`IFNAMSIZ` without the final zero).
    const MAX_NAME: usize = 15;

    /// Refuses what the system would.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidOption, what));
        if let Some(name) = &self.interface {
            let fits = (1..=Self::MAX_NAME).contains(&name.len());
            if !fits || name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
                return refuse(format!("{name:?} cannot be the name of an interface"));
            }
        }
        let limits = [("keepalive", self.keepalive), ("tcp_user_timeout", self.user_timeout)];
        for (name, limit) in limits {
            // The system counts in seconds or milliseconds, in 31 bits.
            let fits = |limit: Duration| (1..=32_767).contains(&limit.as_secs());
            if limit.is_some_and(|limit| !fits(limit)) {
                return refuse(format!("{name} is not from 1 s to 32,767 s"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_would_refuse_is_refused() {
        TcpOptions::default().check().unwrap();
        for name in ["", "a b", "../x", "sixteen-letters-"] {
            let options = TcpOptions { interface: Some(name.to_owned()), ..TcpOptions::default() };
            assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidOption, "{name}");
        }
        for limit in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
            let options = TcpOptions { user_timeout: Some(limit), ..TcpOptions::default() };
            assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidOption, "{limit:?}");
        }
    }
}
