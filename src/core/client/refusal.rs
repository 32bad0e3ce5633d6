//! What a server says when it refuses a namespace, or something that was done in it.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, start_of};
use crate::proto::json::{members, unquoted};
use crate::proto::socket_packet::SocketPacket;

/// How much of it is kept, in bytes: of the message its start, of the data the whole or nothing.
struct Allowance {
    message: usize,
    data: usize,
}

const FOR_REFUSAL: Allowance = Allowance { message: 64 * 1024, data: 64 * 1024 };

/// A server may have much to report, and its users little time to read it.
const FOR_REPORT: Allowance = Allowance { message: 512, data: 16 * 1024 };

/// Reads a server's refusal of a namespace.
pub(super) fn refusal(namespace: &str, packet: &SocketPacket) -> Error {
    read(namespace, packet, &FOR_REFUSAL)
}

/// Reads a server's report of what went wrong in a namespace that is joined.
pub(super) fn report(namespace: &str, packet: &SocketPacket) -> Error {
    read(namespace, packet, &FOR_REPORT)
}

/// Reads `{"message":…,"data":…}`, from an old server either of the two, or a list that begins with the message.
fn read(namespace: &str, packet: &SocketPacket, allowed: &Allowance) -> Error {
    let json = packet.data().trim_ascii();
    let (message, data) = match json.bytes().next() {
        Some(b'{') => words_and_data(json),
        Some(b'"') => (unquoted(json), None),
        // Servers in Python that speak the old revision.
        Some(b'[') => (first_words(json).map(Cow::Owned), Some(json)),
        Some(b'n') | None => (None, None),
        Some(_) => (None, Some(json)),
    };
    let message = message.map_or_else(
        || format!("namespace {namespace:?}: no reason given"),
        |text| as_kept(&text, allowed.message),
    );
    let is_unknown = message == "Invalid namespace";
    let error = Error::new(ErrorKind::Refused, message);
    let error = match path_hint(namespace) {
        Some(hint) => error.with_hint(hint),
        None if is_unknown => error.with_hint(
            "the path of the URL is the namespace: does the server have one of this name? The path \
             of its HTTP requests is `Builder::path`",
        ),
        None => error,
    };
    match data {
        Some(data) if data.len() <= allowed.data => error.with_data(data),
        Some(data) => error.with_hint(format!("its data, {} bytes, was not kept", data.len())),
        None => error,
    }
}

/// What to try where the name of a namespace looks like the path of HTTP requests.
pub(super) fn path_hint(namespace: &str) -> Option<&'static str> {
    let is_path = namespace.contains("socket.io")
        || namespace.starts_with("/api")
        || namespace.len() > 1 && namespace.ends_with('/');
    is_path.then_some(
        "the path of the URL is the namespace; the path of the server's HTTP requests is \
         `Builder::path` (\"/socket.io/\" where nothing else is said)",
    )
}

/// What an object says, and what it carries: the whole where it is not the usual one.
fn words_and_data(json: &str) -> (Option<Cow<'_, str>>, Option<&str>) {
    let (mut message, mut data, mut is_usual) = (None, None, true);
    let visited = members(json, |key, value| match &*unquoted(key).unwrap_or_default() {
        "message" => message = unquoted(value),
        "data" => data = Some(value),
        _ => is_usual = false,
    });
    (message, if is_usual && visited.is_ok() { data } else { Some(json) })
}

/// The string that a list begins with.
fn first_words(json: &str) -> Option<String> {
    let element = json.strip_prefix('[')?.trim_ascii_start();
    serde_json::Deserializer::from_str(element).into_iter().next()?.ok()
}

/// A text, or the start of one that is longer than this.
fn as_kept(text: &str, most: usize) -> String {
    let ellipsis = if text.len() > most { "…" } else { "" };
    format!("{}{ellipsis}", start_of(text, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_the_path_of_requests_leads_to_a_hint() {
        for name in ["/socket.io", "/my/socket.io/x", "/api/v1", "/chat/"] {
            assert!(path_hint(name).is_some(), "{name}");
        }
        for name in ["/", "/chat", "/my/api"] {
            assert!(path_hint(name).is_none(), "{name}");
        }
    }
}
