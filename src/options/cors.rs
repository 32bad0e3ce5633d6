//! Which pages of other origins may use a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which web pages of other origins may use the server, and what browsers are told about it (CORS).
///
/// An origin is scheme, host and port of a page, as in `https://app.example:8443`. Browsers say in each
/// request which one it comes from; devices and programs say none. The server refuses each request, by
/// long-polling and by WebSocket, whose origin is neither its own (the same host and port as the request is for)
/// nor allowed here. By default no other origin is.
///
/// ```
/// use std::time::Duration;
///
/// let cors = siot::Cors::new()
///     .origin("https://app.example")
///     .credentials(true)
///     .max_age(Duration::from_secs(600));
/// # drop(cors);
/// ```
#[derive(Clone, Default)]
#[must_use = "give it to the server's builder"]
pub struct Cors {
    pub(crate) any_origin: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) origin_test: Option<OriginTest>,
    pub(crate) credentials: bool,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) allowed_headers: Option<Vec<String>>,
    pub(crate) exposed_headers: Vec<String>,
    pub(crate) max_age: Option<Duration>,
}

/// A user's function that allows origins.
pub(crate) type OriginTest = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl Cors {
    /// No other origin is allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the pages of every origin (`*`).
    ///
    /// Any page that a user of the same network opens can then use the server. Together with
    /// [`credentials`](Self::credentials) it is refused when the server is built: such a page could act
    /// in the user's name.
    pub fn any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// Allows the pages of one more origin: scheme, host and port, such as `https://app.example`, without
    /// a path. The port may be left out where it is the scheme's own. Pages without an origin of their
    /// own, such as files, have the origin `null`.
    #[doc(alias = "origins")]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Allows the origins for which a function says so, in addition to those that are listed.
    ///
    /// It is called for each request that has another origin, on one of the threads that run handlers,
    /// with the origin as the browser sent it. A panic refuses the request. It takes the place of
    /// a former function.
    pub fn origin_if(mut self, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.origin_test = Some(Arc::new(test));
        self
    }

    /// Whether pages of other origins may send cookies and the like along (`withCredentials`). Default:
    /// `false`.
    pub fn credentials(mut self, allowed: bool) -> Self {
        self.credentials = allowed;
        self
    }

    /// The methods that browsers may use. Default: `GET`, `HEAD`, `PUT`, `PATCH`, `POST` and `DELETE`, of
    /// which Socket.IO needs `GET` and `POST`.
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// The headers that requests of browsers may have. Default: all that a browser asks for.
    pub fn allowed_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_headers = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The headers of responses that pages may see. Default: none but those that they always see.
    pub fn exposed_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed_headers = names.into_iter().map(Into::into).collect();
        self
    }

    /// How long a browser may keep what it was told, in whole seconds. Default: as it likes, five seconds as a
    /// rule.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Whether any other origin may be allowed.
    pub(crate) fn is_on(&self) -> bool {
        self.any_origin || !self.origins.is_empty() || self.origin_test.is_some()
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cors")
            .field("any_origin", &self.any_origin)
            .field("origins", &self.origins)
            .field("origin_if", &self.origin_test.is_some())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
