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
    /// One JSON text for each packet: what servers do with `socket.io-json-parser`.
    ///
    /// There are no attachments. A [`Binary`](crate::Binary) is written as Node.js writes a `Buffer`
    /// in JSON, `{"type":"Buffer","data":[255,216]}`, which is up to four bytes for each of its own.
    /// The server sees that object, of which `Buffer.from(object)` makes a `Buffer`. What the
    /// server sends as a `Buffer` comes in the same form: who asks for a `Binary` gets one, and a
    /// [`Value`](crate::Value) has what was sent, an object.
    PlainJson,
}
