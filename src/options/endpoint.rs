//! Where a server is: the parts of the URL that a caller gives.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorKind, Result};

/// The longest URL that is taken; the same limit as in the JavaScript client.
const MAX_URL: usize = 8000;

/// One server: all that is needed to dial it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Whether the connection is encrypted (`https`, `wss`).
    pub(crate) secure: bool,
    /// A host name in lower case, or an IP address without brackets.
    pub(crate) host: String,
    /// The port, which the scheme gives where the URL does not.
    pub(crate) port: u16,
}

/// What a URL says: the server, the namespace and the query of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The server.
    pub(crate) endpoint: Endpoint,
    /// The path of the URL, as written; `/` when there is none.
    pub(crate) namespace: String,
    /// The query, decoded.
    pub(crate) query: Vec<(String, String)>,
}

impl Endpoint {
    /// The value of the `Host` header: without the port where that is the scheme's own.
    pub(crate) fn host_header(&self) -> String {
        if self.port == default_port(self.secure) {
            self.bracketed(self.host_without_zone()).into_owned()
        } else {
            self.authority()
        }
    }

    /// The host without the zone of a link-local address (`fe80::1%eth0`), which means something
    /// on this machine only.
    pub(crate) fn host_without_zone(&self) -> &str {
        self.host.split_once('%').map_or(self.host.as_str(), |(address, _)| address)
    }

    /// The host and the port, as a proxy is asked for them.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed(self.host_without_zone()), self.port)
    }

    fn bracketed<'a>(&self, host: &'a str) -> Cow<'a, str> {
        if self.host.contains(':') { format!("[{host}]").into() } else { host.into() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}:{}", self.bracketed(&self.host), self.port)
    }
}

impl Location {
    /// Reads a URL with one of the schemes `http`, `https`, `ws`, `wss`.
    ///
    /// The path is the namespace and is neither decoded nor normalised; a fragment is ignored.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        if url.len() > MAX_URL {
            return Err(invalid(format!(
                "a URL of {} bytes; at most {MAX_URL} are taken",
                url.len()
            )));
        }
        if url.chars().any(char::is_control) {
            return Err(invalid("a control character, such as a line break, in the URL"));
        }
        let (secure, rest) = split_scheme(url)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path_at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let (host, port) = split_authority(authority)?;
        Ok(Self {
            endpoint: Endpoint { secure, host, port: port.unwrap_or(default_port(secure)) },
            namespace: namespace(path)?,
            query: decode_query(query)?,
        })
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

fn split_scheme(url: &str) -> Result<(bool, &str)> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("no scheme in the URL"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Ok((false, rest)),
        "https" | "wss" => Ok((true, rest)),
        _ => Err(invalid("the scheme of the URL is none of http, https, ws and wss")),
    }
}

fn split_authority(authority: &str) -> Result<(String, Option<u16>)> {
    if authority.contains('@') {
        // JavaScript drops them; a password that silently does nothing is worse than an error.
        return Err(invalid("a user name or password in the URL").with_hint(
            "they would not be sent: use an `Authorization` header or the `auth` option",
        ));
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return Err(invalid("`[` without `]` in the host of the URL"));
        };
        let port = match port.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if port.is_empty() => None,
            None => return Err(invalid("only `:` and a port may follow `]` in the URL")),
        };
        return Ok((ipv6(host)?, port));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if port.contains(':') {
        return Err(invalid("more than one `:` in the host of the URL")
            .with_hint("an IPv6 address needs brackets: http://[::1]:3000"));
    }
    Ok((host_name(host)?, parse_port(port)?))
}

/// Checks an IPv6 address, and undoes the encoding of its zone (RFC 6874: `fe80::1%25eth0`).
fn ipv6(host: &str) -> Result<String> {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (host, None),
    };
    let Ok(address) = address.parse::<Ipv6Addr>() else {
        return Err(invalid("no IPv6 address between the brackets of the URL"));
    };
    match zone {
        None => Ok(address.to_string()),
        Some(zone) if !zone.is_empty() && zone.chars().all(is_host_char) => {
            Ok(format!("{address}%{zone}"))
        }
        Some(_) => Err(invalid("no interface name after the `%` of the IPv6 address")),
    }
}

fn host_name(host: &str) -> Result<String> {
    if host.is_empty() {
        return Err(invalid("no host in the URL"));
    }
    match host.chars().find(|&c| !is_host_char(c)) {
        None => Ok(host.to_ascii_lowercase()),
        Some(c) => Err(invalid(format!("{c:?} in the host name of the URL")).with_hint(
            "a host name has ASCII letters, digits, `-`, `.` and `_`; write an international name \
             in its ASCII form (xn--…)",
        )),
    }
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn parse_port(port: &str) -> Result<Option<u16>> {
    if port.is_empty() {
        return Ok(None);
    }
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok(Some(number)),
        _ => Err(invalid("the port of the URL is no number from 1 to 65535")),
    }
}

fn namespace(path: &str) -> Result<String> {
    if path.contains(',') {
        return Err(invalid("a comma in the path of the URL, which is the namespace")
            .with_hint("the protocol ends a namespace with a comma"));
    }
    Ok(if path.is_empty() { "/" } else { path }.to_owned())
}

