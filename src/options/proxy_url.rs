//! Reading a proxy from a URL, as configurations and the environment have it.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::check::{Check, invalid_proxy};
use super::proxy::{Protocol, Proxy};
use crate::error::{Error, ErrorKind, Result};

impl Proxy {
    /// Reads `http://user:password@host:port`, `socks5://host` or `socks5h://host`, which is the
    /// same; `host:port` is an HTTP proxy. Default ports: 80 and 1080.
    ///
    /// Special characters in the user name and the password are percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for what cannot be read, [`ErrorKind::Unsupported`] for other
    /// kinds of proxies.
    pub fn parse(url: &str) -> Result<Self> {
        let (protocol, rest) = match url.split_once("://") {
            None => (Protocol::Http, url),
            Some((scheme, rest)) => (protocol(scheme)?, rest),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, server) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((credentials, server)) => (Some(split_credentials(credentials)?), server),
        };
        let (host, port) = split_port(server)?;
        let default = if protocol == Protocol::Http { 80 } else { 1080 };
        let proxy = Self { protocol, host, port: port.unwrap_or(default), credentials };
        proxy.check()?;
        Ok(proxy)
    }
}

fn protocol(scheme: &str) -> Result<Protocol> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(Protocol::Http),
        "socks5" | "socks5h" | "socks" => Ok(Protocol::Socks5),
        _ => Err(Error::new(ErrorKind::Unsupported, "this kind of proxy is not supported")
            .with_hint("http://host:port and socks5://host:port are")),
    }
}

fn split_credentials(text: &str) -> Result<(String, String)> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid_proxy("the credentials of the proxy, decoded, are no UTF-8")),
    };
    Ok((decode(user)?, decode(password)?))
}

fn split_port(server: &str) -> Result<(String, Option<u16>)> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| invalid_proxy("`[` without `]` in the proxy"))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(invalid_proxy("no IPv6 address between the brackets of the proxy"));
            }
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => server.split_once(':').unwrap_or((server, "")),
    };
    if port.is_empty() {
        return Ok((host.to_owned(), None));
    }
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits => Ok((host.to_owned(), Some(port))),
        _ => Err(invalid_proxy("the port of the proxy is no number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let with = |proxy: Proxy| proxy.credentials("u", "p@:/");
        for (url, expected) in [
            ("http://h:3128", Proxy::http("h", 3128)),
            ("http://h/", Proxy::http("h", 80)),
            ("h:8080", Proxy::http("h", 8080)),
            ("HTTP://u:p%40%3A%2F@h:1", with(Proxy::http("h", 1))),
            ("socks5://h", Proxy::socks5("h", 1080)),
            ("socks5h://u:p@:%2F@[::1]:9", with(Proxy::socks5("::1", 9))),
        ] {
            assert!(Proxy::parse(url).unwrap() == expected, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        let long = format!("http://{}:secret@h", "u".repeat(256));
        for (url, kind) in [
            ("https://u:secret@h", ErrorKind::Unsupported),
            ("ftp://u:secret@h", ErrorKind::Unsupported),
            ("http://u:secret@", ErrorKind::InvalidOption),
            ("http://u:secret@h:x", ErrorKind::InvalidOption),
            ("http://u:secret@h:0", ErrorKind::InvalidOption),
            ("http://u:secret@h:99999", ErrorKind::InvalidOption),
            ("http://u:secret@h\r\nX: y", ErrorKind::InvalidOption),
            ("http://u:secret%FF@h", ErrorKind::InvalidOption),
            ("http://u%3A:secret@h", ErrorKind::InvalidOption),
            ("http://u:secret@[h]:1", ErrorKind::InvalidOption),
            ("http://u:secret@[::1:1", ErrorKind::InvalidOption),
            (&long, ErrorKind::InvalidOption),
        ] {
            let error = Proxy::parse(url).unwrap_err();
            assert_eq!(error.kind(), kind, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
