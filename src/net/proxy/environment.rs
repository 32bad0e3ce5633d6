//! The variables that name proxies: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};
use crate::options::Proxy;
use crate::options::endpoint::Endpoint;

/// What the environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    plain: Option<Proxy>,
    secure: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// A server that is reached without a proxy.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    /// All servers.
    All,
    /// The addresses that share this many bits with this one.
    Net(Ipv6Addr, u32),
    /// This name and all below it; on this port only.
    Name(String, Option<u16>),
}

impl Environment {
    /// Reads the variables; in lower case first, as other programs do.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
            value.filter(|value| !value.trim().is_empty())
        };
        let proxy = |name: &str| match get(name) {
            None => Ok(None),
            Some(url) => Proxy::parse(url.trim()).map(Some).map_err(|error| {
                let what = format!("the environment variable {name}");
                Error::new(error.kind(), what)
                    .with_source(error)
                    .with_hint("`Builder::no_proxy` ignores the environment")
            }),
        };
        // A web server's scripts get `HTTP_PROXY` from whoever sends a header `Proxy`.
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let plain = if is_cgi { None } else { proxy("http_proxy")? };
        let all = proxy("all_proxy")?;
        let plain = plain.or_else(|| all.clone());
        let secure = proxy("https_proxy")?.or(all);
        if plain.is_none() && secure.is_none() {
            return Ok(Self::default());
        }
        let no_proxy = get("no_proxy").unwrap_or_default();
        let exceptions = no_proxy.split([',', ' ']).filter_map(exception).collect();
        Ok(Self { plain, secure, exceptions })
    }

    pub(super) fn for_endpoint(&self, endpoint: &Endpoint) -> Option<&Proxy> {
        let proxy = if endpoint.secure { &self.secure } else { &self.plain };
        proxy.as_ref().filter(|_| !self.excepts(endpoint))
    }

    /// Whether a server is reached directly. This machine itself always is: to the proxy, its
    /// names and addresses mean another machine.
    fn excepts(&self, endpoint: &Endpoint) -> bool {
        let host = endpoint.host_without_zone().trim_end_matches('.');
        let address = parse_address(host).map(|(address, _)| address);
        let local =
            host == "localhost" || host.ends_with(".localhost") || address.is_some_and(is_loopback);
        local
            || self.exceptions.iter().any(|exception| match exception {
                Exception::All => true,
                Exception::Net(net, bits) => {
                    address.is_some_and(|address| share(address, *net, *bits))
                }
                Exception::Name(name, port) => {
                    let below = host
                        .strip_suffix(name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                    below && port.is_none_or(|port| port == endpoint.port)
                }
            })
    }
}

/// Reads `*`, `10.0.0.0/8`, `::1`, `example.com`, `.example.com`, `*.example.com` or
/// `example.com:8080`.
fn exception(text: &str) -> Option<Exception> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text == "*" {
        return Some(Exception::All);
    }
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().ok()),
        None => (text, None),
    };
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse::<u16>().ok()),
        None => (text, None),
    };
    if let Some((address, all)) = parse_address(address) {
        let bits = bits.unwrap_or(all).min(all);
        return Some(Exception::Net(address, Ipv6Addr::BITS - all + bits));
    }
    if let Some((address, _)) = parse_address(name) {
        return Some(Exception::Net(address, Ipv6Addr::BITS));
    }
    let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
    (!name.is_empty()).then_some(Exception::Name(name, port))
}

/// An address, one of IPv4 in its form within IPv6; and how many bits it has.
fn parse_address(text: &str) -> Option<(Ipv6Addr, u32)> {
    let text = text.trim_matches(['[', ']']);
    let old = text.parse::<Ipv4Addr>().map(|old| (old.to_ipv6_mapped(), Ipv4Addr::BITS));
    old.or_else(|_| text.parse().map(|address| (address, Ipv6Addr::BITS))).ok()
}

fn is_loopback(address: Ipv6Addr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether two addresses share their first bits.
fn share(one: Ipv6Addr, other: Ipv6Addr, bits: u32) -> bool {
    (one.to_bits() ^ other.to_bits()).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn environment(variables: &[(&str, &str)]) -> Result<Environment> {
        Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    fn chosen(variables: &[(&str, &str)], secure: bool, host: &str, port: u16) -> Option<String> {
        let environment = environment(variables).unwrap();
        let endpoint = Endpoint { secure, host: host.to_owned(), port };
        environment.for_endpoint(&endpoint).map(ToString::to_string)
    }

    #[test]
    fn the_scheme_decides_and_all_proxy_is_the_rest() {
        let of = |variables: &[(&str, &str)]| {
            [false, true].map(|secure| chosen(variables, secure, "example.com", 80))
        };
        let proxy = |url: &str| Some(url.to_owned());
        assert_eq!(of(&[]), [None, None]);
        assert_eq!(of(&[("http_proxy", "http://a:1")]), [proxy("http://a:1"), None]);
        assert_eq!(of(&[("HTTPS_PROXY", "b:2")]), [None, proxy("http://b:2")]);
        assert_eq!(
            of(&[("https_proxy", "b:2"), ("HTTPS_PROXY", "x:9"), ("ALL_PROXY", "socks5h://c")]),
            [proxy("socks5://c:1080"), proxy("http://b:2")]
        );
        assert_eq!(of(&[("http_proxy", ""), ("HTTP_PROXY", " ")]), [None, None]);
        assert_eq!(of(&[("HTTP_PROXY", "a:1"), ("REQUEST_METHOD", "GET")]), [None, None]);
    }

    #[test]
    fn no_proxy_names_servers_that_are_reached_directly() {
        for (no_proxy, host, direct) in [
            ("", "example.com", false),
            ("", "localhost", true),
            ("", "127.8.0.1", true),
            ("", "::1", true),
            ("*", "example.com", true),
            ("example.com", "example.com", true),
            ("Example.COM", "a.example.com", true),
            (".example.com", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("example.com", "notexample.com", false),
            ("a.example.com", "example.com", false),
            ("x, example.com", "example.com", true),
            ("example.com:80", "example.com", true),
            ("example.com:81", "example.com", false),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1%eth0", false),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("nonsense/x,,:,.", "example.com", false),
        ] {
            let variables = [("http_proxy", "p:1"), ("no_proxy", no_proxy)];
            let chosen = chosen(&variables, false, host, 80);
            assert_eq!(chosen.is_none(), direct, "{no_proxy}: {host}");
        }
    }

    #[test]
    fn a_bad_variable_is_named_and_not_repeated() {
        let error = environment(&[("https_proxy", "ftp://u:secret@h")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("https_proxy"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
