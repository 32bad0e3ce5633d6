//! A request: what both transports need to know of it.

use crate::endpoint::Endpoint;

/// One HTTP request, or the one that opens a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The server.
    pub(crate) endpoint: Endpoint,
    /// The path and the query, already percent-encoded.
    pub(crate) path_and_query: String,
    /// Headers in addition to those of the transport, in their order.
    pub(crate) headers: Vec<(String, String)>,
}
