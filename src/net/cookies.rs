//! A jar of cookies for one server (RFC 6265), kept over reconnections.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use http::header::{COOKIE, DATE, HeaderMap, HeaderValue, SET_COOKIE};

use super::date;
use super::request::Request;
use crate::sync::lock::lock;

/// How many cookies are kept; the oldest gives way.
const MAX_COOKIES: usize = 50;

/// The longest cookie that is kept, name and value.
const MAX_SIZE: usize = 4 * 1024;

/// How long all of them may be together, as they are sent, in bytes. That is what Node's servers take of
/// all headers; what a server takes less, it has to say ([`Jar::clear`]).
const MAX_TOTAL: usize = 16 * 1024;

/// The cookies of one server. Their values never get into a `Debug`.
#[derive(Default)]
pub(super) struct Jar {
    cookies: Mutex<Vec<Cookie>>,
}

struct Cookie {
    name: String,
    value: String,
    /// It came over an encrypted connection and goes back over such only.
    secure: bool,
    /// Without one, it is kept as long as the jar.
    expires: Option<Instant>,
}

/// What a `Set-Cookie` header says.
#[derive(Debug, PartialEq, Eq)]
struct SetCookie<'a> {
    name: &'a str,
    value: &'a str,
    secure: bool,
    lifetime: Option<Duration>,
}

impl Jar {
    /// Takes the cookies out of an answer.
    pub(super) fn note(&self, request: &Request, headers: &HeaderMap) {
        // A device whose clock is wrong can still tell how long a cookie is meant to live.
        let sent = headers.get(DATE).and_then(|date| date::parse(date.to_str().ok()?));
        let sent = sent.unwrap_or_else(SystemTime::now);
        for header in headers.get_all(SET_COOKIE) {
            let Ok(text) = header.to_str() else { continue };
            if let Some(cookie) = parse(text, request, sent) {
                self.set(&cookie);
            }
        }
    }

    fn set(&self, cookie: &SetCookie<'_>) {
        let mut cookies = lock(&self.cookies);
        let known = cookies.iter().position(|known| known.name == cookie.name);
        if cookie.lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
            if let Some(known) = known {
                cookies.remove(known);
            }
            return;
        }
        let fresh = Cookie {
            name: cookie.name.to_owned(),
            value: cookie.value.to_owned(),
            secure: cookie.secure,
            // What lies beyond the reach of the clock is as good as for ever.
            expires: cookie.lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime)),
        };
        match known {
            Some(known) => cookies[known] = fresh,
            None => cookies.push(fresh),
        }
        while cookies.len() > MAX_COOKIES
            || cookies.iter().map(Cookie::size).sum::<usize>() > MAX_TOTAL
        {
            // Not the one that was just set: alone, it fits.
            let oldest = cookies.iter().position(|other| other.name != cookie.name);
            cookies.remove(oldest.unwrap_or_default());
        }
    }

    /// Forgets all cookies, for a server that cannot bear them: it will set them anew. `false`: there
    /// were none.
    pub(super) fn clear(&self) -> bool {
        !std::mem::take(&mut *lock(&self.cookies)).is_empty()
    }

    /// Merges the cookies into the headers of a request, which is encrypted or not: one `Cookie` header,
    /// in which the jar's cookies replace the caller's of the same name.
    pub(super) fn apply(&self, headers: &mut HeaderMap, secure: bool) {
        let mut cookies = lock(&self.cookies);
        let now = Instant::now();
        cookies.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
        let cookies: Vec<&Cookie> =
            cookies.iter().filter(|cookie| secure || !cookie.secure).collect();
        if cookies.is_empty() {
            return;
        }
        let mut all = Vec::new();
        for header in headers.get_all(COOKIE) {
            for pair in header.as_bytes().split(|&byte| byte == b';').map(<[u8]>::trim_ascii) {
                let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
                if !pair.is_empty() && !cookies.iter().any(|own| own.name.as_bytes() == name) {
                    all.push(pair.to_vec());
                }
            }
        }
        all.extend(cookies.iter().map(|own| format!("{}={}", own.name, own.value).into_bytes()));
        if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }
}

impl Cookie {
    /// Its size as it is sent, with what divides it from the next one.
    fn size(&self) -> usize {
        self.name.len() + self.value.len() + "=; ".len()
    }
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cookies = lock(&self.cookies);
        f.debug_list().entries(cookies.iter().map(|cookie| &cookie.name)).finish()
    }
}

