//! CONNECT of an HTTP proxy (RFC 9110 §9.3.6), with basic authentication.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::channel::Channel;
use crate::error::{Error, Result, snippet};
use crate::net::headers::AGENT;
use crate::options::endpoint::Endpoint;

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

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
    match status(&head) {
        Some(status) if (200..300).contains(&status) && rest.is_empty() => Ok(()),
        Some(status) if (200..300).contains(&status) => {
            Err(channel.error("sent something of its own into the tunnel"))
        }
        Some(status) => Err(refused(channel, &server, status, &head, &rest)),
        None => Err(channel
            .error(&format!("does not answer in HTTP: {}", snippet(head.as_bytes())))
            .with_hint("is it an HTTP proxy, and the port right?")),
    }
}

/// The head of the answer, and what came behind it.
fn read_head(channel: &mut Channel<'_>) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let received = channel.receive(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..received]);
        // Nobody needs to wait for the end of what is no HTTP.
        let strange = !bytes.starts_with(&b"HTTP/1."[..bytes.len().min(7)]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end.or(strange.then_some(bytes.len())) {
            let rest = bytes.get(end + 4..).unwrap_or_default().to_vec();
            return Ok((String::from_utf8_lossy(&bytes[..end]).into_owned(), rest));
        }
        if bytes.len() > MAX_HEAD {
            return Err(channel.error(&format!("answers with more than {MAX_HEAD} bytes")));
        }
    }
}

/// The status code of `HTTP/1.1 200 OK`.
fn status(head: &str) -> Option<u16> {
    let line = head.lines().next()?.strip_prefix("HTTP/1.")?;
    line.split(' ').nth(1)?.parse().ok()
}

fn refused(channel: &Channel<'_>, server: &str, status: u16, head: &str, rest: &[u8]) -> Error {
    let line = snippet(head.lines().next().unwrap_or_default().as_bytes());
    let words = if rest.is_empty() { String::new() } else { format!(": {}", snippet(rest)) };
    let error = channel.error(&format!("refused the way to {server} with `{line}`{words}"));
    match status {
        407 => error.with_hint(authentication(channel, head)).fatal(),
        403 | 405 => error.with_hint(
            "the proxy's rules forbid this server or port; many allow CONNECT to port 443 only",
        ),
        502..=504 => error.with_hint("the proxy cannot reach the server"),
        _ => error,
    }
}

/// What to do about 407.
fn authentication(channel: &Channel<'_>, head: &str) -> String {
    let schemes: Vec<&str> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|(_, value)| value.split_whitespace().next())
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
