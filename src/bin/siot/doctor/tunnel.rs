//! The way through an HTTP proxy, for a connection of our own.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::authority;

/// The most that a proxy may say, in bytes.
const MOST_HEAD: usize = 8 * 1024;

/// An HTTP proxy, as `--proxy` names it.
pub(super) struct HttpProxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// What `Proxy-Authorization` says.
    credentials: Option<String>,
}

impl HttpProxy {
    /// Of a URL that the library takes; `None` for a proxy of another kind.
    pub(super) fn of(url: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return None,
            None => url,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let (credentials, server) = match authority.rsplit_once('@') {
            Some((credentials, server)) => (Some(basic(credentials)), server),
            None => (None, authority),
        };
        let (host, port) = authority::split(server, 80)?;
        Some(Self { host, port, credentials })
    }

    /// Asks for the way to a server; what follows on the stream is between us and that.
    pub(super) fn ask(
        &self,
        stream: &mut (impl Read + Write),
        host: &str,
        port: u16,
    ) -> io::Result<()> {
        let credentials = self.credentials.as_ref();
        let header = credentials.map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let header = header.unwrap_or_default();
        let place = format!("{}:{port}", authority::bracketed(host));
        let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{header}\r\n");
        stream.write_all(request.as_bytes())?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        // Byte by byte: what is behind the head is not ours to take.
        while head.len() < MOST_HEAD && !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let status = head.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some(code) if code.starts_with('2') => Ok(()),
            _ => Err(io::Error::other(format!("the proxy says {status:?}"))),
        }
    }
}

fn basic(credentials: &str) -> String {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let both = [decoded(user), vec![b':'], decoded(password)].concat();
    format!("Basic {}", STANDARD.encode(both))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_proxy() {
        let proxy = HttpProxy::of("http://me:a%20b@proxy:3128/").unwrap();
        assert_eq!((&*proxy.host, proxy.port), ("proxy", 3128));
        assert_eq!(proxy.credentials.as_deref(), Some("Basic bWU6YSBi"));
        let proxy = HttpProxy::of("[::1]").unwrap();
        assert_eq!((&*proxy.host, proxy.port, proxy.credentials.is_none()), ("::1", 80, true));
        assert!(HttpProxy::of("socks5://h:1").is_none());
    }
}