/// Reads a `Set-Cookie` header. `None`: the cookie is not for this server, or cannot be kept.
fn parse<'a>(text: &'a str, request: &Request, sent: SystemTime) -> Option<SetCookie<'a>> {
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.len() + value.len() > MAX_SIZE || value.contains(char::is_control) {
        return None;
    }
    let (mut max_age, mut expires, mut secure) = (None, None, false);
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "max-age" => max_age = age(value).or(max_age),
            // A date that cannot be read counts as passed, as in the JavaScript client.
            "expires" => expires = Some(until(value, sent)),
            "secure" if !request.endpoint.secure => return None,
            "secure" => secure = true,
            "domain" if !is_domain_of(value, &request.endpoint.host) => return None,
            "path" if !is_path_of(value, &request.path_and_query) => return None,
            _ => {}
        }
    }
    Some(SetCookie { name, value, secure, lifetime: max_age.or(expires) })
}

/// The lifetime of `Max-Age`, which may be negative; `None` when it is no number.
fn age(value: &str) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(Duration::ZERO);
    }
    Some(digits.parse().map_or(Duration::MAX, Duration::from_secs))
}

/// The lifetime that a date ends.
fn until(value: &str, sent: SystemTime) -> Duration {
    date::parse(value).and_then(|date| date.duration_since(sent).ok()).unwrap_or_default()
}

/// Whether a server is of a domain; an empty one says nothing.
fn is_domain_of(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let below = || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
    let is_name = host.parse::<std::net::IpAddr>().is_err();
    domain.is_empty() || host == domain || (is_name && below())
}

