//! The families of errors, and the stages of an attempt to connect.

use std::fmt;

/// The families of errors, by whose fault they are and at which stage they appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller gave a URL that cannot be used.
    InvalidUrl,
    /// The caller gave an option a value outside its range, or options that exclude each other.
    InvalidOption,
    /// The caller used an event name that the protocol reserves for itself.
    ReservedEvent,
    /// The caller's data cannot be encoded, or received data is not of the type asked for.
    Payload,
    /// The packet is larger than the peer or the configured [`Limits`](crate::Limits) allow.
    TooLarge,
    /// A bounded buffer is full: an event to send found no room, or what is awaited lies behind
    /// events that a consumer does not take.
    BufferFull,
    /// The event was taken back before it was sent: by
    /// [`Socket::take_waiting`](crate::Socket::take_waiting), or by a newer one with the same key
    /// ([`Emitter::coalesce`](crate::Emitter::coalesce)).
    Withdrawn,
    /// This build or this TLS backend cannot do what was asked for.
    Unsupported,
    /// An error of the program's own ([`Error::other`](crate::Error::other)), which is the source of this one.
    Other,
    /// A deadline passed.
    Timeout,
    /// The connection was lost, or closed, before the operation was finished.
    Disconnected,
    /// The connection ended again and again while this event was on its way: it may be what the
    /// server cannot bear, or takes for too large. It was sent several times, and may have arrived.
    Undeliverable,
    /// An attempt to connect failed, at the given stage.
    ///
    /// Other kinds tell more of some failed attempts: [`Refused`](Self::Refused),
    /// [`Protocol`](Self::Protocol), [`TooLarge`](Self::TooLarge), [`Resource`](Self::Resource), and
    /// those that are the caller's. [`Error::stage`](crate::Error::stage) tells the stage of them all. Once the session is open,
    /// its end is [`Transport`](Self::Transport), [`Protocol`](Self::Protocol) or
    /// [`TooLarge`](Self::TooLarge), and has no stage.
    Connect(Stage),
    /// The server refused the namespace; [`Error::data`](crate::Error::data) has what it sent along.
    Refused,
    /// The peer broke the Engine.IO or Socket.IO protocol.
    Protocol,
    /// An established transport failed, or the second one to which a session was to move.
    Transport,
    /// The operating system refused a resource: a thread, a descriptor.
    Resource,
    /// The store of an outbox cannot be written or read: the disk is full, the file system is
    /// read-only, the file is in use. The source of the error says which.
    Storage,
    /// What the store of an outbox has written is not what it reads.
    Damaged,
}

/// The steps of an attempt to connect, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Asking the function of [`Builder::before_attempt`](crate::Builder::before_attempt).
    Prepare,
    /// Looking up the host name.
    Dns,
    /// Opening the TCP connection.
    Tcp,
    /// Asking a proxy for the way.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The HTTP request or the WebSocket handshake.
    Http,
    /// The Engine.IO handshake.
    Engine,
    /// Joining the Socket.IO namespace.
    Namespace,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidUrl => "invalid URL",
            Self::InvalidOption => "invalid option",
            Self::ReservedEvent => "reserved event name",
            Self::Payload => "payload",
            Self::TooLarge => "too large",
            Self::BufferFull => "buffer full",
            Self::Withdrawn => "withdrawn",
            Self::Unsupported => "not supported",
            Self::Other => "error of the program",
            Self::Timeout => "timeout",
            Self::Disconnected => "disconnected",
            Self::Undeliverable => "undeliverable",
            Self::Connect(stage) => return write!(f, "cannot connect, {stage}"),
            Self::Refused => "refused by the server",
            Self::Protocol => "protocol error",
            Self::Transport => "transport error",
            Self::Resource => "system resource",
            Self::Storage => "storage",
            Self::Damaged => "damaged",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparation",
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Proxy => "proxy",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Engine => "Engine.IO",
            Self::Namespace => "namespace",
        })
    }
}