fn decode_query(query: &str) -> Result<Vec<(String, String)>> {
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid("the query of the URL, decoded, is no UTF-8")),
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The URL itself is not repeated: its query may hold a secret.
fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidUrl, what)
        .with_hint("a URL looks like https://example.com:3000/namespace?token=abc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> (bool, String, u16) {
        let endpoint = Location::parse(url).unwrap().endpoint;
        (endpoint.secure, endpoint.host, endpoint.port)
    }

    #[test]
    fn schemes_and_ports_make_the_endpoint() {
        for (url, secure, host, port) in [
            ("http://example.com", false, "example.com", 80),
            ("ws://example.com", false, "example.com", 80),
            ("https://example.com", true, "example.com", 443),
            ("WSS://Example.COM", true, "example.com", 443),
            ("http://example.com:3000", false, "example.com", 3000),
            ("http://example.com:/", false, "example.com", 80),
            ("http://my_host.local:1", false, "my_host.local", 1),
            ("http://10.0.0.1:65535", false, "10.0.0.1", 65535),
            ("http://[::1]", false, "::1", 80),
            ("https://[2001:DB8::1]:8443/x", true, "2001:db8::1", 8443),
            ("http://[fe80::1%25eth0]:3000", false, "fe80::1%eth0", 3000),
            ("http://[fe80::1%eth0]", false, "fe80::1%eth0", 80),
        ] {
            assert_eq!(endpoint(url), (secure, host.to_owned(), port), "{url}");
        }
    }

    #[test]
    fn the_path_is_the_namespace_as_written() {
        for (url, namespace) in [
            ("http://h", "/"),
            ("http://h/", "/"),
            ("http://h?a=b", "/"),
            ("http://h#fragment", "/"),
            ("http://h/admin", "/admin"),
            ("http://h/admin/", "/admin/"),
            ("http://h//admin", "//admin"),
            ("http://h/a%20b/../c", "/a%20b/../c"),
            ("http://h/ä b", "/ä b"),
            ("http://h/x?q=/y#/z", "/x"),
        ] {
            assert_eq!(Location::parse(url).unwrap().namespace, namespace, "{url}");
        }
    }

    #[test]
    fn the_query_is_decoded_without_loss() {
        for (url, pairs) in [
            ("http://h", vec![]),
            ("http://h?", vec![]),
            ("http://h?a=b=c", vec![("a", "b=c")]),
            ("http://h?a", vec![("a", "")]),
            ("http://h/n?a=1&&b=%C3%A4+x%26#f", vec![("a", "1"), ("b", "ä+x&")]),
            ("http://h?a=1&a=2", vec![("a", "1"), ("a", "2")]),
            ("http://h?a=100%", vec![("a", "100%")]),
            ("http://h?next=http://x/y", vec![("next", "http://x/y")]),
            ("http://h?mail=me@example.com", vec![("mail", "me@example.com")]),
        ] {
            let query = Location::parse(url).unwrap().query;
            let query: Vec<_> = query.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(query, pairs, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_with_the_reason() {
        for (url, reason) in [
            ("", "no scheme"),
            ("example.com", "no scheme"),
            ("//example.com", "no scheme"),
            ("ftp://h", "none of http"),
            ("http://", "no host"),
            ("http:///x", "no host"),
            ("http://:80", "no host"),
            ("http://user:secret@h", "user name or password"),
            ("http://h:0", "1 to 65535"),
            ("http://h:65536", "1 to 65535"),
            ("http://h:+80", "1 to 65535"),
            ("http://h:http", "1 to 65535"),
            ("http://::1", "more than one `:`"),
            ("http://[::1", "without `]`"),
            ("http://[::1]80", "may follow"),
            ("http://[h]", "no IPv6 address"),
            ("http://[fe80::1%25]", "no interface name"),
            ("http://b\u{fc}cher.example", "in the host name"),
            ("http://a b", "' ' in the host name"),
            ("http://h/a,b", "comma"),
            ("http://h/a\r\nb", "control character"),
            ("http://h?%ff", "no UTF-8"),
        ] {
            let error = Location::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{url}");
            assert!(error.message().contains(reason), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let long = format!("http://h/{}", "a".repeat(MAX_URL));
        assert!(Location::parse(&long).unwrap_err().message().contains("8000"));
    }

    #[test]
    fn the_host_header_omits_what_is_usual() {
        for (url, header) in [
            ("http://h", "h"),
            ("http://h:80", "h"),
            ("http://h:443", "h:443"),
            ("https://h:443", "h"),
            ("https://[::1]", "[::1]"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("http://[fe80::1%25eth0]:3000", "[fe80::1]:3000"),
        ] {
            assert_eq!(Location::parse(url).unwrap().endpoint.host_header(), header, "{url}");
        }
    }

    #[test]
    fn display_gives_scheme_host_and_port() {
        let endpoint = |url| Location::parse(url).unwrap().endpoint.to_string();
        assert_eq!(endpoint("https://h/x"), "wss://h:443");
        assert_eq!(endpoint("http://[::1]:3000"), "ws://[::1]:3000");
    }
}
