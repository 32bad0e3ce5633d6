//! What a server says when it refuses a namespace, or something that was done in it.

use crate::error::{Error, ErrorKind, start_of};
use crate::proto::json::{members, unquoted};
use crate::proto::socket_packet::SocketPacket;

/// The longest message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// The longest JSON that is kept of what comes along, in bytes.
const LONGEST_DATA: usize = 64 * 1024;

/// Reads a server's refusal: `{"message":…,"data":…}`, or from an old one either of the two.
pub(super) fn refusal(namespace: &str, packet: &SocketPacket) -> Error {
    let json = packet.data().trim_ascii();
    let (message, data) = match json.bytes().next() {
        Some(b'{') => words_and_data(json),
        Some(b'"') => (unquoted(json), None),
        Some(b'n') | None => (None, None),
        Some(_) => (None, Some(json)),
    };
    let message = message
        .map_or_else(|| format!("namespace {namespace:?}: no reason given"), |text| as_kept(&text));
    let error = Error::new(ErrorKind::Refused, message);
    match data {
        Some(data) if data.len() <= LONGEST_DATA => error.with_data(data),
        Some(data) => error.with_hint(format!("its data, {} bytes, was not kept", data.len())),
        None => error,
    }
}

/// What an object says, and what it carries: the whole where it is not the usual one.
fn words_and_data(json: &str) -> (Option<String>, Option<&str>) {
    let (mut message, mut data, mut is_usual) = (None, None, true);
    let visited = members(json, |key, value| match &*unquoted(key).unwrap_or_default() {
        "message" => message = unquoted(value),
        "data" => data = Some(value),
        _ => is_usual = false,
    });
    (message, if is_usual && visited.is_ok() { data } else { Some(json) })
}

/// As much of a text as is kept.
fn as_kept(text: &str) -> String {
    let ellipsis = if text.len() > LONGEST_MESSAGE { "…" } else { "" };
    format!("{}{ellipsis}", start_of(text, LONGEST_MESSAGE))
}
