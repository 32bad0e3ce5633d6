//! The origin of a web page, as a browser says it and as an option has it.

/// Scheme, host and port, in one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebOrigin {
    /// In lower case; `null` for a page that has no origin of its own.
    scheme: String,
    host: HostPort,
}

/// A host and a port, as in the header `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPort {
    /// In lower case, an IPv6 address with its brackets.
    host: String,
    /// `None`: the scheme's own.
    port: Option<u16>,
}

impl WebOrigin {
    /// Reads `scheme://host[:port]` or `null`; `None`: it is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            let host = HostPort { host: String::new(), port: None };
            return Some(Self { scheme: text.to_owned(), host });
        }
        let (scheme, host) = text.split_once("://")?;
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(may_stand) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let host = HostPort::parse(host, &scheme)?;
        Some(Self { scheme, host })
    }

    /// Whether it is that of the host that a request is for, by its header `Host`. Whether that was asked over TLS
    /// cannot be known behind a proxy, so the scheme does not count.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        HostPort::parse(host, &self.scheme).is_some_and(|host| host == self.host)
    }
}

impl HostPort {
    /// `None`: it is no host; or one without letters, which no header has.
    fn parse(text: &str, scheme: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // The last colon of an address in brackets is none.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let bad = |byte: u8| !byte.is_ascii_graphic() || b"/?#@\\".contains(&byte);
        if host.is_empty() || host.bytes().any(bad) {
            return None;
        }
        let own_port = match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        Some(Self { host: host.to_ascii_lowercase(), port: port.filter(|_| port != own_port) })
    }
}

/// The host in a header `Host`, without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_has_one_spelling() {
        for (one, other) in [
            ("https://app.example", "HTTPS://App.Example:443"),
            ("http://app.example:80", "http://app.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[FE80::1]", "http://[fe80::1]:80"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            let read = |text| WebOrigin::parse(text).unwrap();
            assert_eq!(read(one), read(other));
        }
        for (one, other) in [
            ("https://app.example", "http://app.example"),
            ("https://app.example", "https://app.example:80"),
            ("https://app.example", "https://app.example.evil"),
            ("null", "null://null"),
        ] {
            assert_ne!(WebOrigin::parse(one), WebOrigin::parse(other));
        }
    }

    #[test]
    fn what_is_no_origin_is_none() {
        for text in [
            "",
            "*",
            "app.example",
            "://app.example",
            "https://",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example?x",
            "https://user@app.example",
            "https://app.example:",
            "https://app.example:x",
            "https://app.example:65536",
            "https://app example",
            "https://app.example\r\n",
            "https://b\u{fc}cher.example",
            "ht tp://a",
            "Null",
        ] {
            assert_eq!(WebOrigin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_origin_is_that_of_the_host_that_is_asked() {
        for (origin, host) in [
            ("http://gw.local", "gw.local"),
            ("http://gw.local", "GW.local:80"),
            ("https://gw.local", "gw.local:443"),
            ("https://gw.local:8443", "gw.local:8443"),
            ("http://10.0.0.1:8080", "10.0.0.1:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]"),
        ] {
            assert!(WebOrigin::parse(origin).unwrap().is_host(host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://gw.local", "gw.local:8080"),
            ("http://gw.local:8080", "gw.local"),
            ("https://gw.local", "gw.local:80"),
            ("http://evil.example", "gw.local"),
            ("http://gw.local.evil.example", "gw.local"),
            ("http://[::1]", "[::2]"),
            ("null", ""),
            ("null", "null"),
        ] {
            assert!(!WebOrigin::parse(origin).unwrap().is_host(host), "{origin} {host}");
        }
    }

    #[test]
    fn a_host_has_a_name_without_its_port() {
        for (host, name) in
            [("gw", "gw"), ("gw:80", "gw"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]"), ("", "")]
        {
            assert_eq!(without_port(host), name);
        }
    }
}
