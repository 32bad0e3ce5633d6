//! Protocol revisions as objects that are chosen once.
//!
//! Whatever differs between Engine.IO 3 / Socket.IO 4 (servers 1.x and 2.x) and Engine.IO 4 /
//! Socket.IO 5 (servers 3.x and 4.x) is a method of [`Dialect`]. No other place asks which it is.

mod body;
pub(crate) mod choice;
pub(crate) mod detector;
mod v3;
mod v4;

use std::collections::VecDeque;
use std::fmt;
use std::io::BufRead;

use bytes::Bytes;

use crate::error::Result;
use crate::proto::packet::Packet;
use crate::proto::text::SharedText;

/// One WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Opcode 1.
    Text(SharedText),
    /// Opcode 2.
    Binary(Bytes),
}

impl Frame {
    /// The size of its content, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// The body of one HTTP request of the polling transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Whether the content type is `application/octet-stream` rather than text.
    pub binary: bool,
    /// The content.
    pub bytes: Bytes,
}

/// How much fits into the body of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRoom {
    /// The most packets.
    pub packets: usize,
    /// The most bytes.
    pub bytes: usize,
}

impl BodyRoom {
    /// Whatever there is.
    pub const ANY: Self = Self { packets: usize::MAX, bytes: usize::MAX };
}

/// Who pings the other side each `pingInterval`. The other side answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinger {
    /// The server.
    Server,
    /// The client.
    Client,
}

/// What a client says of itself when it joins a namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// A JSON object, or nothing.
    pub auth: &'a str,
    /// What the server calls the session that is to be restored.
    pub pid: Option<&'a str>,
    /// The last event that was received in it.
    pub offset: Option<&'a str>,
}

/// A CONNECT packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The namespace as it is written.
    pub namespace: String,
    /// A JSON object, or nothing.
    pub data: String,
}

/// What the server says when a namespace was joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The id of the socket.
    pub id: String,
    /// By which name the session can be restored.
    pub pid: Option<String>,
}

/// What a client asks for when it joins a namespace, as its server reads it.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinRequest<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The credentials as JSON, or nothing.
    pub auth: &'a str,
    /// What stands behind the namespace, without the question mark.
    pub query: &'a str,
}

/// One revision of the two protocols.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// The value of the query parameter `EIO`.
    fn eio(&self) -> &'static str;

    /// Who pings.
    fn pinger(&self) -> Pinger;

    /// Whether the server joins the namespace `/` by itself, before all others: nothing is joined
    /// without it, and it cannot be joined again in the same session.
    fn joins_root(&self) -> bool;

    /// How a namespace is asked for that the server does not join by itself.
    fn connect(&self, namespace: &str, credentials: Credentials<'_>) -> Connect;

    /// Reads the server's positive answer to that, or its own word, in the session `sid`; `data` is the
    /// JSON that came with it, or nothing. `None`: this is the answer of another revision.
    fn membership(&self, namespace: &str, sid: &str, data: &str) -> Option<Membership>;

    /// Whether packets are to be read as laxly as the old parser does.
    fn is_lax(&self) -> bool;

    /// Whether the server reports what goes wrong in a joined namespace as it reports refusals.
    fn reports_errors(&self) -> bool;

    /// Writes a packet as a WebSocket message; with `base64`, never as a binary one.
    fn encode_frame(&self, packet: Packet, base64: bool) -> Frame;

    /// The size of that message, in bytes.
    fn frame_len(&self, packet: &Packet, base64: bool) -> usize;

    /// The size of a request's body that has no other packet, in bytes, at most.
    fn body_len(&self, packet: &Packet) -> usize;

    /// Reads a WebSocket message.
    fn decode_frame(&self, frame: Frame) -> Result<Packet>;

    /// Takes packets off the front of `queue`, as many as fit into the room but at least one, and
    /// writes them as the body of a request. `queue` is not empty.
    fn encode_payload(&self, queue: &mut VecDeque<Packet>, room: BodyRoom) -> Body;

    /// Takes packets off the front of `queue`, as many as fit into the room but at least one, and
    /// writes them as the answer to a GET; with `base64`, never as a binary one. `queue` is not empty.
    #[cfg(feature = "server")]
    fn encode_answer(&self, queue: &mut VecDeque<Packet>, room: BodyRoom, base64: bool) -> Body;

    /// Reads a CONNECT packet; `data` is its JSON, or nothing.
    #[cfg(feature = "server")]
    fn join_request<'a>(&self, namespace: &'a str, data: &'a str) -> JoinRequest<'a>;

    /// The id of a socket in the session `sid`; `None`: it gets one that has nothing to do with it.
    #[cfg(feature = "server")]
    fn socket_id(&self, namespace: &str, sid: &str) -> Option<String>;

    /// The JSON that says that a namespace was joined, or nothing.
    #[cfg(feature = "server")]
    fn welcome(&self, membership: &Membership) -> String;

    /// The JSON that says that it may not be joined; `data` is JSON.
    #[cfg(feature = "server")]
    fn refusal(&self, message: &str, data: Option<&str>) -> String;

    /// Whether both are the same revision.
    #[cfg(feature = "server")]
    fn agrees_with(&self, other: &dyn Dialect) -> bool {
        self.eio() == other.eio()
    }

    /// Reads the body of a response as it comes, packet by packet, none larger than `max` bytes;
    /// `binary` tells that its content type is `application/octet-stream`. The first error is the
    /// last item.
    fn decode_payload<'a>(
        &self,
        binary: bool,
        body: Box<dyn BufRead + 'a>,
        max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a>;
}

#[cfg(test)]
mod tests;
