//! Where a session is, when the server has sent its handshake to another place.
//!
//! Followed is what leads to the same server: from `http:` to `https:` of the same host, and to another
//! path of the same origin. So nobody else gets headers, cookies or the query, and encryption is never
//! given up. All requests of the session then go to that place; the next session asks at the first one
//! again.

use std::borrow::Cow;
use std::sync::Mutex;

use http::HeaderMap;
use http::header::LOCATION;

use super::request::Request;
use crate::options::endpoint::{Endpoint, Location};
use crate::sync::lock::lock;

/// How often one handshake is sent elsewhere.
const MAX_HOPS: usize = 5;

/// Where the present session is.
#[derive(Debug, Default)]
pub(super) struct Redirections {
    moved: Mutex<Option<Moved>>,
}

#[derive(Debug)]
struct Moved {
    from: (Endpoint, String),
    to: (Endpoint, String),
    hops: usize,
}

/// Why a redirection is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFollowed {
    /// The answer is none, or says no place.
    NoPlace,
    /// It leads to somebody else, as far as is known.
    AnotherServer,
    /// It gives up the encryption.
    Unencrypted,
    /// There were that many already.
    TooMany,
    /// The request is no handshake.
    InSession,
}

impl Redirections {
    /// The request as it is to be sent. One that begins a session forgets where the last one was.
    pub(super) fn place<'a>(&self, request: &'a Request) -> Cow<'a, Request> {
        let mut moved = lock(&self.moved);
        if request.begins_session() {
            *moved = None;
        }
        match &*moved {
            Some(Moved { from, to, .. }) if *from == place_of(request) => {
                Cow::Owned(request.at(&to.0, &to.1))
            }
            _ => Cow::Borrowed(request),
        }
    }

    /// Where to send a handshake whose answer has this status and these headers: `asked` is what the
    /// caller wants, and `sent` what was sent for it.
    pub(super) fn follow(
        &self,
        asked: &Request,
        sent: &Request,
        status: u16,
        headers: &HeaderMap,
    ) -> Result<Request, NotFollowed> {
        if !is_redirection(status) {
            return Err(NotFollowed::NoPlace);
        }
        if !asked.begins_session() {
            return Err(NotFollowed::InSession);
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let to = location.and_then(|text| resolve(text, sent)).ok_or(NotFollowed::NoPlace)?;
        check(&sent.endpoint, &to.0)?;
        let mut moved = lock(&self.moved);
        let hops = moved.as_ref().map_or(0, |moved| moved.hops) + 1;
        if hops > MAX_HOPS {
            return Err(NotFollowed::TooMany);
        }
        let next = asked.at(&to.0, &to.1);
        *moved = Some(Moved { from: place_of(asked), to, hops });
        Ok(next)
    }
}

