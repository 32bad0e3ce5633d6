//! What a server is made with.

use std::sync::Arc;
use std::time::Duration;

use super::inbox::InboxBounds;
use super::pool::PoolSize;
use crate::core::server::recovery::RecoveryLimits;
use crate::core::server::session::SessionOptions;
use crate::options::ParserKind;
use crate::proto::dialect::Dialect;

/// How clients come back to their sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryOptions {
    pub(crate) limits: RecoveryLimits,
    /// The program is not asked again whether they may join.
    pub(crate) skip_middlewares: bool,
}

/// The options of a server.
#[derive(Clone, Debug)]
pub(crate) struct HubOptions {
    pub(crate) session: Arc<SessionOptions>,
    /// The path of requests, with a slash at both ends.
    pub(crate) path: Box<str>,
    pub(crate) parser: ParserKind,
    pub(crate) max_attachments: usize,
    pub(crate) polling: bool,
    pub(crate) websocket: bool,
    pub(crate) allow_eio3: bool,
    /// Spoken whatever clients ask for, as old servers do.
    pub(crate) only_dialect: Option<&'static dyn Dialect>,
    /// Scripts of clients of that revision may poll.
    pub(crate) allow_jsonp: bool,
    /// From how many bytes on an answer is compressed, if ever.
    pub(crate) http_compression: Option<usize>,
    /// How long a client may take until it has joined a namespace.
    pub(crate) connect_timeout: Duration,
    /// How many namespaces a client may join.
    pub(crate) max_namespaces: usize,
    /// How many connections there may be.
    pub(crate) max_connections: usize,
    /// How many from one address.
    pub(crate) max_connections_per_address: usize,
    /// What may wait for the handlers of a socket.
    pub(crate) inbox: InboxBounds,
    /// How many bytes may wait beyond that while somebody waits for an answer.
    pub(crate) receive_reserve: usize,
    /// How long a client is held up by handlers that do nothing.
    pub(crate) stall_timeout: Duration,
    /// How many acknowledgements of one socket may be awaited.
    pub(crate) acks: usize,
    /// How long an acknowledgement is awaited by default.
    pub(crate) ack_timeout: Duration,
    /// How long other servers of a cluster may take to answer.
    pub(crate) cluster_timeout: Duration,
    pub(crate) pool: PoolSize,
    /// What is kept for clients that lose their connection, if anything is.
    pub(crate) recovery: Option<RecoveryOptions>,
    /// What a broadcast does with a client that has no room for it.
    pub(crate) cut_slow_clients: bool,
}
