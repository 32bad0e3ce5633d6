//! The rules for the options of a server.

use http::{HeaderName, Method};

use super::check::{Check, invalid};
use super::cors::Cors;
use super::session_cookie::{SameSite, SessionCookie};
use super::web_origin::WebOrigin;
use crate::error::Result;

/// Refuses what browsers would, and what opens the server to every page.
impl Check for Cors {
    fn check(&self) -> Result<()> {
        if self.any_origin && self.credentials {
            return Err(invalid("Cors: credentials for every origin")
                .with_hint("any page could act in the user's name: list the origins"));
        }
        if let Some(origin) = self.origins.iter().find(|origin| WebOrigin::parse(origin).is_none())
        {
            return Err(invalid(format!("Cors::origin: {origin:?} is no origin"))
                .with_hint("one looks like https://app.example:8443, without a slash at its end"));
        }
        let methods = self.methods.iter().flatten();
        if let Some(method) =
            methods.into_iter().find(|method| Method::from_bytes(method.as_bytes()).is_err())
        {
            return Err(invalid(format!("Cors::methods: {method:?} is no method")));
        }
        let mut names = self.allowed_headers.iter().flatten().chain(&self.exposed_headers);
        let bad = |name: &&String| *name != "*" && HeaderName::from_bytes(name.as_bytes()).is_err();
        match names.find(bad) {
            None => Ok(()),
            Some(name) => Err(invalid(format!("Cors: {name:?} is no name of a header"))),
        }
    }
}

/// Refuses what would break the header, and what browsers would not take.
impl Check for SessionCookie {
    fn check(&self) -> Result<()> {
        // What may be the name of a cookie is what may be that of a header (RFC 6265 §4.1.1).
        if HeaderName::from_bytes(self.name.as_bytes()).is_err() {
            return Err(invalid(format!("SessionCookie: {:?} is no name of a cookie", self.name)));
        }
        let bad = |byte: u8| !(byte == b' ' || byte.is_ascii_graphic()) || byte == b';';
        if !self.path.starts_with('/') || self.path.bytes().any(bad) {
            return Err(invalid(format!("SessionCookie::path: {:?} is no path", self.path)));
        }
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let is_domain = |domain: &&String| !domain.is_empty() && domain.bytes().all(may_stand);
        if let Some(domain) = self.domain.as_ref().filter(|domain| !is_domain(domain)) {
            return Err(invalid(format!("SessionCookie::domain: {domain:?} is no domain")));
        }
        if self.same_site == Some(SameSite::None) && !self.secure {
            return Err(invalid("SessionCookie: SameSite::None needs secure(true)")
                .with_hint("browsers take no other"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[track_caller]
    fn refused(options: &dyn Check, part: &str) {
        let error = options.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.message().contains(part), "{error}");
    }

    #[test]
    fn credentials_for_every_origin_are_refused() {
        Cors::new().any_origin().check().unwrap();
        Cors::new().origin("https://a").credentials(true).check().unwrap();
        Cors::new().origin_if(|_| true).credentials(true).check().unwrap();
        refused(&Cors::new().any_origin().credentials(true), "credentials");
        let both = Cors::new().origin("https://a").any_origin().credentials(true);
        refused(&both, "credentials");
    }

    #[test]
    fn what_cannot_stand_in_the_headers_of_cors_is_refused() {
        for origin in ["*", "a.example", "https://a.example/", "https://a\r\nX: y"] {
            refused(&Cors::new().origin(origin), "origin");
        }
        Cors::new().origin("null").methods(["GET", "post"]).check().unwrap();
        refused(&Cors::new().methods(["GE T"]), "method");
        refused(&Cors::new().methods([""]), "method");
        Cors::new().allowed_headers(["x-a", "*"]).exposed_headers(["X-B"]).check().unwrap();
        refused(&Cors::new().allowed_headers(["a,b"]), "header");
        refused(&Cors::new().exposed_headers(["a\r\nb: c"]), "header");
    }

    /// GHSA-pxg6-pf52-xh8x.
    #[test]
    fn what_cannot_stand_in_a_cookie_is_refused() {
        SessionCookie::new("io").domain("gw.local").path("/a b").check().unwrap();
        for name in ["", "a b", "a=b", "a;b", "a\r\nb", "é", "userName=<script>alert(1)</script>"]
        {
            refused(&SessionCookie::new(name), "name");
        }
        for path in ["", "a", "/;secure", "/\r\nX: y", "/é"] {
            refused(&SessionCookie::new("io").path(path), "path");
        }
        for domain in ["", "a;b", "a\r\nb", "a b"] {
            refused(&SessionCookie::new("io").domain(domain), "domain");
        }
        refused(&SessionCookie::new("io").same_site(SameSite::None), "secure");
        SessionCookie::new("io").same_site(SameSite::None).secure(true).check().unwrap();
    }
}
