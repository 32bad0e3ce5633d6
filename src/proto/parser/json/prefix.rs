//! What stands before the JSON of a packet: `<type>[<count>-][<namespace>,][<id>]`.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::proto::protocol_error;
use crate::proto::socket_packet::Kind;

/// What stands before the JSON of a received packet.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) kind: Kind,
    /// How many attachments the packet announces.
    pub(super) attachments: usize,
    /// Where the namespace stands; `None` is `/`.
    pub(super) namespace: Option<Range<usize>>,
    pub(super) id: Id,
    /// Its length in bytes, which is where the JSON begins.
    pub(super) len: usize,
}

/// The ack id of a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    None,
    Some(u64),
    /// Digits that no `u64` can hold.
    Huge,
}

impl Prefix {
    /// Reads it from the start of a packet.
    pub(super) fn read(text: &str, max_attachments: usize, lax: bool) -> Result<Self> {
        let fail = |wrong: &str| protocol_error(wrong, text.as_bytes());
        let (kind, binary) = match text.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'4') => (Kind::ConnectError, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            Some(_) => return Err(fail("unknown Socket.IO packet type")),
            None => return Err(fail("empty Socket.IO packet")),
        };
        let mut len = 1;
        let mut attachments = 0;
        if binary {
            let count = digits(text, len);
            if !(lax && count == "0") {
                attachments = count_attachments(count, max_attachments, fail)?;
            }
            len += count.len();
            if text.as_bytes().get(len) != Some(&b'-') {
                return Err(fail("no `-` behind the number of attachments"));
            }
            len += 1;
        }
        let namespace = namespace(text, len);
        if let Some(range) = &namespace {
            // The comma may be missing at the end of the text.
            len = text.len().min(range.end + 1);
        }
        let id = digits(text, len);
        len += id.len();
        Ok(Self { kind, attachments, namespace, id: Id::from_digits(id), len })
    }
}

impl Id {
    fn from_digits(digits: &str) -> Self {
        match digits.parse() {
            Ok(id) => Self::Some(id),
            Err(_) if digits.is_empty() => Self::None,
            Err(_) => Self::Huge,
        }
    }
}

/// The digits at an offset.
fn digits(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    &rest[..end]
}

/// How many attachments are announced: from one to the limit.
fn count_attachments(digits: &str, max: usize, fail: impl Fn(&str) -> Error) -> Result<usize> {
    if digits.is_empty() {
        return Err(fail("no number of attachments"));
    }
    match digits.parse() {
        Ok(0) => Err(fail("a binary packet with 0 attachments")),
        Ok(count) if count <= max => Ok(count),
        _ => Err(fail(&format!("more attachments than the limit of {max}"))
            // Clients and servers have an option of that name.
            .with_hint("the option `max_attachments` raises it")),
    }
}

/// Where the namespace stands at an offset, if there is one: up to a comma or the end.
fn namespace(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..).filter(|rest| rest.starts_with('/'))?;
    Some(at..at + rest.find(',').unwrap_or(rest.len()))
}
