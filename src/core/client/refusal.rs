//! What a server says when it refuses a namespace, or something that was done in it.

use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::proto::socket_packet::SocketPacket;

/// The longest message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 512;

/// The longest JSON that is kept of what comes along, in bytes.
const LONGEST_DATA: usize = 16 * 1024;

/// Reads a server's refusal: `{"message":…,"data":…}`, or from an old one either of the two.
pub(super) fn refusal(namespace: &str, packet: &SocketPacket) -> Error {
    let refusal: Value = serde_json::from_str(packet.data()).unwrap_or_default();
    let (message, data) = match &refusal {
        Value::Object(members) => {
            let message = members.get("message").and_then(Value::as_str);
            let is_usual = members.keys().all(|name| ["message", "data"].contains(&name.as_str()));
            (message, if is_usual { members.get("data") } else { Some(&refusal) })
        }
        Value::String(message) => (Some(message.as_str()), None),
        Value::Null => (None, None),
        _ => (None, Some(&refusal)),
    };
    let message =
        message.map_or_else(|| format!("namespace {namespace:?}: no reason given"), start_of);
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
    match data.map(Value::to_string) {
        Some(data) if data.len() <= LONGEST_DATA => error.with_data(data),
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

/// As much of a text as is kept.
fn start_of(text: &str) -> String {
    if text.len() <= LONGEST_MESSAGE {
        return text.to_owned();
    }
    let end = (0..=LONGEST_MESSAGE).rev().find(|end| text.is_char_boundary(*end));
    format!("{}…", &text[..end.unwrap_or_default()])
}
