//! A proxy between this device and the server.

use std::fmt;

/// A proxy that connections go through, for both transports, encrypted or not.
///
/// The proxy looks the server's name up.
///
/// ```
/// # fn main() -> siot::Result<()> {
/// let proxy = siot::Proxy::parse("http://user:password@proxy.example:3128")?;
/// let same = siot::Proxy::http("proxy.example", 3128).credentials("user", "password");
/// # drop((proxy, same)); Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "give it to `Builder::proxy`"]
pub struct Proxy {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<(String, String)>,
}

/// How to talk to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP's CONNECT.
    Http,
    /// SOCKS version 5 (RFC 1928).
    Socks5,
}

/// Where it is said which proxy to use.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProxyChoice {
    /// In the environment variables.
    #[default]
    Environment,
    /// No proxy at all.
    None,
    /// This one, for every server.
    Given(Proxy),
}

impl Proxy {
    /// An HTTP proxy that knows CONNECT.
    pub fn http(host: impl Into<String>, port: u16) -> Self {
        Self { protocol: Protocol::Http, host: host.into(), port, credentials: None }
    }

    /// A SOCKS5 proxy.
    pub fn socks5(host: impl Into<String>, port: u16) -> Self {
        Self { protocol: Protocol::Socks5, host: host.into(), port, credentials: None }
    }

    /// The user name and the password that the proxy asks for.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }
}

/// Without the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Socks5 => "socks5",
        };
        if self.host.contains(':') {
            return write!(f, "{scheme}://[{}]:{}", self.host, self.port);
        }
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Without the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}")?;
        f.write_str(if self.credentials.is_some() { ", with credentials)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_credentials() {
        let proxy = Proxy::socks5("::1", 9).credentials("me", "secret");
        assert_eq!(format!("{proxy} {proxy:?}").matches("secret").count(), 0);
        assert_eq!(proxy.to_string(), "socks5://[::1]:9");
    }
}