/// Whether a status sends to another place. 304 does not, nor does 300, which leaves the choice open.
pub(super) fn is_redirection(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn place_of(request: &Request) -> (Endpoint, String) {
    (request.endpoint.clone(), request.path().to_owned())
}

/// The server and the path that a reference means, seen from a request (RFC 3986 §5.2).
fn resolve(reference: &str, from: &Request) -> Option<(Endpoint, String)> {
    let scheme = if from.endpoint.secure { "https" } else { "http" };
    let absolute = if reference.contains("://") && !reference.starts_with('/') {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else {
        let end = reference.find(['?', '#']).unwrap_or(reference.len());
        let path = &reference[..end];
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match path {
            "" => from.path().to_owned(),
            _ if path.starts_with('/') => path.to_owned(),
            _ => format!("{folder}/{path}"),
        };
        return Some((from.endpoint.clone(), path));
    };
    let mut location = Location::parse(&absolute).ok()?;
    if location.endpoint.host == from.endpoint.host_without_zone() {
        location.endpoint.host.clone_from(&from.endpoint.host);
    }
    Some((location.endpoint, location.namespace))
}

fn check(from: &Endpoint, to: &Endpoint) -> Result<(), NotFollowed> {
    if from.host != to.host {
        return Err(NotFollowed::AnotherServer);
    }
    match (from.secure, to.secure) {
        (true, false) => Err(NotFollowed::Unencrypted),
        (false, true) => Ok(()),
        _ if from.port == to.port => Ok(()),
        _ => Err(NotFollowed::AnotherServer),
    }
}

impl NotFollowed {
    /// What to try instead.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::NoPlace => {
                "redirections without an address cannot be followed: is there a login page of the \
                 network?"
            }
            Self::AnotherServer => {
                "redirections to another server are not followed: use that address, unless it is the \
                 login page of a network"
            }
            Self::Unencrypted => {
                "redirections that give up encryption are not followed: use that address if it is meant"
            }
            Self::TooMany => {
                "the server sends in circles: are its address and the `path` option right?"
            }
            Self::InSession => {
                "redirections within a session are not followed: use that address from the start"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn request(url: &str, path_and_query: &str) -> Request {
        Request {
            endpoint: Location::parse(url).unwrap().endpoint,
            path_and_query: path_and_query.to_owned(),
            headers: vec![("Authorization".to_owned(), "secret".to_owned())],
        }
    }

    fn to(location: &str) -> HeaderMap {
        HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())])
    }

    /// Where a handshake at a place is sent.
    fn followed(url: &str, location: &str) -> Result<String, NotFollowed> {
        let asked = request(url, "/socket.io/?EIO=4&t=x");
        let next = Redirections::default().follow(&asked, &asked, 302, &to(location))?;
        assert_eq!(next.headers, asked.headers);
        Ok(format!("{} {}", next.endpoint, next.path_and_query))
    }

    #[test]
    fn only_the_same_server_is_followed_to() {
        use NotFollowed as N;
        for (url, location, place) in [
            ("http://h", "https://h/socket.io/?EIO=4", Ok("wss://h:443 /socket.io/?EIO=4&t=x")),
            ("http://h:80", "HTTPS://H:8443/a?b=c#d", Ok("wss://h:8443 /a?EIO=4&t=x")),
            ("http://h", "wss://h", Ok("wss://h:443 /?EIO=4&t=x")),
            ("http://h:81", "http://h:81/x/", Ok("ws://h:81 /x/?EIO=4&t=x")),
            ("http://h:81", "//h:81/x/", Ok("ws://h:81 /x/?EIO=4&t=x")),
            ("https://h", "/x/?EIO=4", Ok("wss://h:443 /x/?EIO=4&t=x")),
            ("https://h", "x", Ok("wss://h:443 /socket.io/x?EIO=4&t=x")),
            ("https://h", "?retry=1", Ok("wss://h:443 /socket.io/?EIO=4&t=x")),
            (
                "http://[fe80::1%eth0]",
                "https://[fe80::1]/",
                Ok("wss://[fe80::1%eth0]:443 /?EIO=4&t=x"),
            ),
            ("http://h", "http://h:81/", Err(N::AnotherServer)),
            ("https://h", "https://h:81/", Err(N::AnotherServer)),
            ("https://h", "http://h:443/", Err(N::Unencrypted)),
            ("http://h", "https://h.evil/", Err(N::AnotherServer)),
            ("http://h", "//evil/x", Err(N::AnotherServer)),
            ("http://h", "https://h@evil/", Err(N::NoPlace)),
            ("http://h", "file:///etc/passwd", Err(N::NoPlace)),
            ("http://h", "https://h:x/", Err(N::NoPlace)),
        ] {
            assert_eq!(followed(url, location), place.map(str::to_owned), "{url} {location}");
        }
    }

    #[test]
    fn a_session_stays_where_its_handshake_was_sent_and_the_next_one_asks_again() {
        let redirections = Redirections::default();
        let asked = request("http://h", "/a/?EIO=4");
        let first = redirections.place(&asked);
        let next = redirections.follow(&asked, &first, 301, &to("https://h/a/")).unwrap();
        redirections.follow(&asked, &next, 308, &to("/b/")).unwrap();
        let asked_later = request("http://h", "/a/?EIO=4&sid=x");
        let later = redirections.place(&asked_later);
        assert_eq!((later.endpoint.secure, &*later.path_and_query), (true, "/b/?EIO=4&sid=x"));
        let other = request("http://other", "/a/?EIO=4&sid=x");
        assert!(*redirections.place(&other) == other);
        assert!(*redirections.place(&asked) == asked);
        let later = request("http://h", "/a/?EIO=4&sid=y");
        assert!(*redirections.place(&later) == later);
    }

    #[test]
    fn circles_other_answers_and_requests_of_a_session_are_not_followed() {
        let redirections = Redirections::default();
        let asked = redirections.place(&request("http://h", "/a/?EIO=4")).into_owned();
        for _ in 0..MAX_HOPS {
            redirections.follow(&asked, &asked, 302, &to("/a/")).unwrap();
        }
        let last = redirections.follow(&asked, &asked, 302, &to("/a/"));
        assert_eq!(last, Err(NotFollowed::TooMany));
        for status in [200, 300, 304, 400] {
            assert_eq!(
                redirections.follow(&asked, &asked, status, &to("/x/")),
                Err(NotFollowed::NoPlace)
            );
        }
        let later = request("http://h", "/a/?EIO=4&sid=x");
        let result = redirections.follow(&later, &later, 302, &to("/x/"));
        assert_eq!(result, Err(NotFollowed::InSession));
    }
}
