//! The revision of the protocols.

/// Which revision of the protocols a connection speaks.
///
/// A program that says it and is wrong gets errors which hint at that: some servers refuse, but
/// over WebSocket alone some are only silent, until a time limit passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// Whatever the server speaks, which is known by the form of its first answer. This costs
    /// nothing with servers since 4.5, nor where long-polling comes first; over WebSocket alone the
    /// first connection to an older server takes one more round trip. Some servers refuse to be
    /// asked in a revision that they do not speak: those are asked in the other one, in the same
    /// attempt. What a server speaks is remembered for reconnections, and found out again when the
    /// server has changed meanwhile.
    #[default]
    Auto,
    /// Engine.IO 3 and Socket.IO 4, which servers 1.x and 2.x speak, and newer ones with
    /// `allowEIO3`.
    V3,
    /// Engine.IO 4 and Socket.IO 5, which servers 3.x and 4.x speak.
    V4,
}
