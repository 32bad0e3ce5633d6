//! What a function that prepares an attempt to connect is told of it.

use crate::error::Error;
use crate::options::endpoint::Endpoint;

/// An attempt to connect that is about to be made; see
/// [`Builder::before_attempt`](crate::Builder::before_attempt).
#[derive(Clone, Debug)]
pub struct AttemptInfo {
    number: u32,
    url: String,
    last_error: Option<Error>,
}

impl AttemptInfo {
    pub(crate) fn new(number: u32, endpoint: &Endpoint, last_error: Option<Error>) -> Self {
        Self { number, url: endpoint.to_string(), last_error }
    }

    /// Which attempt to reconnect it is, as in
    /// [`ManagerEvent::ReconnectAttempt`](crate::ManagerEvent::ReconnectAttempt); 0 is the first
    /// attempt to connect.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where it leads, unless the function says otherwise: scheme (`ws` or `wss`), host and port of
    /// the address whose turn it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Why the last attempt failed, or the last session; `None` where the connection was open since.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }
}
