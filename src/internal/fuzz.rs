//! What a fuzzer tries, and what has to hold. Only there with `--cfg fuzzing`.

#[cfg(feature = "server")]
use crate::core::server::world::script as session_script;
use crate::core::world::script;
use crate::net::fuzz::check_head;
#[cfg(feature = "server")]
use crate::net::server::fuzz::{check_frames, check_requests};
use crate::options::Proxy;
use crate::options::endpoint::Location;

/// Plays inputs for a client in virtual time.
pub fn client(bytes: &[u8]) {
    script::play(bytes);
}

/// Plays what happens to a server's session, in virtual time.
#[cfg(feature = "server")]
pub fn session(bytes: &[u8]) {
    session_script::play(bytes);
}

/// Reads an HTTP answer, in pieces of a length that the first byte says.
pub fn http_head(bytes: &[u8]) {
    if let [piece, answer @ ..] = bytes {
        check_head(answer, usize::from(*piece).max(1));
    }
}

/// Reads the requests of a client, in such pieces.
#[cfg(feature = "server")]
pub fn requests(bytes: &[u8]) {
    if let [piece, requests @ ..] = bytes {
        check_requests(requests, usize::from(*piece).max(1));
    }
}

/// Reads the WebSocket frames of a client, in such pieces.
#[cfg(feature = "server")]
pub fn client_frames(bytes: &[u8]) {
    if let [piece, frames @ ..] = bytes {
        check_frames(frames, usize::from(*piece).max(1));
    }
}

/// Reads a URL of a server, and of a proxy.
pub fn url(text: &str) {
    let _ = Proxy::parse(text);
    let Ok(location) = Location::parse(text) else { return };
    let endpoint = location.endpoint;
    let _ = (endpoint.host_header(), endpoint.authority());
    if !endpoint.host.contains('%') {
        let again = Location::parse(&endpoint.to_string());
        assert_eq!(again.map(|again| again.endpoint).ok(), Some(endpoint));
    }
}
