//! Which page has caused a request, and for which host it is.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::options::web_origin::{WebOrigin, without_port};

/// Whether a request is served, by the page that has caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OriginVerdict {
    /// No page, as far as is said; or one on the host that is asked.
    Own,
    /// One of another origin, which is allowed.
    Allowed,
    /// One of another origin, about which the user's function is to be asked.
    Ask,
    /// One of another origin, or of more than one: the request is refused.
    Foreign,
}

impl OriginVerdict {
    /// By the headers of a request. `is_allowed` tells of origins that are known to be allowed, and with `ask`
    /// others are to be asked for.
    pub(super) fn of(
        headers: &HeaderMap,
        is_allowed: impl FnOnce(&WebOrigin) -> bool,
        ask: bool,
    ) -> Self {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = match (origins.next(), origins.next()) {
            (None, _) => return Self::Own,
            (Some(origin), None) => origin.to_str().ok().and_then(WebOrigin::parse),
            (Some(_), Some(_)) => None,
        };
        let Some(origin) = origin else { return Self::Foreign };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        if is_allowed(&origin) {
            Self::Allowed
        } else if host.is_some_and(|host| origin.is_host(host)) {
            Self::Own
        } else if ask {
            Self::Ask
        } else {
            Self::Foreign
        }
    }
}

/// The names that a server is known by; no names: by any.
///
/// A page can have the name of its own host lead to a server in the network of its reader, and is then
/// of the same origin as that (DNS rebinding). It cannot do so with an address, nor with `localhost`, which pass
/// always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownHosts(Vec<String>);

impl KnownHosts {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether a request is for one of them.
    pub(crate) fn has(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST).filter(|_| !self.0.is_empty()) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let name = without_port(host).to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_address = address.unwrap_or(&name).parse::<std::net::IpAddr>().is_ok();
        is_address || name == "localhost" || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(host: &str, origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        headers
    }

    /// CVE-2019-13611.
    #[test]
    fn a_page_of_another_host_is_foreign_unless_it_is_allowed() {
        use OriginVerdict as V;
        for (origins, verdict) in [
            (&[][..], V::Own),
            (&["http://gw.local"], V::Own),
            (&["https://gw.local"], V::Own),
            (&["https://app.example"], V::Allowed),
            (&["https://APP.example:443"], V::Allowed),
            (&["http://evil.example"], V::Foreign),
            (&["http://gw.local.evil.example"], V::Foreign),
            (&["http://gw.local:8080"], V::Foreign),
            (&["https://app.example.evil.example"], V::Foreign),
            (&["http://app.example"], V::Foreign),
            (&["null"], V::Foreign),
            (&[""], V::Foreign),
            (&["gw.local"], V::Foreign),
            (&["http://\u{e9}"], V::Foreign),
            (&["http://gw.local", "http://gw.local"], V::Foreign),
            (&["https://app.example", "http://evil.example"], V::Foreign),
            (&["https://app.example http://evil.example"], V::Foreign),
        ] {
            let headers = headers("gw.local", origins);
            let allowed = WebOrigin::parse("https://app.example");
            let judge = |ask| OriginVerdict::of(&headers, |one| Some(one) == allowed.as_ref(), ask);
            assert_eq!(judge(false), verdict, "{origins:?}");
            // What is no single origin, nobody is asked for.
            let asked = match origins {
                [one] if verdict == V::Foreign && WebOrigin::parse(one).is_some() => V::Ask,
                _ => verdict,
            };
            assert_eq!(judge(true), asked, "{origins:?}");
        }
    }

    #[test]
    fn a_request_is_for_a_name_that_is_known_or_for_an_address() {
        let known = KnownHosts::new(["GW.local".to_owned()]);
        for (host, has) in [
            ("gw.local", true),
            ("gw.LOCAL:8080", true),
            ("10.0.0.1", true),
            ("10.0.0.1:80", true),
            ("[fe80::1]:80", true),
            ("localhost:3000", true),
            ("evil.example", false),
            ("gw.local.evil.example", false),
            ("10.0.0.1.evil.example", false),
            ("", false),
        ] {
            assert_eq!(known.has(&headers(host, &[])), has, "{host}");
            assert!(KnownHosts::default().has(&headers(host, &[])));
        }
    }
}
