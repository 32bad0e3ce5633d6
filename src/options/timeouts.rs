//! How long each step of an attempt to connect may take.

use std::time::Duration;

/// Limits of the steps of an attempt to connect, below the overall
/// [`Builder::connect_timeout`](crate::Builder::connect_timeout). Default: `None`, for each. A limit of zero, which no step can
/// keep, is refused when the connection is built.
///
/// A step that takes too long fails the attempt with an error whose
/// [`stage`](crate::Error::stage) is the step, and that
/// [`is_timeout`](crate::Error::is_timeout).
///
/// ```
/// use std::time::Duration;
///
/// let timeouts = siot::Timeouts::new().dns(Duration::from_secs(5)).tcp(Duration::from_secs(5));
/// # drop(timeouts);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "give it to `Builder::timeouts`"]
pub struct Timeouts {
    pub(crate) dns: Option<Duration>,
    pub(crate) tcp: Option<Duration>,
    pub(crate) proxy: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) http: Option<Duration>,
}

impl Timeouts {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The look-up of the name.
    pub fn dns(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.dns = limit.into();
        self
    }

    /// The TCP connection, over all addresses of the name.
    pub fn tcp(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.tcp = limit.into();
        self
    }

    /// The proxy's answer.
    pub fn proxy(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.proxy = limit.into();
        self
    }

    /// The TLS handshake.
    pub fn tls(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.tls = limit.into();
        self
    }

    /// The answer to the first HTTP request, or to the WebSocket handshake.
    pub fn http(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.http = limit.into();
        self
    }
}
