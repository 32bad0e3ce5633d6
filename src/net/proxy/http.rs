//! CONNECT of an HTTP proxy (RFC 9110 §9.3.6), with basic authentication.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHENTICATE;

use super::channel::Channel;
use crate::error::{Error, Result, snippet};
use crate::net::answer::{BadHead, Head, HeadReader};
use crate::net::headers::AGENT;
use crate::net::status::retry_after;
use crate::options::endpoint::Endpoint;

/// Asks for a tunnel.
pub(super) fn connect(channel: &mut Channel<'_>, endpoint: &Endpoint) -> Result<()> {
    let server = endpoint.authority();
    let mut request =
        format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: {AGENT}\r\n");
    if let Some((user, password)) = &channel.proxy.credentials {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        request = format!("{request}Proxy-Authorization: Basic {credentials}\r\n");
    }
    request.push_str("\r\n");
    channel.send(request.as_bytes())?;
    let (head, rest) = read_head(channel)?;
    if !(200..300).contains(&head.status) {
        return Err(refused(channel, &server, &head, &rest));
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(channel.error("sent something of its own into the tunnel"))
}

/// The head of the answer, and what came with it.
fn read_head(channel: &mut Channel<'_>) -> Result<(Head, Vec<u8>)> {
    let mut reader = HeadReader::default();
    let mut buffer = [0; 1024];
    loop {
        let received = channel.receive(&mut buffer)?;
        match reader.take_in(&buffer[..received]) {
            Ok(None) => {}
            Ok(Some(head)) => return Ok((head, reader.into_rest())),
            Err(bad @ (BadHead::NoHttp(_) | BadHead::Malformed(_))) => {
                return Err(channel
                    .error(&format!("does not answer in HTTP: {bad}"))
                    .with_hint("is it an HTTP proxy, and the port right?"));
            }
            Err(bad) => return Err(channel.error(&format!("gives no answer: {bad}"))),
        }
    }
}

fn refused(channel: &Channel<'_>, server: &str, head: &Head, rest: &[u8]) -> Error {
    let line = snippet(format!("{} {}", head.status, head.reason).trim_end().as_bytes());
    let (body, _) = head.decode(rest);
    let words = if body.is_empty() { String::new() } else { format!(": {}", snippet(&body)) };
    let mut error = channel.error(&format!("refused the way to {server} with `{line}`{words}"));
    if let Some(delay) = retry_after(&head.headers) {
        error = error.with_retry_after(delay);
    }
    match head.status {
        407 => error.with_hint(authentication(channel, head)).fatal(),
        403 | 405 => error.with_hint(
            "the proxy's rules forbid this server or port; many allow CONNECT to port 443 only",
        ),
        502..=504 => error.with_hint("the proxy cannot reach the server"),
        _ => error,
    }
}

/// What to do about 407.
fn authentication(channel: &Channel<'_>, head: &Head) -> String {
    let values = head.headers.get_all(PROXY_AUTHENTICATE).iter();
    let schemes: Vec<&str> = values
        .filter_map(|value| value.to_str().ok())
        .filter_map(|value| value.split_whitespace().next())
        .collect();
    let basic = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    if !schemes.is_empty() && !basic {
        let schemes = snippet(schemes.join(", ").as_bytes());
        return format!("the proxy wants to authenticate by {schemes}; only Basic is supported");
    }
    if channel.proxy.credentials.is_some() {
        return "are the proxy's user name and password right?".to_owned();
    }
    "the proxy wants a user name and a password: `Proxy::credentials`".to_owned()
}