/// Whether a path is the beginning of the requests'; one that is none says nothing.
fn is_path_of(path: &str, path_and_query: &str) -> bool {
    let ours = path_and_query.split('?').next().unwrap_or_default();
    let Some(rest) = ours.strip_prefix(path) else { return !path.starts_with('/') };
    rest.is_empty() || path.ends_with('/') || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::endpoint::Endpoint;

    fn request(secure: bool) -> Request {
        Request {
            endpoint: Endpoint { secure, host: "api.example.com".to_owned(), port: 1 },
            path_and_query: "/socket.io/?EIO=4".to_owned(),
            headers: Vec::new(),
        }
    }

    fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// What a request carries after these answers; `own` are the caller's cookies.
    fn sent(jar: &Jar, own: &[&str]) -> Vec<String> {
        let mut headers = headers(&COOKIE, own);
        jar.apply(&mut headers, false);
        headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    fn note(jar: &Jar, cookies: &[&str]) {
        jar.note(&request(false), &headers(&SET_COOKIE, cookies));
    }

    #[test]
    fn cookies_are_sent_back_as_they_came_and_replaced_by_name() {
        let jar = Jar::default();
        note(&jar, &["a=1; Path=/; HttpOnly", "b=\"x=y\"; SameSite=Lax", "c="]);
        assert_eq!(sent(&jar, &[]), ["a=1; b=\"x=y\"; c="]);
        note(&jar, &["a=2"]);
        assert_eq!(sent(&jar, &[]), ["a=2; b=\"x=y\"; c="]);
    }

    #[test]
    fn the_callers_cookies_stay_but_for_those_of_the_same_name() {
        let jar = Jar::default();
        assert_eq!(sent(&jar, &["own=1; a=0"]), ["own=1; a=0"]);
        note(&jar, &["a=1"]);
        for _ in 0..2 {
            assert_eq!(sent(&jar, &["own=1; a=0", "b = 3;"]), ["own=1; b = 3; a=1"]);
        }
    }

    #[test]
    fn a_cookie_ends_when_the_server_says_so() {
        let jar = Jar::default();
        for end in [
            "Max-Age=0",
            "max-age=-5",
            "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "expires=soon",
            "Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            note(&jar, &["a=1"]);
            assert_eq!(sent(&jar, &[]), ["a=1"]);
            note(&jar, &[&format!("a=1; {end}")]);
            assert_eq!(sent(&jar, &[]), [""; 0], "{end}");
        }
        for stay in [
            "Max-Age=100",
            "Max-Age=99999999999999999999999",
            "Max-Age=x",
            "Expires=Fri, 31 Dec 9999 23:59:59 GMT",
            "Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ] {
            let jar = Jar::default();
            note(&jar, &[&format!("a=1; {stay}")]);
            assert_eq!(sent(&jar, &[]), ["a=1"], "{stay}");
        }
    }

    #[test]
    fn the_servers_own_clock_tells_how_long_a_cookie_lives() {
        let jar = Jar::default();
        let mut answer = headers(&SET_COOKIE, &["a=1; Expires=Thu, 01 Jan 1970 01:00:00 GMT"]);
        jar.note(&request(false), &answer);
        assert_eq!(sent(&jar, &[]), [""; 0]);
        answer.insert(DATE, HeaderValue::from_static("Thu, 01 Jan 1970 00:59:00 GMT"));
        jar.note(&request(false), &answer);
        assert_eq!(sent(&jar, &[]), ["a=1"]);
    }

    #[test]
    fn an_expired_cookie_is_not_sent() {
        let jar = Jar::default();
        let lifetime = Some(Duration::from_millis(1));
        jar.set(&SetCookie { name: "a", value: "1", secure: false, lifetime });
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(sent(&jar, &[]), [""; 0]);
    }

    #[test]
    fn cookies_for_others_are_not_kept() {
        for (cookie, secure, kept) in [
            ("a=1; Secure", false, false),
            ("a=1; Secure", true, true),
            ("a=1; Domain=api.example.com", false, true),
            ("a=1; Domain=.Example.com", false, true),
            ("a=1; Domain=other.com", false, false),
            ("a=1; Domain=i.example.com", false, false),
            ("a=1; Domain=", false, true),
            ("a=1; Path=/socket.io", false, true),
            ("a=1; Path=/socket.io/", false, true),
            ("a=1; Path=/sock", false, false),
            ("a=1; Path=/admin", false, false),
            ("a=1; Path=x", false, true),
            ("=1", false, false),
            ("a", false, false),
            ("a=\t1\tx", false, false),
        ] {
            let jar = Jar::default();
            jar.note(&request(secure), &headers(&SET_COOKIE, &[cookie]));
            let mut headers = HeaderMap::new();
            jar.apply(&mut headers, secure);
            assert_eq!(headers.len(), usize::from(kept), "{cookie}");
        }
    }

    #[test]
    fn the_jar_is_bounded() {
        let jar = Jar::default();
        note(&jar, &[&format!("big={}", "x".repeat(MAX_SIZE))]);
        assert_eq!(sent(&jar, &[]), [""; 0]);
        for number in 0..1000 {
            note(&jar, &[&format!("c{number}=x")]);
        }
        let all = sent(&jar, &[]).remove(0);
        assert_eq!(all.split("; ").count(), MAX_COOKIES);
        assert!(all.starts_with("c950=x") && all.ends_with("c999=x"), "{all}");
    }

    #[test]
    fn all_cookies_together_are_bounded_and_the_oldest_gives_way() {
        let jar = Jar::default();
        for number in 0..9 {
            note(&jar, &[&format!("c{number}={}", "x".repeat(2_500))]);
        }
        let all = sent(&jar, &[]).remove(0);
        assert!(all.len() <= MAX_TOTAL, "{}", all.len());
        assert!(all.starts_with("c3=x") && all.contains("c8=x"));
        // One that grows makes room for itself, and stays.
        note(&jar, &[&format!("c3={}", "y".repeat(4_000))]);
        let all = sent(&jar, &[]).remove(0);
        assert!(all.starts_with("c3=y") && !all.contains("c4=x") && all.len() <= MAX_TOTAL);
        assert!(jar.clear() && !jar.clear());
        assert_eq!(sent(&jar, &[]), [""; 0]);
    }

    #[test]
    fn a_secure_cookie_is_never_sent_in_the_clear() {
        let jar = Jar::default();
        jar.note(&request(true), &headers(&SET_COOKIE, &["a=1; Secure", "b=2"]));
        assert_eq!(sent(&jar, &[]), ["b=2"]);
        let mut headers = HeaderMap::new();
        jar.apply(&mut headers, true);
        assert_eq!(headers.get(COOKIE).unwrap(), "a=1; b=2");
    }

    #[test]
    fn debug_shows_no_value() {
        let jar = Jar::default();
        note(&jar, &["sid=secret"]);
        assert_eq!(format!("{jar:?}"), "[\"sid\"]");
    }
}
