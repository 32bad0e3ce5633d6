//! What was dropped, and what made no sense.

/// What was dropped, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets without an addressee (unknown namespaces and acknowledgements), and those that
    /// made no sense when they came.
    pub(crate) ignored: usize,
    /// Outgoing events that were dropped, for whatever reason.
    pub(crate) dropped: usize,
}

/// Which packets make no sense. A line of the log tells the first of each kind in a session; what a
/// server repeats is counted only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nonsense {
    /// A packet for a namespace that nobody has asked for.
    UnknownNamespace,
    /// An event or an acknowledgement without data.
    NoData,
    /// An acknowledgement that nobody waits for.
    UnknownAck,
    /// An event of a namespace that is not joined.
    StrayEvent,
    /// More events before the answer to CONNECT than can be kept.
    EarlyEvent,
    /// A CONNECT for a namespace that is joined, or that nobody has asked for in this session.
    StrayConnect,
    /// A refusal or a DISCONNECT for a namespace that is not joined.
    StrayRefusal,
    /// A second Engine.IO handshake.
    SecondHandshake,
}
