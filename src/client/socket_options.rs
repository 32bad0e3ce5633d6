//! Options for a socket rather than for its connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::driver::client::NamespaceAuth;
use crate::error::{Error, Result, Stage};
use crate::options::check::{Check, check_time};
use crate::options::retry_limits::RetryLimits;
use crate::options::{Rejection, Rejections};
use crate::payload::Payload;

/// Options for one [`Socket`](crate::Socket) of a connection that there is already; see
/// [`Manager::socket_with`](crate::Manager::socket_with).
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// use siot::SocketOptions;
///
/// let options = SocketOptions::new().auth(serde_json::json!({ "token": "123" }));
/// let admin = socket.manager().socket_with("/admin", options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "give it to `Manager::socket_with`"]
pub struct SocketOptions {
    pub(crate) auth: Option<NamespaceAuth>,
    pub(crate) acks: AckOptions,
    pub(crate) auto_connect: bool,
    pub(crate) reconnect_after: Rejections,
    /// The first option that could not be used.
    error: Option<Error>,
}

/// How a socket's events are acknowledged. Those of a connection hold for its sockets that have none
/// of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) retry_limits: RetryLimits,
}

impl SocketOptions {
    /// The default options.
    pub fn new() -> Self {
        Self {
            auth: None,
            acks: AckOptions::default(),
            auto_connect: true,
            reconnect_after: Rejections::default(),
            error: None,
        }
    }

    /// See [`Builder::auth`](crate::Builder::auth).
    pub fn auth<T: Serialize>(mut self, auth: T) -> Self {
        match Payload::value(&auth) {
            Ok(payload) => self.auth = Some(NamespaceAuth::Fixed(payload)),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// See [`Builder::auth_with`](crate::Builder::auth_with).
    pub fn auth_with<T: Serialize>(
        mut self,
        auth: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.auth = Some(auth_function(auth));
        self
    }

    /// See [`Builder::retries`](crate::Builder::retries).
    pub fn retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.acks.retries = retries.into();
        self
    }

    /// See [`Builder::interrupted_tries`](crate::Builder::interrupted_tries).
    pub fn interrupted_tries(mut self, count: u32) -> Self {
        self.acks.retry_limits.interruptions = count;
        self
    }

    /// See [`Builder::reliable_window`](crate::Builder::reliable_window).
    pub fn reliable_window(mut self, events: usize) -> Self {
        self.acks.retry_limits.window = events;
        self
    }

    /// See [`Builder::ack_timeout`](crate::Builder::ack_timeout).
    #[doc(alias = "ackTimeout")]
    pub fn ack_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.acks.timeout = limit.into();
        self.acks.retry_limits.try_limit = self.acks.timeout.unwrap_or(RetryLimits::TRY_LIMIT);
        self
    }

    /// See [`Builder::auto_connect`](crate::Builder::auto_connect).
    #[doc(alias = "autoConnect")]
    pub fn auto_connect(mut self, auto_connect: bool) -> Self {
        self.auto_connect = auto_connect;
        self
    }

    /// See [`Builder::reconnect_after`](crate::Builder::reconnect_after).
    pub fn reconnect_after(mut self, rejections: impl IntoIterator<Item = Rejection>) -> Self {
        self.reconnect_after = rejections.into_iter().collect();
        self
    }
}

impl Check for SocketOptions {
    fn check(&self) -> Result<()> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        check_time(self.acks.timeout, "an ack_timeout of zero leaves no time for an answer")?;
        self.acks.retry_limits.check()
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SocketOptions {
    /// Says nothing of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketOptions")
            .field("acks", &self.acks)
            .field("auto_connect", &self.auto_connect)
            .field("reconnect_after", &self.reconnect_after)
            .finish_non_exhaustive()
    }
}

/// Asks a function for the credentials of a namespace.
pub(crate) fn auth_function<T: Serialize>(
    auth: impl Fn() -> Result<T> + Send + Sync + 'static,
) -> NamespaceAuth {
    NamespaceAuth::Function(Arc::new(move || {
        let auth = auth().map_err(|error| error.of_function(Stage::Namespace, "auth_with"))?;
        Payload::value(&auth)
    }))
}
