//! The cookie of a session.

use http::HeaderValue;

use crate::error::Result;
use crate::net::headers::parse_value;
use crate::options::{SameSite, SessionCookie};
use crate::proto::query::component;

/// The value of `Set-Cookie` in the response that begins a session.
pub(crate) fn set_cookie(cookie: &SessionCookie, sid: &str) -> Result<HeaderValue> {
    let age = cookie.max_age.map(|age| format!("; Max-Age={}", age.as_secs()));
    let domain = cookie.domain.as_ref().map(|domain| format!("; Domain={domain}"));
    let http_only = if cookie.http_only { "; HttpOnly" } else { "" };
    let secure = if cookie.secure { "; Secure" } else { "" };
    let same_site = match cookie.same_site {
        None => "",
        Some(SameSite::Strict) => "; SameSite=Strict",
        Some(SameSite::Lax) => "; SameSite=Lax",
        Some(SameSite::None) => "; SameSite=None",
    };
    let (age, domain) = (age.unwrap_or_default(), domain.unwrap_or_default());
    let (name, path, value) = (&cookie.name, &cookie.path, component(sid));
    let text = format!("{name}={value}{age}{domain}; Path={path}{http_only}{secure}{same_site}");
    parse_value("Set-Cookie", &text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cookie_is_written_as_the_reference_writes_it() {
        let text = |cookie: &SessionCookie, sid: &str| {
            set_cookie(cookie, sid).unwrap().to_str().unwrap().to_owned()
        };
        let usual = SessionCookie::new("io");
        assert_eq!(text(&usual, "a_-1"), "io=a_-1; Path=/; HttpOnly; SameSite=Lax");
        let all = SessionCookie::new("sid")
            .path("/gw")
            .domain("gw.local")
            .max_age(Duration::from_millis(1500))
            .http_only(false)
            .secure(true)
            .same_site(SameSite::None);
        let expected = "sid=x; Max-Age=1; Domain=gw.local; Path=/gw; Secure; SameSite=None";
        assert_eq!(text(&all, "x"), expected);
        assert_eq!(text(&usual.same_site(None), "x"), "io=x; Path=/; HttpOnly");
    }

    #[test]
    fn an_id_of_the_users_making_ends_no_header() {
        let value = set_cookie(&SessionCookie::new("io"), "a;b\r\nX: \"é").unwrap();
        assert_eq!(value, "io=a%3Bb%0D%0AX%3A%20%22%C3%A9; Path=/; HttpOnly; SameSite=Lax");
        assert!(value.is_sensitive());
    }
}
