//! The cookie that a server sets when a session begins.

use std::time::Duration;

/// A cookie with the id of the Engine.IO session, which the response to the first request of a session
/// sets. Load balancers can use it to bring all requests of a session to the same server.
///
/// The reference's `cookie` option. By default no cookie is set. It is set by long-polling alone: a session that
/// begins with a WebSocket has no other request.
///
/// ```
/// use siot::{SameSite, SessionCookie};
///
/// let cookie = SessionCookie::new("io").path("/gw").same_site(SameSite::Strict).secure(true);
/// # drop(cookie);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to the server's builder"]
pub struct SessionCookie {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    pub(crate) same_site: Option<SameSite>,
}

/// Which requests that a page of another site causes have the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// None.
    Strict,
    /// Those alone that lead the user to the site.
    Lax,
    /// All. Browsers want the cookie to be [`secure`](SessionCookie::secure) then.
    None,
}

impl SessionCookie {
    /// A cookie of this name (the reference's is `io`): `Path=/; HttpOnly; SameSite=Lax`, which ends with
    /// the browser's session.
    ///
    /// A name that no cookie can have is refused when the server is built, as is a path or a
    /// domain.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: "/".to_owned(),
            domain: None,
            max_age: None,
            http_only: true,
            secure: false,
            same_site: Some(SameSite::Lax),
        }
    }

    /// The paths that it is sent to: this one and those below. Default: `/`, all.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The domain that it is sent to, with those below. Default: the host alone.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// How long it is kept, in whole seconds. Default: `None`, as long as the browser runs.
    pub fn max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_age = age.into();
        self
    }

    /// Whether scripts cannot see it. Default: `true`.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether it is sent over encrypted connections only. Default: `false`.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Which requests from other sites have it. Default: [`SameSite::Lax`]. `None`: as the browser has it.
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }
}
