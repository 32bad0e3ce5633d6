//! What browsers are told about pages of other origins (the Fetch standard), and which of these pages are
//! served at all.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::engine_refusal::EngineRefusal;
use super::origin::OriginVerdict;
use super::response::HttpResponse;
use crate::error::Result;
use crate::net::headers::parse_value;
use crate::options::Cors;
use crate::options::check::Check;
use crate::options::cors::OriginTest;
use crate::options::web_origin::WebOrigin;
use crate::sync::threads::survive;

/// The methods that the reference allows where nothing is said.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// The user's options as headers.
pub(crate) struct CorsPolicy {
    is_on: bool,
    any_origin: bool,
    origins: Vec<WebOrigin>,
    test: Option<OriginTest>,
    credentials: bool,
    methods: HeaderValue,
    /// `None`: those that are asked for.
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

impl CorsPolicy {
    /// What cannot work is an error.
    pub(crate) fn new(cors: &Cors) -> Result<Self> {
        cors.check()?;
        let list = |names: &[String]| parse_value("CORS", &names.join(","));
        let methods = cors.methods.as_deref();
        Ok(Self {
            is_on: cors.is_on(),
            any_origin: cors.any_origin,
            origins: cors.origins.iter().filter_map(|origin| WebOrigin::parse(origin)).collect(),
            test: cors.origin_test.clone(),
            credentials: cors.credentials,
            methods: methods.map_or(Ok(HeaderValue::from_static(METHODS)), list)?,
            allowed_headers: cors.allowed_headers.as_deref().map(list).transpose()?,
            exposed_headers: match &*cors.exposed_headers {
                [] => None,
                names => Some(list(names)?),
            },
            max_age: cors.max_age.map(|age| age.as_secs().into()),
        })
    }

    /// Whether the page that caused a request is served; to be asked for each request.
    ///
    /// A page on the host that the request is for is; so is what says no origin, which browsers do for what
    /// other pages cause, but for pictures and the like.
    pub(crate) fn judge(&self, headers: &HeaderMap) -> OriginVerdict {
        OriginVerdict::of(
            headers,
            |origin| self.any_origin || self.origins.contains(origin),
            self.test.is_some(),
        )
    }

    /// Asks the user's function; for an origin that is [to be asked for](OriginVerdict::Ask), and never on a
    /// thread that does I/O.
    pub(crate) fn ask(&self, headers: &HeaderMap) -> OriginVerdict {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let (Some(test), Some(origin)) = (&self.test, origin) else {
            return OriginVerdict::Foreign;
        };
        match survive(|| test(origin)) {
            Some(true) => OriginVerdict::Allowed,
            Some(false) | None => OriginVerdict::Foreign,
        }
    }

    /// The headers of each response but a preflight's.
    pub(crate) fn headers(&self, request: &HeaderMap, verdict: OriginVerdict) -> HeaderMap {
        let mut headers = self.basic_headers(request, verdict);
        if self.is_on {
            insert(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.as_ref());
        }
        headers
    }

    /// The answer to `OPTIONS`, by which a browser asks what it may do; `None` where no other origin is
    /// allowed at all: then it is a request like any other.
    pub(crate) fn preflight(
        &self,
        request: &HeaderMap,
        verdict: OriginVerdict,
    ) -> Option<HttpResponse> {
        if !self.is_on {
            return None;
        }
        if verdict == OriginVerdict::Foreign {
            let refusal = HttpResponse::engine_refusal(EngineRefusal::Forbidden, None);
            return Some(refusal.with_all(&self.headers(request, verdict)));
        }
        let mut headers = self.basic_headers(request, verdict);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if self.allowed_headers.is_none() {
            headers.append(VARY, ACCESS_CONTROL_REQUEST_HEADERS.into());
        }
        let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
        insert(
            &mut headers,
            ACCESS_CONTROL_ALLOW_HEADERS,
            self.allowed_headers.as_ref().or(asked).filter(|names| !names.is_empty()),
        );
        insert(&mut headers, ACCESS_CONTROL_MAX_AGE, self.max_age.as_ref());
        insert(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.as_ref());
        Some(HttpResponse::new(StatusCode::NO_CONTENT).with_all(&headers))
    }

    fn basic_headers(&self, request: &HeaderMap, verdict: OriginVerdict) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.is_on {
            return headers;
        }
        if self.any_origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            if verdict == OriginVerdict::Allowed {
                insert(&mut headers, ACCESS_CONTROL_ALLOW_ORIGIN, request.get(ORIGIN));
            }
            headers.append(VARY, ORIGIN.into());
        }
        if self.credentials {
            let allowed = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, allowed);
        }
        headers
    }
}

fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}

#[cfg(test)]
mod tests;
