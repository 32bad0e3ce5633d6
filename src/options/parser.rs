//! How packets are written.

/// How the packets of Socket.IO are written. Both sides of a connection need the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParserKind {
    /// JSON, and binary as attachments: what servers do by default (`socket.io-parser`).
    #[default]
    Json,
    /// `MessagePack`, with binary inside: what servers do with `socket.io-msgpack-parser`. It needs
    /// the feature `msgpack`.
    ///
    /// A program stays the same: what it sends and receives is of the types that JSON has, and
    /// binary. A JavaScript `Date` comes as the text that JSON has for it, `undefined` as `null` or
    /// as no member at all.
    MessagePack,
}
